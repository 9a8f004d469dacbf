"""Dead letters for tests of operators, written as workers write them."""

from __future__ import annotations

import time

from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from domain.records import DeadLetter, DeliveryRequested
from web.admin.record_log import RecordLog

PARTITIONS = 6


def request(message_id: str = "m-1", conversation_id: str = "c-1") -> DeliveryRequested:
    return DeliveryRequested(message_id, conversation_id, "u-1", "whatsapp:+5511999990000", "hi", None, 1, 1)


async def delivery_letter(
    log: RecordLog,
    message_id: str = "m-1",
    conversation_id: str = "c-1",
    reason: str = "expired",
    *,
    topics: Topics | None = None,
    partitions: int = PARTITIONS,
) -> str:
    """Write the dead letter of a failed delivery; return its id."""
    topics = topics or Topics()
    value = encode(request(message_id, conversation_id))
    key = conversation_id.encode()
    return await letter(log, topics.outbound("whatsapp"), value, key, reason, topics=topics, partitions=partitions)


async def letter(
    log: RecordLog,
    topic: str,
    value: bytes | None,
    key: bytes = b"c-1",
    reason: str = "malformed-record",
    *,
    topics: Topics | None = None,
    partitions: int = PARTITIONS,
) -> str:
    """Write a dead letter about a record of ``topic``; return its id."""
    partition = partition_for(key, partitions)
    made = DeadLetter(topic, partition, 17, reason, "what happened", key, value, time.time_ns() // 1_000_000, 3)
    offset = await log.write((topics or Topics()).dead_letters, partition, key, encode(made))
    return f"{partition}-{offset}"
