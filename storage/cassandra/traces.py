"""Hops of deliveries, by message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import orjson

from domain.ports.traces import MAX_TRACES
from domain.traces import TraceRecorded
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

MAX_WRITES_AT_ONCE = 32

_WRITE = "INSERT INTO {ks}.traces (message_id, at_ms, hop, record) VALUES (?, ?, ?, ?)"
_OF = f"SELECT record FROM {{ks}}.traces WHERE message_id = ? ORDER BY at_ms DESC LIMIT {MAX_TRACES}"


class CassandraTraceStore:
    """``domain.ports.TraceStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._slots = asyncio.Semaphore(MAX_WRITES_AT_ONCE)

    async def write(self, traces: Sequence[TraceRecorded]) -> None:
        """Store each one. Raises ``StoreUnavailable``."""
        async with self._session.deadline():
            await asyncio.gather(*(self._write(trace) for trace in traces if is_possible_key(trace.message_id)))

    async def _write(self, trace: TraceRecorded) -> None:
        hop = f"{trace.event} {trace.attempt} {trace.recipient_id}"
        row = (trace.message_id, trace.at_ms, hop, orjson.dumps(asdict(trace)).decode())
        async with self._slots:
            await self._session.run(_WRITE, row, Access.WRITE)

    async def of(self, message_id: str) -> Sequence[TraceRecorded]:
        """Return the newest hops of a message, the oldest first. Raises ``StoreUnavailable``."""
        if not is_possible_key(message_id):
            return []
        rows = await self._session.run(_OF, (message_id,), Access.READ)
        return [TraceRecorded(**orjson.loads(record)) for (record,) in reversed(list(rows))]
