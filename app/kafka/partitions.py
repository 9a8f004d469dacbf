"""The partition of a conversation, computed as every Kafka client does."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of ``key``, as every Kafka client computes it by default (murmur2)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def partition_by(partitions: int) -> Callable[[str], int]:
    """Return a function from a conversation's id to its partition."""
    return lambda conversation_id: partition_for(conversation_id.encode(), partitions)
