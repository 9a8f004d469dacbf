"""Runs a function once Kafka has acknowledged some writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch


def when_durable(app: StreamApp, writes: Iterable[PendingBatch], then: Callable[[], None]) -> None:
    """Call ``then`` when all ``writes`` are acknowledged. A failed write ends the worker."""
    open_writes = set(writes)

    def acknowledged(write: PendingBatch, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            app.abort("a write of the deliveries", error)
            return
        open_writes.discard(write)
        if not open_writes:
            then()

    for write in tuple(open_writes):
        if write.future.done():
            acknowledged(write, write.future)
        else:
            write.future.add_done_callback(partial(acknowledged, write))
