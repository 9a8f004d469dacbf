"""Addresses that join conversations, written together.

A statement costs the driver 0.3 ms whatever it holds, and a new address is written while its sender waits for a 202. So
while one batch is on its way, the joins that come meanwhile gather, and go with the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cassandra.query import BatchStatement, BatchType

from domain.errors import StoreUnavailable
from storage.cassandra.link import Kind
from storage.cassandra.session import CassandraSession

MOST_ROWS = 50
MOST_WAITING = 2_000
# The timestamp falls with the time and is negative: the first join stays, and so does a participant that the
# conversation was created with. Nobody leaves such a conversation, so no write has to come after a join.
_JOIN = (
    "INSERT INTO {ks}.conversations (conversation_id, participant_id, joined_at_ms) VALUES (?, ?, ?) USING TIMESTAMP ?"
)

Row = tuple[str, str, int, int]


class Joins:
    """Writes rows in batches of at most ``MOST_ROWS``, one batch at a time."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, conversation_id: str, participant_id: str, joined_at_ms: int) -> None:
        """Return once the row is written. Raises ``StoreUnavailable``, after which it may be."""
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable(f"{MOST_WAITING} addresses wait to join their conversations")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((conversation_id, participant_id, joined_at_ms, -joined_at_ms), written))
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_ROWS], self._waiting[MOST_ROWS:]
                error = await self._failure([row for row, _ in batch])
                for _, written in batch:
                    _settle(written, error)
        finally:
            self._task = None

    async def _failure(self, rows: Sequence[Row]) -> Exception | None:
        """Write ``rows``; return why that failed."""
        try:
            async with self._session.deadline():
                link = await self._session.link()
                statement = await link.prepare(_JOIN, Kind.WRITE)
                batch = BatchStatement(BatchType.UNLOGGED)
                for row in rows:
                    batch.add(statement.bind(row))
                await self._session.submit(link, batch, Kind.WRITE)
        except Exception as error:  # noqa: BLE001  handed to those who wait
            return error
        return None


def _settle(written: asyncio.Future[None], error: Exception | None) -> None:
    if written.done():  # its caller's time was over, and the row is written all the same
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
