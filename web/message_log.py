"""The log for writing, over the outbox that every process shares its batches in."""

from __future__ import annotations

from collections.abc import Mapping

from app.codec import encode
from app.outbox import Outbox, partition_for
from app.topics import Topics
from domain.ports import Appended, Place
from domain.records import MessageAccepted, StatusChanged


class KafkaMessageLog:
    """``MessageLog`` over an ``Outbox``. The topic of messages carries the broker's append time."""

    def __init__(self, outbox: Outbox, topics: Topics, partitions: int) -> None:
        self._outbox = outbox
        self._messages = topics.messages
        self._statuses = topics.status_updates
        self._partitions = partitions

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        """Return once every in-sync replica has the record. Raises ``LogUnavailable`` after the outbox's time-out."""
        key = message.conversation_id.encode()
        partition = partition_for(key, self._partitions)
        written = await self._outbox.send(self._messages, partition, key, encode(message), list(headers.items()))
        return Appended(Place(written.timestamp_ms, written.offset), partition)

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        """Return once every in-sync replica has the fact. Raises ``LogUnavailable`` after the outbox's time-out."""
        key = change.conversation_id.encode()
        partition = partition_for(key, self._partitions)
        await self._outbox.send(self._statuses, partition, key, encode(change), list(headers.items()))
