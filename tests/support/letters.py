"""Dead letters for tests of operators: written to the topics in memory as workers write them."""

from __future__ import annotations

from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.records import DeadLetter, DeliveryRequested
from fakes.record_log import MemoryRecordLog


def request(message_id: str = "m-1", conversation_id: str = "c-1") -> DeliveryRequested:
    return DeliveryRequested(message_id, conversation_id, "u-1", "whatsapp:+5511999990000", "hi", None, 1, 1)


async def delivery_letter(
    log: MemoryRecordLog, message_id: str = "m-1", conversation_id: str = "c-1", reason: str = "expired"
) -> str:
    """Write the dead letter of a failed delivery; return its id."""
    value = encode(request(message_id, conversation_id))
    return await letter(log, "whatsapp-outbound", value, conversation_id.encode(), reason)


async def letter(
    log: MemoryRecordLog, topic: str, value: bytes | None, key: bytes = b"c-1", reason: str = "malformed-record"
) -> str:
    """Write a dead letter about a record of ``topic``; return its id."""
    partition = partition_for(key, log.partitions)
    made = DeadLetter(topic, partition, 17, reason, "what happened", key, value, log.now_ms, 3)
    return f"{partition}-{await log.write('dead-letters', partition, key, encode(made))}"
