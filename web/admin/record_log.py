"""Read ranges of a topic and write single records, for operators. There is no consumer group."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.kafka.batch_producer import BatchProducer
from app.kafka.pending_batches import Headers
from app.settings import Settings
from domain.errors import LogUnavailable

READ_SECONDS = 8.0  # of one request; shorter than the process takes to stop
READERS = 4  # at the same time, each with up to 1 MiB a partition in memory
_BATCH_RECORDS = 500
_FETCH_WAIT_MS = 10
_REQUEST_TIMEOUT_MS = 5_000
_GIVE_WAY_RECORDS = 100

# partition → the first offset and the one after the last
Ranges = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it is on its topic. ``timestamp_ms``: the broker's append time."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class RecordReader(Protocol):
    """One connection for reading. Every method may raise ``LogUnavailable``."""

    async def ranges(self, topic: str, since_ms: int | None = None, until_ms: int | None = None) -> Ranges:
        """Return the offsets of each partition: of the records appended from ``since_ms`` to ``until_ms``, both
        included."""
        ...

    def read(self, topic: str, ranges: Ranges) -> AsyncGenerator[LogRecord, None]:
        """Yield the records of all ranges, the oldest first; in a partition always by offset."""
        ...


class RecordLog(Protocol):
    """The topics, for operators."""

    def reading(self) -> AbstractAsyncContextManager[RecordReader]:
        """Connect. Raises ``LogUnavailable``."""
        ...

    async def write(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        """Return the record's offset once every in-sync replica has it. Raises ``LogUnavailable``, ``InDoubt``.

        Records of one partition keep the order of the calls.
        """
        ...


class KafkaRecordLog:
    """``RecordLog`` on Kafka: a consumer for each reading, and the process's batch producer."""

    def __init__(self, settings: Settings, batch_producer: BatchProducer) -> None:
        self._settings = settings
        self._batch_producer = batch_producer
        self._slots = asyncio.Semaphore(READERS)

    async def write(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        """Return the record's offset once every in-sync replica has it."""
        return (await self._batch_producer.send_and_wait(topic, partition, key, value, headers)).offset

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[KafkaRecordReader]:
        """Connect, when fewer than ``READERS`` are connected."""
        deadline = asyncio.get_running_loop().time() + READ_SECONDS
        with _unavailable():
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        consumer = AIOKafkaConsumer(
            **kafka_options(self._settings),
            client_id="chat4all-api-operator",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        try:
            with _unavailable():
                async with asyncio.timeout_at(deadline):
                    await consumer.start()
            yield KafkaRecordReader(consumer, self._settings.partitions, deadline)
        finally:
            self._slots.release()
            await consumer.stop()


class KafkaRecordReader:
    """``RecordReader`` over a consumer of its own. After ``deadline`` (of the loop's clock) it reads no more."""

    def __init__(self, consumer: Any, partitions: int, deadline: float) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._deadline = deadline

    async def ranges(self, topic: str, since_ms: int | None = None, until_ms: int | None = None) -> Ranges:
        """Return the offsets of the records appended from ``since_ms`` to ``until_ms``."""
        tps = [TopicPartition(topic, n) for n in range(self._partitions)]
        with _unavailable():
            async with asyncio.timeout_at(self._deadline):
                firsts = dict(await self._consumer.beginning_offsets(tps))
                stops = dict(await self._consumer.end_offsets(tps))
                if since_ms is not None:
                    for tp, offset in (await self._at(tps, since_ms)).items():
                        firsts[tp] = stops[tp] if offset is None else offset
                if until_ms is not None:
                    found = await self._at(tps, until_ms + 1)
                    stops |= {tp: offset for tp, offset in found.items() if offset is not None}
        return {tp.partition: (firsts[tp], max(firsts[tp], stops[tp])) for tp in tps}

    async def _at(self, tps: list[TopicPartition], time_ms: int) -> Mapping[TopicPartition, int | None]:
        """Return the offset of the first record appended at or after ``time_ms``, ``None`` if there is none."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(tps, max(0, time_ms)))
        return {tp: None if found.get(tp) is None else found[tp].offset for tp in tps}

    async def read(self, topic: str, ranges: Ranges) -> AsyncGenerator[LogRecord, None]:
        """Yield the records of all ranges, the oldest first."""
        stops = {TopicPartition(topic, n): stop for n, (first, stop) in ranges.items() if first < stop}
        if not stops:
            return
        self._consumer.assign(list(stops))
        for tp in stops:
            self._consumer.seek(tp, ranges[tp.partition][0])
        waiting: dict[TopicPartition, deque[LogRecord]] = {tp: deque() for tp in stops}
        unread, count = set(stops), 0
        while True:
            if starved := [tp for tp in unread if not waiting[tp]]:
                await self._fetch(starved, stops, waiting, unread)
                continue
            ready = [queue for queue in waiting.values() if queue]
            if not ready:
                return
            yield min(ready, key=_append_order).popleft()
            count += 1
            if count % _GIVE_WAY_RECORDS == 0:
                await asyncio.sleep(0)

    async def _fetch(
        self,
        starved: list[TopicPartition],
        stops: Mapping[TopicPartition, int],
        waiting: Mapping[TopicPartition, deque[LogRecord]],
        unread: set[TopicPartition],
    ) -> None:
        """Fetch the next records of ``starved``; remove the partitions without more from ``unread``."""
        with _unavailable():
            async with asyncio.timeout_at(self._deadline):
                batches = await self._consumer.getmany(*starved, timeout_ms=1_000, max_records=_BATCH_RECORDS)
        for tp, records in batches.items():
            waiting[tp].extend(
                LogRecord(tp.partition, r.offset, r.timestamp, r.key, r.value) for r in records if r.offset < stops[tp]
            )
            if records[-1].offset + 1 >= stops[tp]:
                unread.discard(tp)


def _append_order(queue: deque[LogRecord]) -> tuple[int, int]:
    return queue[0].timestamp_ms, queue[0].partition


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(f"the log cannot be read: {error!r}") from error
