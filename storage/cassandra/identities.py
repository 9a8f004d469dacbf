"""Linked identities."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import AlreadyExists, NotFound
from domain.ports import Identity
from storage.cassandra.facts import is_possible_key
from storage.cassandra.link import Kind
from storage.cassandra.session import CassandraSession

_COLUMNS = "user_id, platform, value, verified, linked_at_ms"
_CLAIM = f"INSERT INTO {{ks}}.identities (address, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS"
_RELEASE = "DELETE FROM {ks}.identities WHERE address = ? IF user_id = ?"
_OWNER = "SELECT user_id FROM {ks}.identities WHERE address = ?"
_STANDING = f"SELECT {_COLUMNS} FROM {{ks}}.identities WHERE address IN ?"
# transactions as well: their order is Cassandra's, not that of the clocks of several API processes
_LIST = "INSERT INTO {ks}.identities_by_user (user_id, address) VALUES (?, ?) IF NOT EXISTS"
_UNLIST = "DELETE FROM {ks}.identities_by_user WHERE user_id = ? AND address = ? IF EXISTS"
_LISTED = "SELECT address FROM {ks}.identities_by_user WHERE user_id = ?"


class CassandraIdentityStore:
    """``domain.ports.IdentityStore`` on Cassandra.

    An address is claimed before it is listed, and taken off the list before it is released. What breaks off in
    between leaves an address that is the user's and not on their list; linking or unlinking again finishes it.
    """

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def link(self, identity: Identity) -> Identity:
        """Return the identity as it stands. Raises ``AlreadyExists``, ``StoreUnavailable`` (link it again)."""
        address = _address(identity.platform, identity.value)
        values = (identity.user_id, identity.platform, identity.value, identity.verified, identity.linked_at_ms)
        async with self._session.deadline():
            row = (await self._session.run(_CLAIM, (address, *values), Kind.DECIDE))[0]
            standing = identity if row["[applied]"] else Identity(*(row[name] for name in _COLUMNS.split(", ")))
            if standing.user_id != identity.user_id:
                raise AlreadyExists(f"this {identity.platform} address is linked to another user")
            await self._session.run(_LIST, (identity.user_id, address), Kind.DECIDE)
        return standing

    async def unlink(self, user_id: str, platform: str, value: str) -> None:
        """Raises ``NotFound``, ``StoreUnavailable`` (unlink it again)."""
        unknown = NotFound(f"no such {platform} address is linked to you")
        address = _address(platform, value)
        if not is_possible_key(address) or not is_possible_key(user_id):
            raise unknown
        async with self._session.deadline():
            await self._session.run(_UNLIST, (user_id, address), Kind.DECIDE)
            if not (await self._session.run(_RELEASE, (address, user_id), Kind.DECIDE))[0]["[applied]"]:
                raise unknown

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return the user's identities by platform and value. Raises ``StoreUnavailable``."""
        if not is_possible_key(user_id):
            return []
        async with self._session.deadline():
            listed = [row[0] for row in await self._session.run(_LISTED, (user_id,), Kind.READ)]
            rows = await self._session.run(_STANDING, (listed,), Kind.READ) if listed else []
        standing = (Identity(*row) for row in rows)
        return sorted((one for one in standing if one.user_id == user_id), key=lambda one: (one.platform, one.value))

    async def owner(self, platform: str, value: str) -> str | None:
        """Return the id of the user who has this address. Raises ``StoreUnavailable``."""
        address = _address(platform, value)
        if not is_possible_key(address):
            return None
        rows = await self._session.run(_OWNER, (address,), Kind.READ)
        return rows[0][0] if rows else None


def _address(platform: str, value: str) -> str:
    return f"{platform}:{value}"
