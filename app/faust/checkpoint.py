"""Completes a batch once all its effects are durable. Faust itself acks an event when its agent moves on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import time_ns
from typing import TYPE_CHECKING

from app.fault_points import reach

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch


class Checkpoint:
    """Completes batches once all their effects are durable, and bounds the number of batches waiting for it."""

    def __init__(self, app: StreamApp, agent: str, most: int = 32) -> None:
        self._app = app
        self._agent = agent
        self._slots = asyncio.Semaphore(most)
        self._tasks: set[asyncio.Task[None]] = set()
        app.on_drain(self.drain)

    async def when_durable(self, batch: RecordBatch, writes: Iterable[PendingBatch]) -> None:
        """Complete ``batch`` when all ``writes`` are acknowledged. Waits only while too many batches are on
        their way.
        """
        began_ns = 0 if self._app.tracing is None else time_ns()
        await self._slots.acquire()
        task = asyncio.get_running_loop().create_task(self._complete(batch, list(writes), began_ns))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _complete(self, batch: RecordBatch, writes: list[PendingBatch], began_ns: int) -> None:
        try:
            for write in writes:
                await write
            reach("effects-durable")
            if self._app.consumer.is_current(batch):  # else it comes again
                self._app.consumer.complete(batch)
                self._app.metrics.completed(self._agent, batch.records)
                if self._app.tracing is not None:
                    self._app.tracing.batch(self._agent, batch.records, began_ns)
        except Exception as error:  # noqa: BLE001  not durable: the worker must not go on
            self._app.abort(f"agent {self._agent}", error)
        finally:
            self._slots.release()

    async def drain(self) -> None:
        while self._tasks:  # the agent may hold one more batch, for which there was no slot
            await asyncio.wait(self._tasks)
