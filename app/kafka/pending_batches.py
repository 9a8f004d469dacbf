"""Batches of records on their way to Kafka, as values: in a partition's queue, or with the producer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

Headers = Sequence[tuple[str, bytes]]


class Written(NamedTuple):
    """The offset of a record. ``timestamp_ms`` is the broker's append time on topics that carry it, else -1."""

    offset: int
    timestamp_ms: int


class PendingBatch:
    """Records of one partition that are sent as one batch. Await it to wait until the broker has acknowledged them.

    ``has_left``: the producer has the batch, so only the broker's answer tells whether it was written.
    ``has_cancelled``: some of the records were cancelled while the batch waited in its queue.
    """

    __slots__ = ("future", "has_cancelled", "has_left", "records", "size_bytes", "waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Written] = loop.create_future()
        self.records: list[tuple[bytes | None, bytes | None, Headers] | None] = []
        self.size_bytes = 0
        self.has_cancelled = False
        self.has_left = False
        self.waiters: list[asyncio.Future[None]] = []

    def __await__(self) -> Generator[Any, None, Written]:
        return self.future.__await__()


def wake(waiter: asyncio.Future[None]) -> None:
    """Let one that waits for a batch go on, unless it no longer waits."""
    if not waiter.done():
        waiter.set_result(None)


class PartitionQueue:
    """The batches of a partition: at most one is on its way (``busy``), the others wait."""

    __slots__ = ("busy", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[PendingBatch] = deque()
        self.busy = False
