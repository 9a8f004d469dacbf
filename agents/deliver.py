"""``deliver_<channel>`` (one for each channel role): sends messages to the channel, thousands concurrently.

Within a conversation a message is sent only when the one before it has its outcome. Each message is a task; a batch is
completed when all its messages are done, including the receipts seen by this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agents.attachments import Attachments
from agents.dispatcher import Dispatcher
from app.clock import now_ms
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode
from app.worker_files import FilesOfWorker
from channels import make_connector
from channels.simulated import Simulation
from domain.errors import InvalidInput
from domain.records import DeliveryRequested
from tables import attempts

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.batch_producer import PendingBatch


def register(app: StreamApp) -> None:
    channel, settings = app.role, app.settings
    simulation = Simulation(settings.simulated_delivered_seconds, settings.simulated_read_seconds)
    connector = make_connector(channel, simulation)
    attachments = Attachments(app, connector, FilesOfWorker.of(app).open)
    dispatcher = Dispatcher(app, connector, attempts.declare(app), attachments)

    @app.batch_agent(f"deliver_{channel}", app.names.outbound(channel), help=f"hands messages to {channel}")
    async def deliver(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await deliver_batch(app, dispatcher, batch)


async def deliver_batch(app: StreamApp, dispatcher: Dispatcher, batch: RecordBatch) -> None:
    """Start a delivery for each request of ``batch``; wait only while too many are in hand."""
    writes: set[PendingBatch] = set()
    tasks: list[asyncio.Task[None]] = []
    for record in batch.records:
        try:
            request = decode(record.value, DeliveryRequested)
        except InvalidInput as error:
            writes.add(dead_letter(app, batch, record, error, now_ms()))
            continue
        task = await dispatcher.start(batch, record.offset, record.key, request, record.headers, writes)
        if task is None:
            return  # the partition is going away; the whole batch will be delivered again
        tasks.append(task)
    dispatcher.finish(batch, tasks, writes)


__all__: Sequence[str] = ("deliver_batch", "register")
