"""Read ranges of offsets from Kafka for a replay, without a consumer group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.kafka.topics import Topics
from app.settings import Settings
from domain.errors import LogUnavailable

READ_SECONDS = 10.0
_BATCH_RECORDS = 500
_FETCH_WAIT_MS = 10
_REQUEST_TIMEOUT_MS = 5_000

# log_index -> the first offset and the one after the last
Ranges = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One raw log record."""

    log_index: int
    offset: int
    timestamp_ms: int
    value: bytes | None


class LogReader(Protocol):
    """Reads the log during a replay. Every method may raise ``LogUnavailable``."""

    async def first_offsets(self, log_indexes: Sequence[int]) -> Mapping[int, int]:
        """Return the oldest available offset of each partition."""
        ...

    async def end_offsets(self, log_indexes: Sequence[int]) -> Mapping[int, int]:
        """Return the offset of each partition's next record."""
        ...

    def read(self, ranges: Ranges) -> AsyncIterator[list[Entry]]:
        """Yield the records of all ranges, in order within each partition; never an empty list."""
        ...


class KafkaLogReader:
    """``LogReader`` over its own consumer."""

    def __init__(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._log_index_of = {tp: log_index for log_index, tp in enumerate(partitions)}

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[KafkaLogReader]:
        """Connect. Raises ``LogUnavailable``."""
        names = Topics(settings.topic_prefix)
        partitions = [
            TopicPartition(topic, n)
            for topic in (names.messages, names.status_updates)
            for n in range(settings.partitions)
        ]
        consumer = AIOKafkaConsumer(
            **kafka_options(settings),
            client_id="chat4all-api-replay",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        try:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await consumer.start()
            except (KafkaError, OSError, TimeoutError) as error:
                raise LogUnavailable(f"missed events cannot be read: {error!r}") from error
            yield cls(consumer, partitions)
        finally:
            await consumer.stop()

    async def first_offsets(self, log_indexes: Sequence[int]) -> Mapping[int, int]:
        """Return the oldest available offset of each partition."""
        return await self._offsets(self._consumer.beginning_offsets, log_indexes)

    async def end_offsets(self, log_indexes: Sequence[int]) -> Mapping[int, int]:
        """Return the offset of each partition's next record."""
        return await self._offsets(self._consumer.end_offsets, log_indexes)

    async def _offsets(self, ask: Any, log_indexes: Sequence[int]) -> Mapping[int, int]:
        try:
            found = await ask([self._partitions[log_index] for log_index in log_indexes])
        except KafkaError as error:
            raise LogUnavailable(f"missed events cannot be read: {error!r}") from error
        return {self._log_index_of[tp]: offset for tp, offset in found.items()}

    async def read(self, ranges: Ranges) -> AsyncIterator[list[Entry]]:
        """Yield the records of all ranges, in order within each partition."""
        missing = {self._partitions[log_index]: stop for log_index, (first, stop) in ranges.items() if first < stop}
        if not missing:
            return
        try:
            self._consumer.assign(list(missing))
            for tp in missing:
                self._consumer.seek(tp, ranges[self._log_index_of[tp]][0])
            async with asyncio.timeout(READ_SECONDS):
                while missing:
                    batches = await self._consumer.getmany(timeout_ms=1_000, max_records=_BATCH_RECORDS)
                    for tp, records in batches.items():
                        if tp not in missing:
                            continue
                        stop, log_index = missing[tp], self._log_index_of[tp]
                        if entries := [
                            Entry(log_index, r.offset, r.timestamp, r.value) for r in records if r.offset < stop
                        ]:
                            yield entries
                        if records[-1].offset + 1 >= stop:
                            del missing[tp]
                            self._consumer.pause(tp)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"missed events cannot be read: {error!r}") from error
