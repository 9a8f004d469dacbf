"""Accounts: register, log in, renew and end sessions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from domain.errors import AlreadyExists, NotAuthenticated, NotFound, Unavailable
from domain.ids import uuid7
from domain.ports import User
from web.accounts.sessions import Session

if TYPE_CHECKING:
    from domain.ports import UserStore
    from web.accounts.login_throttle import LoginThrottle
    from web.accounts.passwords import Passwords
    from web.accounts.sessions import Sessions
    from web.accounts.tokens import Tokens
    from web.http.caller import Caller

log = logging.getLogger(__name__)


class LoggedIn(NamedTuple):
    """A user with a new session. ``access_token`` is valid for ``Accounts.token_seconds``."""

    user: User
    session: Session
    access_token: str


class Accounts:
    """The users' accounts. ``token_seconds``, ``session_seconds``: how long new tokens are valid."""

    def __init__(
        self,
        *,
        users: UserStore,
        passwords: Passwords,
        login_throttle: LoginThrottle,
        sessions: Sessions,
        tokens: Tokens,
        clock_ms: Callable[[], int],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._login_throttle = login_throttle
        self._sessions = sessions
        self._tokens = tokens
        self._clock_ms = clock_ms
        self._randomness = randomness
        self.token_seconds = tokens.ttl_seconds
        self.session_seconds = sessions.ttl_seconds

    async def register(self, username: str, password: str, email: str | None) -> User:
        """Create an account. Raises ``AlreadyExists`` if the name is taken."""
        taken = AlreadyExists(f"the username {username} is taken; choose another")
        if await self._users.by_username(username) is not None:
            raise taken  # before the cost of a hash; the store's own check decides a race
        now_ms = self._clock_ms()
        user = User(
            user_id=uuid7(now_ms, self._randomness(10)),
            username=username,
            password_hash=await self._passwords.hash(password),
            email=email,
            created_at_ms=now_ms,
        )
        try:
            await self._users.create(user)
        except AlreadyExists:
            raise taken from None
        return user

    async def log_in(self, username: str, password: str, address: str) -> LoggedIn:
        """Start a session. ``address``: the client's.

        Raises ``RateLimited`` after too many failures, and for any wrong input the same ``NotAuthenticated`` after
        the same time.
        """
        self._login_throttle.check(username, address)
        user = await self._users.by_username(username)
        async with self._login_throttle.attempt(username, address) as attempt:
            matches = await self._passwords.verify(user.password_hash if user else None, password)
            attempt.ended(matches=matches)
        if user is None or not matches:
            raise NotAuthenticated("wrong username or password")
        await self._renew_hash(user, password)
        return self._logged_in(user, await self._sessions.start(user.user_id))

    async def refresh(self, refresh_token: str) -> LoggedIn:
        """Renew a session; the refresh token is used up. Raises ``NotAuthenticated``."""
        found = await self._sessions.find(refresh_token)
        # before the token is used up: an unavailable store must not cost the session
        user = await self.user(found.user_id)
        return self._logged_in(user, await self._sessions.renew(found))

    async def log_out(self, caller: Caller, refresh_token: str | None) -> None:
        """End the session of the refresh token, or else of the caller's access token; it may have ended before."""
        if refresh_token is not None:
            await self._sessions.end(refresh_token, caller.user_id)
        else:
            await self._sessions.end_by_id(caller.session_id)

    async def user(self, user_id: str) -> User:
        """Return the user. Raises ``NotAuthenticated`` if the account no longer exists."""
        user = await self._users.by_id(user_id)
        if user is None:
            raise NotAuthenticated("this account is no longer there")
        return user

    async def find(self, user: str) -> User:
        """Return the user with this id or name. Raises ``NotFound``, ``StoreUnavailable``."""
        found = await self._users.by_id(user) or await self._users.by_username(user)
        if found is None:
            raise NotFound("there is no user of this id or name")
        return found

    def _logged_in(self, user: User, session: Session) -> LoggedIn:
        return LoggedIn(user, session, self._tokens.issue(user.user_id, user.username, session.session_id))

    async def _renew_hash(self, user: User, password: str) -> None:
        """Hash again with today's parameters if the hash was made with others. A failure is logged; the next login
        tries again.
        """
        if not self._passwords.is_outdated(user.password_hash):
            return
        try:
            renewed = replace(user, password_hash=await self._passwords.hash(password))
            await self._users.set_password_hash(renewed.user_id, renewed.password_hash)
        except Unavailable as error:
            log.warning("a password hash could not be renewed: %s", error, extra={"user_id": user.user_id})


ACCOUNTS = web.AppKey("accounts", Accounts)
