"""What reads the log again for those who resume: the fake and Kafka answer alike."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.kafka.batch_producer import BatchProducer
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics
from app.settings import Settings
from domain.errors import LogUnavailable
from support.live_log import LiveLog
from web.live.log_reader import KafkaLogReader, LogReader

PARTITIONS = 2
# log_index 1 is partition 1 of messages, log_index 2 partition 0 of status-updates
COUNTS = {1: 1_200, 2: 30}


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.real)])
async def log_reader(request: pytest.FixtureRequest) -> AsyncIterator[LogReader]:
    if request.param == "memory":
        log = LiveLog(PARTITIONS)
        for log_index, count in COUNTS.items():
            for number in range(count):
                log.raw(log_index, b"%d" % number)
        async with log.open() as reader:
            yield reader
        return
    stack: Any = request.getfixturevalue("stack")
    settings = Settings(kafka=stack.kafka_bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=PARTITIONS)
    await ensure_topics(settings)
    batch_producer = BatchProducer(settings.kafka, client_id="test")
    await batch_producer.start()
    names = Topics(settings.topic_prefix)
    for log_index, count in COUNTS.items():
        topic = names.messages if log_index < PARTITIONS else names.status_updates
        for number in range(count):
            batch_producer.enqueue(topic, log_index % PARTITIONS, None, b"%d" % number)
    await batch_producer.flush()
    await batch_producer.stop()
    async with KafkaLogReader.open(settings) as reader:
        yield reader


async def values(log_reader: LogReader, ranges: dict[int, tuple[int, int]]) -> dict[int, list[bytes | None]]:
    found: dict[int, list[bytes | None]] = {}
    async for entries in log_reader.read(ranges):
        assert len({entry.log_index for entry in entries}) == 1
        for entry in entries:
            assert entry.value == b"%d" % entry.offset
            found.setdefault(entry.log_index, []).append(entry.value)
    return found


async def test_it_says_where_each_slot_begins_and_ends(log_reader: LogReader) -> None:
    log_indexes = range(2 * PARTITIONS)
    assert await log_reader.first_offsets(log_indexes) == dict.fromkeys(log_indexes, 0)
    assert await log_reader.end_offsets(log_indexes) == {
        log_index: COUNTS.get(log_index, 0) for log_index in log_indexes
    }


async def test_it_reads_exactly_the_ranges_again_and_again(log_reader: LogReader) -> None:
    for ranges in ({1: (0, 1_200)}, {1: (7, 8)}, {1: (100, 900), 2: (29, 30)}, {2: (5, 5)}, {}, {2: (0, 30)}):
        found = await values(log_reader, ranges)
        assert found == {
            log_index: [b"%d" % n for n in range(start, stop)]
            for log_index, (start, stop) in ranges.items()
            if start < stop
        }


@pytest.mark.real
async def test_without_kafka_it_is_said_in_time() -> None:
    with pytest.raises(LogUnavailable):
        async with KafkaLogReader.open(Settings(kafka="127.0.0.1:1")):
            pass
