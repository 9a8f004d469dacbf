"""Refresh tokens, as hashes."""

from __future__ import annotations

from domain.ports import RefreshToken
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

# Transactions throughout, so that the clocks of API processes have no say in what came last. Every column is written
# each time: an UPDATE's time to live is that of the columns it names.
_START = (
    "INSERT INTO {ks}.refresh_tokens (session_id, user_id, token_hash, expires_at_ms) VALUES (?, ?, ?, ?)"
    " IF NOT EXISTS USING TTL ?"
)
_ROTATE = (
    "UPDATE {ks}.refresh_tokens USING TTL ? SET user_id = ?, token_hash = ?, expires_at_ms = ?"
    " WHERE session_id = ? IF token_hash = ?"
)
_END = "DELETE FROM {ks}.refresh_tokens WHERE session_id = ? IF EXISTS"
_FIND = "SELECT session_id, user_id, token_hash, expires_at_ms FROM {ks}.refresh_tokens WHERE session_id = ?"


class CassandraRefreshTokenStore:
    """``domain.ports.RefreshTokenStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def start(self, token: RefreshToken, ttl_seconds: int) -> None:
        """Store the first token of a session. Raises ``StoreUnavailable``."""
        values = (token.session_id, token.user_id, token.token_hash, token.expires_at_ms, ttl_seconds)
        await self._session.run(_START, values, Access.CONDITIONAL)

    async def find(self, session_id: str) -> RefreshToken | None:
        """Return the session's current token. Raises ``StoreUnavailable``."""
        if not is_possible_key(session_id):
            return None
        rows = await self._session.run(_FIND, (session_id,), Access.READ)
        return RefreshToken(*rows[0]) if rows else None

    async def rotate(self, used_hash: str, token: RefreshToken, ttl_seconds: int) -> bool:
        """Replace the token of hash ``used_hash`` by ``token``; return ``False`` if it is not the current one.

        Raises ``StoreUnavailable``; then it may have been replaced.
        """
        values = (ttl_seconds, token.user_id, token.token_hash, token.expires_at_ms, token.session_id, used_hash)
        row = (await self._session.run(_ROTATE, values, Access.CONDITIONAL))[0]
        # a transaction whose first answer got lost finds its own work done
        return bool(row["[applied]"] or row.get("token_hash") == token.token_hash)

    async def end(self, session_id: str) -> None:
        """Forget the session; none of its tokens is taken again. Raises ``StoreUnavailable``."""
        if is_possible_key(session_id):
            await self._session.run(_END, (session_id,), Access.CONDITIONAL)
