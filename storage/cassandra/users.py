"""Accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from domain.errors import AlreadyExists, NotFound, StoreUnavailable
from domain.ports import User
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

_COLUMNS = "user_id, username, password_hash, email, created_at_ms"
_INSERT = f"INSERT INTO {{ks}}.users ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM {ks}.users WHERE user_id = ?"
_CLAIM = "INSERT INTO {ks}.users_by_username (username_lower, user_id) VALUES (?, ?) IF NOT EXISTS"
_BY_USERNAME = "SELECT user_id FROM {ks}.users_by_username WHERE username_lower = ?"
_BY_ID = f"SELECT {_COLUMNS} FROM {{ks}}.users WHERE user_id = ?"
_NAMES = "SELECT user_id, username FROM {ks}.users WHERE user_id IN ?"
_SET_HASH = "UPDATE {ks}.users SET password_hash = ? WHERE user_id = ? IF EXISTS"

NAMES_AT_ONCE = 50  # in one request: a coordinator asks for each of them


class CassandraUserStore:
    """``domain.ports.UserStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def create(self, user: User) -> None:
        """Store ``user`` unless the name is taken.

        Raises ``AlreadyExists``. Raises ``StoreUnavailable``; then the account may exist, with this password.
        """
        async with self._session.deadline():
            # The account first, then its name: a crash in between leaves an unreachable row.
            values = (user.user_id, user.username, user.password_hash, user.email, user.created_at_ms)
            await self._session.run(_INSERT, values, Access.WRITE)
            row = (await self._session.run(_CLAIM, (user.username.lower(), user.user_id), Access.CONDITIONAL))[0]
            if row["[applied]"] or row["user_id"] == user.user_id:
                return
            with suppress(StoreUnavailable):
                await self._session.run(_DELETE, (user.user_id,), Access.WRITE)
        raise AlreadyExists(f"the username {user.username} is taken; choose another")

    async def by_username(self, username: str) -> User | None:
        """Return the account with this name; case does not count. Raises ``StoreUnavailable``."""
        if not is_possible_key(username):
            return None
        async with self._session.deadline():
            rows = await self._session.run(_BY_USERNAME, (username.lower(),), Access.READ)
            return await self.by_id(rows[0][0]) if rows else None

    async def by_id(self, user_id: str) -> User | None:
        """Return the account. Raises ``StoreUnavailable``."""
        if not is_possible_key(user_id):
            return None
        rows = await self._session.run(_BY_ID, (user_id,), Access.READ)
        return User(*rows[0]) if rows else None

    async def usernames(self, user_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the usernames of those whom there are. Raises ``StoreUnavailable``."""
        keys = [user_id for user_id in user_ids if is_possible_key(user_id)]
        async with self._session.deadline():
            pages = await asyncio.gather(
                *(
                    self._session.run(_NAMES, (keys[start : start + NAMES_AT_ONCE],), Access.READ)
                    for start in range(0, len(keys), NAMES_AT_ONCE)
                )
            )
        return {user_id: username for rows in pages for user_id, username in rows}

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Replace the account's password hash. Raises ``NotFound``, ``StoreUnavailable``."""
        known = is_possible_key(user_id)
        if (
            not known
            or not (await self._session.run(_SET_HASH, (password_hash, user_id), Access.CONDITIONAL))[0]["[applied]"]
        ):
            raise NotFound(f"there is no user {user_id!r:.80}")
