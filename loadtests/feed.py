"""Writes messages to the log as the API does, at a rate. So the API's processor time is the system's."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.pending_batches import PendingBatch
from app.kafka.topics import Topics
from app.settings import Settings
from domain.records import MessageAccepted

_UNCONFIRMED = 64  # batches


@dataclass(frozen=True, slots=True)
class Order:
    """One message to be written. ``sequence``: its place in its conversation, from 1."""

    message_id: str
    conversation_id: str
    recipient_id: str
    account: str
    sequence: int


async def feed(
    settings: Settings, orders: Iterable[Order], per_second: float, sender_id: str = "u-1", seed: int = 1
) -> dict[str, int]:
    """Write ``orders`` at random times, ``per_second`` on average; return when Kafka has them all.

    Returns when each message was written: id → epoch milliseconds.
    """
    chance = random.Random(f"{seed} feed")
    topic = Topics(settings.topic_prefix).messages
    batch_producer = BatchProducer(settings.kafka, client_id="feed")
    await batch_producer.start()
    clock = asyncio.get_running_loop().time
    writes: dict[PendingBatch, None] = {}
    written_ms: dict[str, int] = {}
    try:
        due = clock()
        for number, order in enumerate(orders):
            due += chance.expovariate(per_second)
            if (wait_seconds := due - clock()) > 0:
                await asyncio.sleep(wait_seconds)
            elif not number % 64:
                await asyncio.sleep(0)
            message = MessageAccepted(
                order.message_id,
                order.conversation_id,
                sender_id,
                order.recipient_id,
                f"message {order.sequence} of its conversation",
                account=order.account,
            )
            key = order.conversation_id.encode()
            partition = partition_for(key, settings.partitions)
            written_ms[order.message_id] = time.time_ns() // 1_000_000
            writes[batch_producer.enqueue(topic, partition, key, encode(message))] = None
            while len(writes) > _UNCONFIRMED:
                write = next(iter(writes))
                await write
                del writes[write]
        for write in writes:
            await write
    finally:
        await batch_producer.stop()
    return written_ms
