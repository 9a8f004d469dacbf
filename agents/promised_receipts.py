"""Receipts of channels that this process simulates: at their time they go onto ``<channel>-events``.

The row of a delivery stays in the queue until its last receipt is durable, so the next owner of the partition goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from agents.durable import when_durable
from app.clock import now_ms
from app.kafka.codec import encode
from domain.records import ReceiptReported

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp

MOST_PROMISED = 100_000  # each takes about half a KiB
_TICK_SECONDS = 0.1  # receipts due in it leave together: fewer and larger batches for all who read them


class PromisedReceipts:
    """One heap and one task for all deliveries of a worker.

    ``on_room`` is called when there is room again after ``is_full``: until then nothing more is sent.
    """

    on_room: Callable[[], None]

    def __init__(self, app: StreamApp, channel: str) -> None:
        self._app = app
        self._topic = app.names.events(channel)
        self._due: list[tuple[int, int, int, bytes, ReceiptReported, Callable[[], None] | None]] = []
        self._order = count()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether so many receipts are to come that the channel takes no more messages."""
        return len(self._due) >= MOST_PROMISED

    def follow(
        self, partition: int, conversation_id: str, reports: Sequence[ReceiptReported], done: Callable[[], None]
    ) -> None:
        """Write each of ``reports`` at its ``at_ms``. ``done`` is called when the last one is durable."""
        key = conversation_id.encode()
        for n, report in enumerate(reports, 1):
            entry = (
                report.at_ms,
                next(self._order),
                partition,
                key,
                report,
                done if n == len(reports) else None,
            )
            if not self._due or entry < self._due[0]:
                self._changed.set()
            heappush(self._due, entry)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def clear(self) -> None:
        """Forget all: the partitions are going away."""
        self._due.clear()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now, was_full = now_ms(), self.is_full
            while self._due and self._due[0][0] <= now:
                _, _, partition, key, report, done = heappop(self._due)
                write = self._app.batch_producer.enqueue(self._topic, partition, key, encode(report))
                if done is not None:
                    when_durable(self._app, [write], done)
            if was_full and not self.is_full:
                self.on_room()
            wait = max(_TICK_SECONDS, (self._due[0][0] - now_ms()) / 1000) if self._due else None
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
                    await asyncio.sleep(_TICK_SECONDS)
            except TimeoutError:
                pass
