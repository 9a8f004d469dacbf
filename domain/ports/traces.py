"""The traces of deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.traces import TraceRecorded

MAX_TRACES = 300  # of one message in one answer: the newest


class TraceStore(Protocol):
    """Hops of deliveries by message. They leave after 30 days."""

    async def write(self, traces: Sequence[TraceRecorded]) -> None:
        """Return once all are durable; one that comes again changes nothing. Raises ``StoreUnavailable``."""
        ...

    async def of(self, message_id: str) -> Sequence[TraceRecorded]:
        """Return the newest ``MAX_TRACES`` of a message, the oldest first. Raises ``StoreUnavailable``."""
        ...
