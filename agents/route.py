"""``route`` (role core): sends every accepted message to the topics of its recipients' channels, and its ACCEPTED fact
to the log. Internal recipients have it then, so it is SENT for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.clock import now_ms
from app.faust.checkpoint import Checkpoint
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode, encode
from domain import routing
from domain.errors import InvalidInput
from domain.ports import LogPosition
from domain.records import MessageAccepted

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

# A message of 10 KiB to 256 people is 2.5 MiB of requests, and a batch holds 500 messages: so it waits for what it
# wrote now and then, well before the producer refuses.
MAX_PENDING_BYTES = 32 * 1024 * 1024


def register(app: StreamApp) -> None:
    checkpoint = Checkpoint(app, "route")

    @app.batch_agent("route", app.names.messages, help="messages → <channel>-outbound")
    async def route(stream: Any) -> None:
        async for batch in stream:
            await checkpoint.when_durable(batch, await route_batch(app, batch))


async def route_batch(app: StreamApp, batch: RecordBatch) -> set[PendingBatch]:
    """Queue the requests and facts of each record of ``messages``; return their batches.

    Waits only while more than ``MAX_PENDING_BYTES`` are on their way to Kafka.
    """
    writes: set[PendingBatch] = set()
    enqueue, partition = app.batch_producer.enqueue, batch.partition
    for record in batch.records:
        try:
            message = decode(record.value, MessageAccepted)
        except InvalidInput as error:
            writes.add(dead_letter(app, batch, record, error, now_ms()))
            continue
        if message.recipients and app.batch_producer.pending_bytes > MAX_PENDING_BYTES:
            for write in writes:
                await write
        routed = routing.decide(message, LogPosition(record.timestamp, record.offset))
        key, headers = record.key, record.headers
        for channel, request in routed.requests:
            writes.add(enqueue(app.names.outbound(channel), partition, key, encode(request), headers))
        for fact in routed.facts:
            writes.add(enqueue(app.names.status_updates, partition, key, encode(fact), headers))
        if routed.refused is not None:
            writes.add(dead_letter(app, batch, record, routed.refused, now_ms()))
    return writes
