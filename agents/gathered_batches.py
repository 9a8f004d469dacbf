"""Gathers batches of all partitions, so that a store is asked for few large writes in place of many small ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp

MOST_RECORDS = 2_000


class GatheredBatches:
    """``store`` gets the batches of ``mirror_linger_seconds`` at once, in the order in which they came.

    While it works, the next ones gather; ``add`` waits while there are ``MOST_RECORDS``.
    """

    def __init__(self, app: StreamApp, agent: str, store: Callable[[Sequence[RecordBatch]], Awaitable[None]]) -> None:
        self._app = app
        self._agent = agent
        self._store = store
        self._batches: list[RecordBatch] = []
        self._count = 0
        self._room = asyncio.Event()
        self._room.set()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        app.on_drain(self.drain)

    async def add(self, batch: RecordBatch) -> None:
        """Take a batch; wait while there are too many."""
        await self._room.wait()
        self._batches.append(batch)
        self._count += len(batch.records)
        if self._count >= MOST_RECORDS:
            self._room.clear()
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def drain(self) -> None:
        """Store the gathered batches, unless the store is away: then it will be delivered again."""
        self._hurry.set()
        if self._app.blocked_on is None and self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        self._take()

    def _take(self) -> list[RecordBatch]:
        batches, self._batches, self._count = self._batches, [], 0
        self._hurry.clear()
        self._room.set()
        return batches

    async def _run(self) -> None:
        try:
            while self._batches:
                try:
                    async with asyncio.timeout(self._app.settings.mirror_linger_seconds):
                        await self._hurry.wait()
                except TimeoutError:
                    pass
                current = [batch for batch in self._take() if self._app.consumer.is_current(batch)]
                if current:
                    await self._store(current)
        except Exception as error:  # noqa: BLE001
            self._app.abort(f"agent {self._agent}", error)
