"""Hops of deliveries, by message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import orjson

from domain.ports.traces import MAX_TRACES
from domain.traces import TraceRecorded
from storage.cassandra.batches import BatchWriter, sized
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

_WRITE = "INSERT INTO {ks}.traces (message_id, at_ms, hop, record) VALUES (?, ?, ?, ?)"
_OF = f"SELECT record FROM {{ks}}.traces WHERE message_id = ? ORDER BY at_ms DESC LIMIT {MAX_TRACES}"


class CassandraTraceStore:
    """``domain.ports.TraceStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._writer = BatchWriter(session)

    async def write(self, traces: Sequence[TraceRecorded]) -> None:
        """Store each one. Raises ``StoreUnavailable``."""
        async with self._session.deadline():
            driver = await self._session.driver()
            statement = await driver.prepare(_WRITE, Access.WRITE)
            rows = (_row(trace) for trace in traces if is_possible_key(trace.message_id))
            await self._writer.send(driver, [sized(statement.bind(row)) for row in rows])

    async def of(self, message_id: str) -> Sequence[TraceRecorded]:
        """Return the newest hops of a message, the oldest first. Raises ``StoreUnavailable``."""
        if not is_possible_key(message_id):
            return []
        rows = await self._session.run(_OF, (message_id,), Access.READ)
        return [TraceRecorded(**orjson.loads(record)) for (record,) in reversed(list(rows))]


def _row(trace: TraceRecorded) -> tuple[str, int, str, str]:
    hop = f"{trace.event} {trace.attempt} {trace.recipient_id}"
    return trace.message_id, trace.at_ms, hop, orjson.dumps(asdict(trace)).decode()
