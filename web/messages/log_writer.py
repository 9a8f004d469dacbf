"""The log for writing, over the process's shared batch producer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.pending_batches import Written
from app.kafka.topics import Topics
from domain.errors import InDoubt, MayBeAccepted
from domain.ports import Appended, LogPosition
from domain.records import MessageAccepted, StatusChanged


class KafkaMessageLog:
    """``MessageLog`` over a ``BatchProducer``. The topic of messages carries the broker's append time."""

    def __init__(self, batch_producer: BatchProducer, topics: Topics, partitions: int) -> None:
        self._batch_producer = batch_producer
        self._messages = topics.messages
        self._statuses = topics.status_updates
        self._partitions = partitions
        self._pending: set[str] = set()

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        """Return once every in-sync replica has the record. Raises ``LogUnavailable`` after the batch producer's
        time-out, ``MayBeAccepted`` if the record may have been written all the same.
        """
        key = message.conversation_id.encode()
        partition = partition_for(key, self._partitions)
        try:
            written = await self._batch_producer.send_and_wait(
                self._messages,
                partition,
                key,
                encode(message),
                list(headers.items()),
                partial(self._wait_for, message.message_id),
            )
        except InDoubt as error:
            raise MayBeAccepted(message.message_id) from error
        return Appended(LogPosition(written.timestamp_ms, written.offset), partition)

    def is_pending(self, message_id: str) -> bool:
        """Return whether a message answered with an error is still in flight, so it may yet be written."""
        return message_id in self._pending

    def _wait_for(self, message_id: str, decided: asyncio.Future[Written]) -> None:
        # bounded as the batch producer is: what is on its way counts there until the broker has decided
        self._pending.add(message_id)
        decided.add_done_callback(lambda _: self._pending.discard(message_id))

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        """Return once every in-sync replica has the fact. Raises ``LogUnavailable`` after the batch producer's
        time-out.
        """
        key = change.conversation_id.encode()
        partition = partition_for(key, self._partitions)
        await self._batch_producer.send_and_wait(self._statuses, partition, key, encode(change), list(headers.items()))
