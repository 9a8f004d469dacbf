"""The state of a message at a past moment: Cassandra's facts, and those of the log that the mirror has yet to write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from aiohttp import web
from aiokafka.errors import KafkaError

from app.kafka.codec import decode
from app.kafka.partitions import partition_for
from domain.errors import InvalidInput, NotFound, Unavailable
from domain.fact_times import plausible
from domain.past_states import Moment
from domain.ports import MessageReader, StoredMessage
from domain.records import StatusChanged
from domain.status import Fact, Status, fact_in
from web.admin.record_log import RecordLog, RecordReader

READ_SECONDS = 2.0
MOST_RECORDS = 20_000  # of one partition, not mirrored yet
_WORDS = frozenset(Status)


class PastMessages:
    """``mirrored`` returns the committed offsets of ``messages`` and ``status-updates``, by partition: what lies
    before them is in ``reader``.
    """

    def __init__(
        self,
        reader: MessageReader,
        log: RecordLog,
        mirrored: Callable[[], Awaitable[tuple[Mapping[int, int], Mapping[int, int]]]],
        status_updates: str,
        partitions: int,
    ) -> None:
        self._reader = reader
        self._log = log
        self._mirrored = mirrored
        self._topic = status_updates
        self._partitions = partitions

    async def at(self, found: StoredMessage, moment: Moment) -> StoredMessage:
        """Return the message with its state at ``moment``.

        Raises ``NotFound`` if it was not accepted by then, ``Unavailable`` while a view that may hold a fact of it
        cannot be read.
        """
        accepted_at_ms = found.position.accepted_at_ms
        if not moment.has_accepted(accepted_at_ms):
            raise NotFound("there was no such message at that time")
        try:
            async with asyncio.timeout(READ_SECONDS):
                facts = await self._facts(found.message.message_id, found.message.conversation_id)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable("the history of this message cannot be read right now; retry") from error
        return replace(found, state=moment.state(accepted_at_ms, facts))

    async def _facts(self, message_id: str, conversation_id: str) -> list[Fact]:
        partition = partition_for(conversation_id.encode(), self._partitions)
        async with self._log.reading() as reader:
            # the offsets before the rows: what is mirrored between the two is in both
            _, facts_mirrored = await self._mirrored()
            stored = await self._reader.facts(message_id)
            return [*stored, *await self._unmirrored(reader, partition, facts_mirrored.get(partition, 0), message_id)]

    async def _unmirrored(self, reader: RecordReader, partition: int, start: int, message_id: str) -> list[Fact]:
        first, stop = (await reader.ranges(self._topic))[partition]
        if stop - start > MOST_RECORDS or first > start:
            raise Unavailable("the history is too far behind the log to tell; retry", 30)
        needle, found = message_id.encode(), []
        async with aclosing(reader.read(self._topic, {partition: (start, stop)})) as records:
            async for record in records:
                if record.value is not None and needle in record.value:
                    fact = _fact_in(record.value, record.timestamp_ms, message_id)
                    found += [] if fact is None else [fact]
        return found


def _fact_in(value: bytes, logged_ms: int, message_id: str) -> Fact | None:
    try:
        change = plausible(decode(value, StatusChanged), logged_ms)
    except (InvalidInput, ValueError):
        return None
    return fact_in(change, logged_ms) if change.message_id == message_id and change.status in _WORDS else None


PAST_MESSAGES = web.AppKey("past_messages", PastMessages)
