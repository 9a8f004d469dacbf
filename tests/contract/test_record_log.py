"""The topics as operators read and write them: the fake and Kafka answer alike."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from app.kafka.batch_producer import BatchProducer
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics
from app.settings import Settings
from domain.errors import LogUnavailable
from fakes.record_log import MemoryRecordLog
from support.letters import delivery_letter
from web.admin.dead_letters import DeadLetters
from web.admin.letters import LetterFilter
from web.admin.record_log import KafkaRecordLog, LogRecord, RecordLog
from web.admin.redrive import Order
from web.admin.resolutions import REDRIVEN

PARTITIONS = 3
FOREVER_MS = 365 * 86_400_000


@dataclass
class Target:
    """A log with topics of its own."""

    log: RecordLog
    topics: Topics

    async def records(self, topic: str, since_ms: int | None = None, until_ms: int | None = None) -> list[LogRecord]:
        async with self.log.reading() as reader:
            ranges = await reader.ranges(topic, since_ms, until_ms)
            return [record async for record in reader.read(topic, ranges)]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.real)])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    if request.param == "memory":
        yield Target(MemoryRecordLog(PARTITIONS), Topics())
        return
    stack: Any = request.getfixturevalue("stack")
    settings = Settings(kafka=stack.kafka_bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=PARTITIONS)
    await ensure_topics(settings)
    batch_producer = BatchProducer(settings.kafka, client_id="test")
    await batch_producer.start()
    yield Target(KafkaRecordLog(settings, batch_producer), Topics(settings.topic_prefix))
    await batch_producer.stop()


async def test_an_empty_topic_has_empty_ranges_and_no_records(target: Target) -> None:
    async with target.log.reading() as reader:
        assert await reader.ranges(target.topics.dead_letters) == dict.fromkeys(range(PARTITIONS), (0, 0))
        assert await reader.ranges(target.topics.dead_letters, 1, 2) == dict.fromkeys(range(PARTITIONS), (0, 0))
    assert await target.records(target.topics.dead_letters) == []


async def test_records_come_oldest_first_and_in_order_within_a_partition(target: Target) -> None:
    topic = target.topics.dead_letters
    written = []
    for number in range(40):
        partition = number * 7 % PARTITIONS
        offset = await target.log.write(topic, partition, b"k%d" % number, b"%d" % number)
        written.append((partition, offset))
        if isinstance(target.log, MemoryRecordLog):
            target.log.now_ms += 1
    found = await target.records(topic)
    assert sorted((record.partition, record.offset) for record in found) == sorted(written)
    times = [record.timestamp_ms for record in found]
    assert times == sorted(times)
    for partition in range(PARTITIONS):
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == sorted(offsets)
    assert {record.key: record.value for record in found}[b"k7"] == b"7"


async def test_many_records_are_all_read_and_a_reader_may_stop_early(target: Target) -> None:
    topic = target.topics.dead_letters
    await asyncio.gather(*(target.log.write(topic, n % PARTITIONS, None, b"%d" % n) for n in range(2_000)))
    assert len(await target.records(topic)) == 2_000
    async with target.log.reading() as reader:
        ranges = await reader.ranges(topic)
        async with aclosing(reader.read(topic, ranges)) as records:
            async for record in records:
                assert record.offset == 0
                break
        ends = {n: (stop - 2, stop) for n, (_, stop) in ranges.items()}
        assert len([record async for record in reader.read(topic, ends)]) == 2 * PARTITIONS


async def test_ranges_can_be_narrowed_by_the_append_time(target: Target) -> None:
    topic = target.topics.dead_letters
    for number in range(3):
        await target.log.write(topic, 0, None, b"%d" % number)
        if isinstance(target.log, MemoryRecordLog):
            target.log.now_ms += 10
    times = [record.timestamp_ms for record in await target.records(topic)]
    assert b"2" in [record.value for record in await target.records(topic, since_ms=times[-1])]
    assert b"0" in [record.value for record in await target.records(topic, until_ms=times[0])]
    assert await target.records(topic, since_ms=times[-1] + FOREVER_MS) == []
    assert await target.records(topic, until_ms=times[0] - FOREVER_MS) == []
    assert len(await target.records(topic, times[0] - FOREVER_MS, times[-1] + FOREVER_MS)) == 3


async def test_a_record_of_the_largest_dead_letter_fits(target: Target) -> None:
    value = b"x" * (3 << 20)
    await target.log.write(target.topics.dead_letters, 1, None, value)
    [record] = await target.records(target.topics.dead_letters)
    assert record.value == value


async def test_a_set_is_redriven_once_by_two_processes(target: Target) -> None:
    for number in range(30):
        await delivery_letter(target.log, f"m-{number}", f"c-{number % 5}", topics=target.topics, partitions=PARTITIONS)
    processes = [
        DeadLetters(
            log=target.log,
            topics=target.topics,
            partitions=PARTITIONS,
            outcome_ms=FOREVER_MS * 10,
            clock_ms=lambda: time.time_ns() // 1_000_000,
        )
        for _ in range(2)
    ]
    order = Order("maria")
    results = await asyncio.gather(
        *(one.resolve_page(LetterFilter(), REDRIVEN, order, rest=None, dry_run=False) for one in processes)
    )
    assert sum(len(result.resolved) for result, _ in results) == 30
    commands = await target.records(target.topics.commands("whatsapp"))
    assert len(commands) == 30
    page = await processes[0].page(LetterFilter(), state=REDRIVEN, limit=100)
    assert len(page.letters) == 30
    assert all(resolution is not None and resolution.is_done for _, resolution in page.letters)


@pytest.mark.real
async def test_without_kafka_it_is_an_error_within_the_bound() -> None:
    settings = Settings(kafka="127.0.0.1:1", partitions=PARTITIONS)
    log = KafkaRecordLog(settings, BatchProducer(settings.kafka, client_id="test"))
    with pytest.raises(LogUnavailable):
        async with log.reading():
            raise AssertionError("there is no Kafka at this port")
    with pytest.raises(LogUnavailable):
        await log.write("dead-letters", 0, None, b"")
