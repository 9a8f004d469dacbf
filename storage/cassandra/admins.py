"""The users with the role admin."""

from __future__ import annotations

from collections.abc import Sequence

from domain.ports import MAX_ADMINS, Admin
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

_COLUMNS = "user_id, username, granted_at_ms, granted_by"
# Transactions, so that the clocks of two machines have no say in the order of a grant and a revocation.
_GRANT = "INSERT INTO {ks}.admins (user_id, username, granted_at_ms, granted_by) VALUES (?, ?, ?, ?) IF NOT EXISTS"
_REVOKE = "DELETE FROM {ks}.admins WHERE user_id = ? IF EXISTS"
_FIND = "SELECT user_id FROM {ks}.admins WHERE user_id = ?"
_ALL = f"SELECT {_COLUMNS} FROM {{ks}}.admins LIMIT {MAX_ADMINS}"


class CassandraAdminStore:
    """``domain.ports.AdminStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def is_admin(self, user_id: str) -> bool:
        """Return whether the user has the role. Raises ``StoreUnavailable``."""
        return is_possible_key(user_id) and bool(await self._session.run(_FIND, (user_id,), Access.READ))

    async def grant(self, admin: Admin) -> None:
        """Give the role; a user who has it keeps it as it was granted first.

        Raises ``StoreUnavailable``; then the user may have it.
        """
        values = (admin.user_id, admin.username, admin.granted_at_ms, admin.granted_by)
        await self._session.run(_GRANT, values, Access.CONDITIONAL)

    async def revoke(self, user_id: str) -> bool:
        """Take the role; return whether the user had it. Raises ``StoreUnavailable``; revoke it again then."""
        if not is_possible_key(user_id):
            return False
        return bool((await self._session.run(_REVOKE, (user_id,), Access.CONDITIONAL))[0]["[applied]"])

    async def admins(self) -> Sequence[Admin]:
        """Return up to ``MAX_ADMINS`` admins by username. Raises ``StoreUnavailable``."""
        rows = await self._session.run(_ALL, (), Access.READ)
        return sorted((Admin(*row) for row in rows), key=lambda admin: admin.username)
