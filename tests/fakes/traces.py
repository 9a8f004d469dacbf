"""Traces in memory: they pass the same contract tests as Cassandra."""

from __future__ import annotations

from collections.abc import Sequence

from domain.ports.traces import MAX_TRACES
from domain.traces import TraceRecorded
from fakes.stores import Outage


class MemoryTraces(Outage):
    """``TraceStore`` over a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[tuple[int, str, int, str], TraceRecorded]] = {}

    async def write(self, traces: Sequence[TraceRecorded]) -> None:
        """Store each one."""
        self.check()
        for trace in traces:
            key = trace.at_ms, trace.event, trace.attempt, trace.recipient_id
            self.rows.setdefault(trace.message_id, {})[key] = trace

    async def of(self, message_id: str) -> Sequence[TraceRecorded]:
        """Return the newest hops of a message, the oldest first."""
        self.check()
        found = self.rows.get(message_id, {})
        return [found[key] for key in sorted(found)][-MAX_TRACES:]
