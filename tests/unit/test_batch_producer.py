"""The batch producer on a producer that the test controls: order, grouping, cancellation, failure."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from app.kafka.batch_producer import MAX_BATCH_BYTES, MAX_PENDING_BYTES, BatchProducer, WrongPartitions
from app.kafka.pending_batches import Written
from app.kafka.topics import Topics
from domain.errors import InDoubt, LogUnavailable, MayBeAccepted
from domain.records import MessageAccepted
from support.waiting import pass_time, until
from web.messages.log_writer import KafkaMessageLog


class Metadata(NamedTuple):
    offset: int
    timestamp: int


class Batch:
    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, key: bytes, value: bytes, timestamp: None, headers: list[Any]) -> object:
        assert isinstance(headers, list), "aiokafka's builder takes nothing else"
        self.values.append(value)
        return object()

    def record_count(self) -> int:
        return len(self.values)

    def close(self) -> None: ...


class Producer:
    """Acknowledges batches when ``open`` is set, at increasing offsets for each partition."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, list[bytes]]] = []
        self.offered = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self._ends: dict[tuple[str, int], int] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Metadata]:
        self.offered += 1
        return asyncio.ensure_future(self._acknowledge(batch, topic, partition))

    async def _acknowledge(self, batch: Batch, topic: str, partition: int) -> Metadata:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.sent.append((topic, partition, batch.values))
        base = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = base + len(batch.values)
        return Metadata(base, 7)


class TestBatchProducer(BatchProducer):
    __test__ = False

    def __init__(self, **options: object) -> None:
        super().__init__("nowhere:1", client_id="test", **options)
        self.producer = Producer()

    def _new_producer(self) -> Any:
        return self.producer


async def opened(**options: object) -> TestBatchProducer:
    batch_producer = TestBatchProducer(**options)
    await batch_producer.start()
    return batch_producer


async def test_what_comes_while_a_batch_is_on_its_way_leaves_as_one_batch() -> None:
    batch_producer = await opened()
    batch_producer.producer.open.clear()
    first = batch_producer.enqueue("t", 0, b"k", b"0")
    await asyncio.sleep(0)
    later = [batch_producer.enqueue("t", 0, b"k", str(n).encode()) for n in range(1, 50)]
    assert len(set(later) - {first}) == 1
    batch_producer.producer.open.set()
    await later[-1].future
    assert [value for _, _, values in batch_producer.producer.sent for value in values] == [
        str(n).encode() for n in range(50)
    ]
    assert len(batch_producer.producer.sent) == 2


async def test_partitions_do_not_wait_for_each_other() -> None:
    batch_producer = await opened()
    batches = [batch_producer.enqueue("t", partition, b"k", b"v") for partition in range(3)]
    assert len(set(batches)) == 3
    for batch in batches:
        assert (await batch).offset == 0


async def test_a_sender_learns_the_offset_of_its_own_record() -> None:
    batch_producer = await opened()
    written = await asyncio.gather(*(batch_producer.send_and_wait("t", 0, b"k", str(n).encode()) for n in range(20)))
    assert [w.offset for w in written] == list(range(20))
    assert {w.timestamp_ms for w in written} == {7}


async def test_what_did_not_leave_in_time_is_cancelled_and_offsets_stay_right() -> None:
    batch_producer = await opened(timeout_seconds=1.0)
    batch_producer.producer.open.clear()
    on_its_way = asyncio.create_task(batch_producer.send_and_wait("t", 0, b"k", b"on its way"))
    await until(lambda: batch_producer.producer.offered)
    cancelled = asyncio.create_task(batch_producer.send_and_wait("t", 0, b"k", b"cancelled"))
    await pass_time(0.6)
    kept = asyncio.create_task(batch_producer.send_and_wait("t", 0, b"k", b"kept"))
    for lost in (on_its_way, cancelled):
        with pytest.raises(LogUnavailable):
            await lost
    batch_producer.producer.open.set()
    assert (await kept).offset == 1
    assert [value for _, _, values in batch_producer.producer.sent for value in values] == [b"on its way", b"kept"]


async def test_a_refused_batch_fails_all_that_wait_for_it_and_says_so() -> None:
    batch_producer = await opened()
    batch_producer.producer.error = KafkaError("refused")
    with pytest.raises(LogUnavailable, match="refused"):
        await batch_producer.send_and_wait("t", 0, b"k", b"v")
    assert batch_producer.failed.is_set()
    batch_producer.producer.error = None
    await batch_producer.reopen()
    assert (await batch_producer.send_and_wait("t", 0, b"k", b"v")).offset == 0
    assert not batch_producer.failed.is_set()


async def test_it_is_kept_open_past_each_failure_however_long_kafka_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart of Kafka may leave a producer whose sequence is refused: it fails for ever."""
    monkeypatch.setattr("app.kafka.batch_producer.RETRY_SECONDS", 0.0)
    batch_producer = await opened()
    starts, is_away = 0, True
    start = batch_producer.start

    async def started() -> None:
        nonlocal starts, is_away
        starts += 1
        if is_away:
            is_away = False
            raise LogUnavailable("away")
        await start()

    monkeypatch.setattr(batch_producer, "start", started)
    keeping = asyncio.create_task(batch_producer.keep_open())
    await asyncio.sleep(0)
    assert starts == 0, "an open one stays as it is"
    batch_producer.producer.error = KafkaError("refused")
    with pytest.raises(LogUnavailable):
        await batch_producer.send_and_wait("t", 0, b"k", b"v")
    batch_producer.producer.error = None
    await until(lambda: starts == 2)
    assert (await batch_producer.send_and_wait("t", 0, b"k", b"v")).offset == 0
    keeping.cancel()


async def test_large_records_do_not_share_a_batch() -> None:
    batch_producer = await opened()
    large = b"x" * (MAX_BATCH_BYTES - 100)
    assert batch_producer.enqueue("t", 0, b"k", large) is not batch_producer.enqueue("t", 0, b"k", large)


async def test_memory_is_bounded() -> None:
    batch_producer = await opened()
    batch_producer.producer.open.clear()
    chunk = b"x" * 4_000_000
    for _ in range(MAX_PENDING_BYTES // (len(chunk) + 100)):
        batch_producer.enqueue("t", 0, b"k", chunk)
    with pytest.raises(LogUnavailable, match="too much"):
        batch_producer.enqueue("t", 0, b"k", chunk)
    batch_producer.producer.open.set()
    await until(lambda: batch_producer.pending_bytes == 0)


async def test_a_closed_producer_takes_nothing() -> None:
    batch_producer = await opened()
    await batch_producer.stop()
    with pytest.raises(LogUnavailable):
        batch_producer.enqueue("t", 0, b"k", b"v")


async def test_what_had_left_when_the_time_was_over_is_in_doubt_until_the_broker_has_decided() -> None:
    batch_producer = await opened(timeout_seconds=0.05)
    batch_producer.producer.open.clear()
    undecided: list[asyncio.Future[Written]] = []
    with pytest.raises(InDoubt):
        await batch_producer.send_and_wait("t", 0, b"k", b"0", on_doubt=undecided.append)
    assert not undecided[0].done()
    batch_producer.producer.open.set()
    assert (await undecided[0]).offset == 0


async def test_what_had_not_left_when_the_time_was_over_is_certain_not_to_be_written() -> None:
    batch_producer = await opened(timeout_seconds=0.05)
    batch_producer.producer.open.clear()
    batch_producer.enqueue("t", 0, b"k", b"0")
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailable) as caught:
        await batch_producer.send_and_wait("t", 0, b"k", b"1")
    assert not isinstance(caught.value, InDoubt)


@pytest.mark.parametrize(("error", "in_doubt"), [(KafkaError("gone"), True), (MessageSizeTooLargeError(), False)])
async def test_a_failed_batch_is_in_doubt_unless_the_broker_refused_it(error: Exception, in_doubt: bool) -> None:
    batch_producer = await opened()
    batch_producer.producer.error = error
    with pytest.raises(LogUnavailable) as caught:
        await batch_producer.send_and_wait("t", 0, b"k", b"v")
    assert isinstance(caught.value, InDoubt) is in_doubt


async def test_a_full_or_closed_producer_leaves_no_doubt() -> None:
    batch_producer = await opened()
    batch_producer.pending_bytes = MAX_PENDING_BYTES
    with pytest.raises(LogUnavailable, match="too much") as caught:
        await batch_producer.send_and_wait("t", 0, b"k", b"v")
    assert not isinstance(caught.value, InDoubt)
    batch_producer.pending_bytes = 0
    await batch_producer.stop()
    with pytest.raises(LogUnavailable) as caught:
        await batch_producer.send_and_wait("t", 0, b"k", b"v")
    assert not isinstance(caught.value, InDoubt)


async def test_the_log_knows_which_messages_may_still_be_written() -> None:
    batch_producer = await opened(timeout_seconds=0.05)
    message_log = KafkaMessageLog(batch_producer, Topics(), 6)
    message = MessageAccepted("m-1", "c-1", "u-1", "whatsapp:+5511999990000", "hi")
    batch_producer.producer.open.clear()
    with pytest.raises(MayBeAccepted) as caught:
        await message_log.append(message, {})
    assert caught.value.message_id == "m-1"
    assert message_log.is_pending("m-1")
    batch_producer.producer.open.set()
    await batch_producer.flush()
    await until(lambda: not message_log.is_pending("m-1"))


async def test_topics_with_other_partitions_than_the_settings_say_are_not_written_to() -> None:
    batch_producer = TestBatchProducer(expected_partitions={"messages": 6})
    with pytest.raises(WrongPartitions, match="messages has 3 partitions and the settings say 6"):
        await batch_producer.start()
    with pytest.raises(LogUnavailable, match="not open"):
        batch_producer.enqueue("messages", 0, b"k", b"v")
    batch_producer = TestBatchProducer(expected_partitions={"messages": 3})
    await batch_producer.start()
