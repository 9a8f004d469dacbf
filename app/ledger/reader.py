"""Follows the log and keeps the books: round after round, one consistent cut each (``domain/ledger.py``).

Memory: the open deliveries, and the rows of the queues. Beyond ``MOST_OPEN`` open deliveries the next messages are
passed over, which the balance says.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from app.audit import RowLoaders, check_topics
from app.kafka.address import kafka_options
from app.kafka.topics import Topics, group_of
from app.ledger.entries import PartitionBooks, position_of
from app.ledger.saved_books import load, save
from app.settings import Settings
from domain.errors import LogUnavailable
from domain.ledger import Balance, Books, total
from domain.recipients import CHANNELS

log = logging.getLogger(__name__)

MOST_OPEN = 1_000_000
SILENCE_MS = 15_000
Offsets = dict[TopicPartition, int]
_BATCH_RECORDS = 2_000
_REQUEST_TIMEOUT_MS = 15_000


class LedgerReader:
    """The books of all partitions. ``round`` brings them to the end of the log and returns the balance.

    ``file``: where they are saved. ``most_open``: the bound of the memory, in deliveries.
    """

    def __init__(
        self,
        settings: Settings,
        loaders: RowLoaders,
        consumer: Any,
        admin: Any,
        file: Path | None = None,
        most_open: int = MOST_OPEN,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._admin = admin
        self._file = file
        self._names = Topics(settings.topic_prefix)
        self._outbound = {channel: self._names.outbound(channel) for channel in CHANNELS}
        self._offsets: Offsets = {}
        self._partitions = {
            n: PartitionBooks(loaders, self._names.messages, Books(most_open // settings.partitions))
            for n in range(settings.partitions)
        }

    async def begin(self) -> None:
        """Go on from the saved books, if the log still has all that follows; else begin at the log's first records.

        Raises ``InvalidSetting`` if the topics are not as the settings say.
        """
        await check_topics(self._settings, self._admin)
        booked = [tp for n in range(self._settings.partitions) for tp in self._booked(n)]
        queues = [self._queue(channel, n) for channel in CHANNELS for n in range(self._settings.partitions)]
        outbound = [TopicPartition(topic, n) for topic in self._outbound.values() for n in self._partitions]
        self._consumer.assign([*booked, *queues, *outbound])
        self._consumer.pause(*booked, *queues, *outbound)  # one at a time: each holds a fetch in memory
        begins, ends = await self._consumer.beginning_offsets(booked), await self._consumer.end_offsets(booked)
        self._offsets = dict.fromkeys(queues, 0) | begins
        saved = load(self._file) if self._file is not None else None
        if saved is None:
            return
        offsets = {TopicPartition(*tp): offset for tp, offset in saved.offsets.items()}
        if set(offsets) != set(booked) or not all(begins[tp] <= offsets[tp] <= ends[tp] for tp in booked):
            log.warning("the saved ledger does not fit the log: the books begin anew")
            return
        self._offsets |= offsets
        for number, books in saved.books.items():
            books.most_open = self._partitions[number].books.most_open
            self._partitions[number].books = books

    async def round(self) -> Balance:
        """Book all that is in the log now, and return the balance over all partitions.

        Raises ``LogUnavailable``; the next round goes on.
        """
        committed = {role: await self._committed(role) for role in ("core", *CHANNELS)}
        return total([await self._round_of(number, committed) for number in self._partitions])

    def save(self) -> None:
        """Write the books to their file."""
        if self._file is not None:
            booked = {tp: n for n in self._partitions for tp in self._booked(n)}
            offsets = {(tp.topic, tp.partition): self._offsets[tp] for tp in booked}
            save(self._file, offsets, {number: each.books for number, each in self._partitions.items()})

    async def _round_of(self, number: int, committed: Mapping[str, Offsets]) -> Balance:
        """Take the cut of one partition number, in the order that ``domain/ledger.py`` asks for."""
        books, ends_of = self._partitions[number], self._consumer.end_offsets
        messages, facts, letters = self._booked(number)
        routed_to = committed["core"].get(messages, 0)
        queued_to = {}
        for channel in CHANNELS:
            requests = TopicPartition(self._outbound[channel], number)
            if (position := await self._queued_to(requests, committed[channel].get(requests, 0))) is not None:
                queued_to[channel] = position
        queues = {self._queue(channel, number): channel for channel in CHANNELS}
        queue_ends = await ends_of(list(queues))
        fact_ends = await ends_of([facts, letters])
        message_ends = await ends_of([messages])
        for tp, channel in queues.items():
            async for records in self._records(tp, queue_ends[tp]):
                books.add_rows(channel, records)
        async for records in self._records(messages, message_ends[messages]):
            books.add_messages(records)
        async for records in self._records(facts, fact_ends[facts]):
            books.add_facts(records)
        async for records in self._records(letters, fact_ends[letters]):
            books.add_letters(records, frozenset(self._outbound.values()))
        return books.balance(routed_to, queued_to)

    async def _queued_to(self, requests: TopicPartition, committed: int) -> int | None:
        """Return the message position from which requests may not be in the queue; ``None``: all before the commit of
        core are.
        """
        end = (await self._consumer.end_offsets([requests]))[requests]
        first = (await self._consumer.beginning_offsets([requests]))[requests]
        done = max(committed, first)
        if done >= end:
            return None
        with self._reading(requests, done):
            found = await self._fetch(requests, 1)
        return position_of(found[0].value) if found else 0

    async def _committed(self, role: str) -> Offsets:
        group = group_of(role, self._settings.topic_prefix)
        found = await self._admin.list_consumer_group_offsets(group)
        return {tp: meta.offset for tp, meta in found.items()}

    async def _records(self, tp: TopicPartition, end: int) -> AsyncIterator[Sequence[Any]]:
        """Yield the records from the place of the books up to ``end``, and move the place."""
        at = self._offsets[tp]
        if at >= end:
            return
        with self._reading(tp, at):
            while at < end:
                found = await self._fetch(tp, _BATCH_RECORDS)
                after = found[-1].offset + 1 if found else await self._consumer.position(tp)
                yield [record for record in found if record.offset < end]
                at = self._offsets[tp] = min(after, end)

    @contextmanager
    def _reading(self, tp: TopicPartition, offset: int) -> Iterator[None]:
        self._consumer.seek(tp, offset)
        self._consumer.resume(tp)
        try:
            yield
        finally:
            self._consumer.pause(tp)

    async def _fetch(self, tp: TopicPartition, most: int) -> Sequence[Any]:
        before = await self._consumer.position(tp)
        found = await self._consumer.getmany(tp, timeout_ms=SILENCE_MS, max_records=most)
        if not found and await self._consumer.position(tp) == before:
            raise LogUnavailable(f"{tp.topic}[{tp.partition}]: nothing came for {SILENCE_MS // 1000} s")
        records: Sequence[Any] = found.get(tp, ())
        return records

    def _booked(self, number: int) -> tuple[TopicPartition, TopicPartition, TopicPartition]:
        names = self._names
        topics = names.messages, names.status_updates, names.dead_letters
        return tuple(TopicPartition(topic, number) for topic in topics)

    def _queue(self, channel: str, number: int) -> TopicPartition:
        return TopicPartition(self._names.changelog(channel, "queue"), number)


@asynccontextmanager
async def open_reader(settings: Settings, loaders: RowLoaders, file: Path | None = None) -> AsyncIterator[LedgerReader]:
    """Connect, and begin. Raises ``LogUnavailable``, and ``InvalidSetting`` as ``LedgerReader.begin`` does."""
    consumer = AIOKafkaConsumer(
        **kafka_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await consumer.start()
        await admin.start()
        reader = LedgerReader(settings, loaders, consumer, admin, file)
        await reader.begin()
        yield reader
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    finally:
        await consumer.stop()
        await admin.close()
