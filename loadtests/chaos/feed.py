"""Writes messages to the log as the API does, at a rate. So the API's processor time is the system's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from app.kafka.batch_producer import BatchProducer, PendingBatch
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from app.settings import Settings
from domain.records import MessageAccepted
from loadtests.chaos.plan import Order

_UNCONFIRMED = 64  # batches


async def feed(settings: Settings, orders: Sequence[Order], per_second: float, sender_id: str, seed: int) -> None:
    """Write ``orders`` at random times, ``per_second`` on average; return when Kafka has them all."""
    chance = random.Random(f"{seed} feed")
    topic = Topics(settings.topic_prefix).messages
    batch_producer = BatchProducer(settings.kafka, client_id="chaos")
    await batch_producer.start()
    clock = asyncio.get_running_loop().time
    writes: dict[PendingBatch, None] = {}
    try:
        due = clock()
        for order in orders:
            due += chance.expovariate(per_second)
            if (wait_seconds := due - clock()) > 0:
                await asyncio.sleep(wait_seconds)
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
            writes[batch_producer.enqueue(topic, partition, key, encode(message))] = None
            while len(writes) > _UNCONFIRMED:
                write = next(iter(writes))
                await write
                del writes[write]
        for write in writes:
            await write
    finally:
        await batch_producer.stop()
