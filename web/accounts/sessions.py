"""Sessions: started by a login, continued by a refresh token, ended by a logout."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import NotAllowed, NotAuthenticated
from domain.ports import RefreshToken, RefreshTokenStore
from domain.refresh_tokens import SESSION_BYTES, STEP_BYTES, Presented, TokenState, mint, parse, validate

log = logging.getLogger(__name__)

_REFUSALS = {
    TokenState.UNKNOWN: "the refresh token is not valid (any more); log in again",
    TokenState.EXPIRED: "the refresh token has expired; log in again",
    TokenState.REUSED: "the refresh token was used before, so its session has been ended; log in again",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A user's session and its current refresh token, shown only this once."""

    session_id: str
    user_id: str
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewable:
    """A session whose current token was presented."""

    user_id: str
    presented: Presented


class Sessions:
    """Starts, renews and ends sessions. ``reuses`` counts those ended because a used token came again."""

    def __init__(
        self,
        store: RefreshTokenStore,
        *,
        ttl_seconds: int,
        clock_ms: Callable[[], int],
        randomness: Callable[[int], bytes],
    ) -> None:
        self.ttl_seconds = ttl_seconds
        self.reuses = 0
        self._store = store
        self._clock_ms = clock_ms
        self._randomness = randomness

    async def start(self, user_id: str) -> Session:
        """Return a new session. Raises ``StoreUnavailable``."""
        text, record = self._next(user_id, self._randomness(SESSION_BYTES))
        await self._store.start(record, self.ttl_seconds)
        return Session(record.session_id, user_id, text)

    async def find(self, text: str) -> Renewable:
        """Return the session with the current token ``text``.

        Raises ``NotAuthenticated``, ``StoreUnavailable``. A reused older token ends its session.
        """
        presented = parse(text)
        if presented is None:
            raise NotAuthenticated(_REFUSALS[TokenState.UNKNOWN])
        known = await self._store.find(presented.session_id)
        state = validate(known, presented, self._clock_ms())
        if known is not None and state is TokenState.CURRENT:
            return Renewable(known.user_id, presented)
        if known is not None and state is TokenState.REUSED:
            await self._store.end(presented.session_id)
            self.reuses += 1
            log.warning(
                "a used refresh token was presented again; its session has ended", extra={"user_id": known.user_id}
            )
        raise NotAuthenticated(_REFUSALS[state])

    async def renew(self, found: Renewable) -> Session:
        """Replace the found token by the next one.

        Raises ``NotAuthenticated`` if another request was faster: two concurrent ones are no theft, so the session
        continues with the faster one's token. After ``StoreUnavailable`` the found token may have been used.
        """
        text, record = self._next(found.user_id, found.presented.seed)
        if not await self._store.rotate(found.presented.token_hash, record, self.ttl_seconds):
            raise NotAuthenticated("the refresh token was used by another request at the same time")
        return Session(record.session_id, found.user_id, text)

    async def end(self, text: str, user_id: str) -> None:
        """End the session of any of its tokens, if it has not ended. Raises ``NotAllowed`` if it is another user's."""
        presented = parse(text)
        known = await self._store.find(presented.session_id) if presented else None
        if known is None:
            return
        if known.user_id != user_id:
            raise NotAllowed("this refresh token is not yours")
        await self._store.end(known.session_id)

    async def end_by_id(self, session_id: str) -> None:
        """End the session if it has not ended. Raises ``StoreUnavailable``."""
        await self._store.end(session_id)

    def _next(self, user_id: str, seed: bytes) -> tuple[str, RefreshToken]:
        text = mint(seed, self._randomness(STEP_BYTES))
        made = parse(text)
        if made is None:
            raise RuntimeError("a refresh token that was just made cannot be read")
        expires_at_ms = self._clock_ms() + self.ttl_seconds * 1000
        return text, RefreshToken(made.session_id, user_id, made.token_hash, expires_at_ms)
