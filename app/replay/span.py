"""Reads a span of several topics in the order of the brokers' times."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from heapq import heapify, heappop, heapreplace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.replay.entries import LogRecord
from app.settings import Settings
from domain.errors import LogUnavailable

MOST_AHEAD = 2_000  # records of a partition in memory
SILENCE_SECONDS = 15.0
FOLLOW_SECONDS = 0.5  # while following, so long nothing older than what is there is waited for
_POLL_MS = 200


@asynccontextmanager
async def open_consumer(settings: Settings) -> AsyncIterator[Any]:
    """Connect a consumer without a group: it commits nothing. Raises ``LogUnavailable``."""
    consumer = AIOKafkaConsumer(
        **kafka_options(settings),
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    finally:
        await consumer.stop()


async def known_partitions(consumer: Any) -> dict[str, list[int]]:
    """Return the partitions of every topic. The consumer's own metadata holds only the topics it was assigned."""
    cluster = await consumer._client.fetch_all_metadata()
    return {topic: sorted(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}


class Span:
    """The records of ``partitions`` with a time from ``since_ms`` to before ``until_ms`` (``None``: to their ends now).

    ``from_offset``: of each partition only the records from this offset on. ``follows``: it goes on with new records
    until it is cancelled.
    """

    def __init__(
        self,
        consumer: Any,
        partitions: Collection[TopicPartition],
        since_ms: int | None = None,
        until_ms: int | None = None,
        *,
        from_offset: int | None = None,
        follows: bool = False,
    ) -> None:
        self._consumer = consumer
        self._partitions = sorted(partitions)
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._from_offset = from_offset
        self._follows = follows
        self._ahead: dict[TopicPartition, deque[LogRecord]] = {tp: deque() for tp in self._partitions}
        self._ends: dict[TopicPartition, int] = {}
        self._open: set[TopicPartition] = set()
        self.read = 0
        self.total = 0

    async def records(self, progress: Callable[[int, int], None] | None = None) -> AsyncIterator[LogRecord]:
        """Yield the records, the oldest first; of one partition in the order of their offsets.

        ``progress`` gets the numbers of read and of all records now and then. Raises ``LogUnavailable`` if nothing
        comes for ``SILENCE_SECONDS``.
        """
        await self._begin()
        while self._open or any(self._ahead.values()):
            await self._fill()
            if progress is not None:
                progress(self.read, self.total)
            for record in self._ordered():
                yield record

    async def _begin(self) -> None:
        consumer = self._consumer
        consumer.assign(self._partitions)
        begins = await consumer.beginning_offsets(self._partitions)
        self._ends = dict(await consumer.end_offsets(self._partitions))
        starts: Mapping[TopicPartition, int] = begins
        if self._since_ms is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(self._partitions, self._since_ms))
            starts = {tp: self._ends[tp] if at is None else at.offset for tp, at in found.items()}
        if self._from_offset is not None:
            starts = {tp: max(starts[tp], self._from_offset) for tp in self._partitions}
        for tp in self._partitions:
            consumer.seek(tp, max(starts[tp], begins[tp]))
            if self._follows or starts[tp] < self._ends[tp]:
                self._open.add(tp)
        self.total = sum(max(0, self._ends[tp] - max(starts[tp], begins[tp])) for tp in self._partitions)

    async def _fill(self) -> None:
        """Read on, where less than ``MOST_AHEAD`` is in memory."""
        wanted = [tp for tp in self._open if len(self._ahead[tp]) < MOST_AHEAD]
        if not wanted:
            return
        seconds = FOLLOW_SECONDS if self._follows else SILENCE_SECONDS
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            batches = await self._consumer.getmany(*wanted, timeout_ms=_POLL_MS, max_records=MOST_AHEAD)
            for tp, records in batches.items():
                self._take(tp, records)
            await self._close_compacted(wanted)
            if batches or not self._open or asyncio.get_running_loop().time() >= deadline:
                break
        if not batches and self._open and not self._follows:
            stuck = next(iter(self._open))
            raise LogUnavailable(f"{stuck.topic}[{stuck.partition}]: nothing came for {seconds:g} s")

    def _take(self, tp: TopicPartition, records: list[Any]) -> None:
        for record in records:
            is_late = self._until_ms is not None and record.timestamp >= self._until_ms
            if (record.offset >= self._ends[tp] or is_late) and not self._follows:
                self._open.discard(tp)
                return
            self.read += 1
            self._ahead[tp].append(
                LogRecord(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value)
            )

    async def _close_compacted(self, wanted: list[TopicPartition]) -> None:
        """A partition is read once its position is at its end: the last offsets may be compacted away."""
        if self._follows:
            return
        for tp in wanted:
            if tp in self._open and await self._consumer.position(tp) >= self._ends[tp]:
                self._open.discard(tp)

    def _ordered(self) -> Iterator[LogRecord]:
        """Yield the records in memory, the oldest first, until an older one may still come."""
        if not self._follows and any(not self._ahead[tp] for tp in self._open):
            return
        heads = [
            (self._ahead[tp][0].timestamp_ms, tp.topic, tp.partition, tp) for tp in self._partitions if self._ahead[tp]
        ]
        heapify(heads)
        while heads:
            tp = heads[0][-1]
            records = self._ahead[tp]
            yield records.popleft()
            if records:
                heapreplace(heads, (records[0].timestamp_ms, tp.topic, tp.partition, tp))
            elif tp in self._open and not self._follows:
                return
            else:
                heappop(heads)
