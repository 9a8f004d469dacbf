"""The tailer over a scripted consumer: no Kafka, only what it would hand over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from app.kafka.codec import encode
from app.settings import Settings
from domain.errors import LogUnavailable
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status
from support.waiting import pass_time, until
from web.history.end_offsets import EndOffsets
from web.history.log_tailer import LogTailer
from web.history.recent import Recent, RecentMessages
from web.history.stopping import stop_all

SETTINGS = Settings(partitions=2, recent_messages=100)


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    value: bytes | None
    timestamp: int = 1_000


async def found(_assignment: object, _node_id: int, records: object) -> bool:
    """Answer a fetch of the fake below, whose request is what it finds."""
    return bool(records)


class ScriptedConsumer:
    """As much of ``AIOKafkaConsumer`` as is used, over lists of records."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[Record]] = {
            TopicPartition(topic, n): [] for topic in ("messages", "status-updates") for n in range(2)
        }
        self.begin = 0
        self.positions: dict[TopicPartition, int] = {}
        self.measurements = 0
        self.broken = False
        self.slow_seconds = 0.0
        self.goes_on: asyncio.Event | None = None  # a frozen broker answers from then on
        self._fetcher = SimpleNamespace(_fetch_min_bytes=0, _fetch_max_wait_ms=0, _proc_fetch_request=found)
        self.asks: set[tuple[int, int]] = set()  # bytes and milliseconds that the next fetch asks for

    def add(self, topic: str, partition: int, value: bytes | None) -> None:
        log = self.logs[TopicPartition(topic, partition)]
        log.append(Record(topic, partition, len(log), value))

    async def topics(self) -> set[str]:
        return {tp.topic for tp in self.logs}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    def highwater(self, tp: TopicPartition) -> int | None:
        return len(self.logs[tp])

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.begin)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.measurements += 1
        await pass_time(self.slow_seconds)
        if self.goes_on is not None:
            await self.goes_on.wait()
        if self.broken:
            raise KafkaConnectionError("away")
        return {tp: len(self.logs[tp]) for tp in partitions}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        await pass_time(0.001)
        batches = {}
        for tp, position in self.positions.items():
            if records := self.logs[tp][position : position + max_records]:
                batches[tp] = records
                self.positions[tp] += len(records)
        await self._fetcher._proc_fetch_request(None, 1, batches)
        self.asks.add((self._fetcher._fetch_min_bytes, self._fetcher._fetch_max_wait_ms))
        return batches


def accepted(number: int) -> bytes:
    return encode(MessageAccepted(f"m-{number}", "c-1", "u-1", "telegram:5", f"hi {number}"))


def changed(number: int, status: str) -> bytes:
    return encode(StatusChanged(f"m-{number}", "c-1", status, 2_000, 1_000, number, "telegram", 1))


async def following(consumer: ScriptedConsumer, mirrored: dict[TopicPartition, int] | None = None) -> Any:
    """Return a tailer that follows ``consumer``, and the task in which it does."""
    tailer = LogTailer(SETTINGS, RecentMessages(SETTINGS.recent_messages))

    async def committed() -> dict[TopicPartition, int]:
        return mirrored or {}

    tailer._mirror.read = committed  # type: ignore[method-assign]
    await tailer._begin(consumer)
    tailer._consumer = tailer._ends.consumer = tailer._fact_ends.consumer = consumer
    return tailer, asyncio.create_task(tailer._tail(consumer))


async def test_what_is_not_mirrored_is_read_and_what_is_mirrored_is_not() -> None:
    consumer = ScriptedConsumer()
    for number in range(6):
        consumer.add("messages", 0, accepted(number))
    tailer, task = await following(consumer, {TopicPartition("messages", 0): 4})
    assert await tailer.catch_up(1)
    assert [tailer._recent.get(f"m-{n}") is not None for n in range(6)] == [False] * 4 + [True] * 2
    task.cancel()


async def test_what_others_reported_is_known_once_caught_up_with_facts() -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    consumer.add("messages", 0, accepted(0))
    consumer.add("status-updates", 0, changed(0, "READ"))
    assert await tailer.catch_up_with_facts(1)
    assert tailer._recent.get("m-0").state.status == "READ"
    consumer.broken = True
    assert not await tailer.catch_up_with_facts(0.05)
    task.cancel()


async def test_a_fact_with_a_time_that_cannot_be_is_known_with_one_that_can() -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    consumer.add("messages", 0, accepted(0))
    in_microseconds = StatusChanged("m-0", "c-1", "READ", 1_763_848_800_123_000, 1_000, 0, "whatsapp", 1)
    consumer.add("status-updates", 0, encode(in_microseconds))
    assert await tailer.catch_up_with_facts(1)
    assert tailer._recent.get("m-0").state.read_at_ms == 1_000  # when the log got it
    task.cancel()


async def test_without_a_mirror_no_more_than_the_cache_holds_is_read() -> None:
    consumer = ScriptedConsumer()
    for number in range(120):
        consumer.add("messages", 0, accepted(number))
    tailer, task = await following(consumer)
    assert await tailer.catch_up(1)
    assert len(tailer._recent) == 50  # its share of 100 with two partitions
    assert tailer._recent.get("m-119") is not None
    task.cancel()


async def test_offsets_that_retention_has_passed_begin_at_what_is_left() -> None:
    consumer = ScriptedConsumer()
    for number in range(8):
        consumer.add("messages", 1, accepted(number))
    consumer.begin = 5
    consumer.logs[TopicPartition("messages", 0)] = consumer.logs[TopicPartition("messages", 1)][:5]
    for topic_partition in (TopicPartition("status-updates", n) for n in range(2)):
        consumer.logs[topic_partition] = consumer.logs[TopicPartition("messages", 1)][:5]
    tailer, task = await following(consumer, {TopicPartition("messages", 1): 2})
    assert await tailer.catch_up(1)
    assert len(tailer._recent) == 3
    task.cancel()


async def test_records_that_retention_removed_before_they_were_read_are_counted_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    assert await tailer.catch_up(1)
    log = consumer.logs[TopicPartition("messages", 0)]
    log.append(Record("messages", 0, 7, accepted(7)))  # 0 to 6 have left
    await until(lambda: tailer.removed_unread == 7)
    assert "messages[0]: retention removed records 0 to 6" in caplog.text
    task.cancel()


async def test_facts_are_joined_and_unreadable_records_are_passed_by() -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    for value in (b"not JSON", None, changed(1, "SENT"), accepted(0)):
        consumer.add("messages", 0, value)
    for value in (changed(0, "SENT"), b"{}", changed(0, "MISLAID"), changed(0, "READ"), changed(0, "DELIVERED")):
        consumer.add("status-updates", 0, value)
    assert await tailer.catch_up(1)
    await until(lambda: tailer.records_behind() == 0)
    known = tailer._recent.get("m-0")
    assert (known.state.status, known.position.offset, known.complete) == (Status.READ, 3, True)
    task.cancel()


class Heard:
    """A ``Listener`` that takes notes."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []

    def on_message(self, partition: int, offset: int, message: MessageAccepted, position: LogPosition) -> None:
        self.notes.append(("message", partition, offset, message.message_id, position.offset))

    def on_status(
        self, partition: int, offset: int, change: StatusChanged, published: Recent, logged_at_ms: int
    ) -> None:
        self.notes.append(("change", partition, offset, change.message_id, str(published.state.status)))

    def wants(self, conversation_id: str) -> bool:
        return True

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None:
        raise AssertionError("everything is wanted")

    def reached(self, log_index: int, offset: int) -> None:
        self.notes.append(("reached", log_index, offset))


async def test_a_listener_is_told_what_is_read_and_what_it_changes_and_how_far_reading_is() -> None:
    consumer = ScriptedConsumer()
    consumer.add("messages", 0, accepted(0))
    tailer, task = await following(consumer, {TopicPartition("messages", 0): 1})
    task.cancel()
    tailer.listener = heard = Heard()
    await tailer._begin(consumer)
    assert sorted(heard.notes) == [("reached", log_index, int(log_index == 0)) for log_index in range(4)]
    heard.notes.clear()
    task = asyncio.create_task(tailer._tail(consumer))
    consumer.add("messages", 0, accepted(1))
    for value in (changed(1, "SENT"), b"?", changed(1, "SENT"), changed(1, "READ"), changed(1, "DELIVERED")):
        consumer.add("status-updates", 1, value)
    await until(lambda: tailer.records_behind() == 0)
    assert [note for note in heard.notes if note[0] != "reached"] == [
        ("message", 0, 1, "m-1", 1),
        ("change", 1, 0, "m-1", "SENT"),
        ("change", 1, 3, "m-1", "READ"),
    ]
    assert {("reached", 0, 2), ("reached", 3, 5)} <= set(heard.notes)
    task.cancel()


async def test_catching_up_waits_for_what_was_there_before_and_not_for_ever() -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    task.cancel()
    consumer.add("messages", 0, accepted(0))
    assert not await tailer.catch_up(0.05)
    assert not tailer.has_caught_up
    task = asyncio.create_task(tailer._tail(consumer))
    assert await tailer.catch_up(1)
    assert tailer.has_caught_up
    assert tailer._recent.get("m-0") is not None
    task.cancel()


async def test_kafka_away_is_said_at_once() -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    consumer.broken = True
    assert not await tailer.catch_up(1)
    with pytest.raises(LogUnavailable):
        await tailer.ping()
    task.cancel()


async def test_those_who_ask_together_share_a_question_but_never_an_older_answer() -> None:
    consumer = ScriptedConsumer()
    consumer.slow_seconds = 0.02
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer
    first = asyncio.create_task(ends.now(1))
    await until(lambda: consumer.measurements)
    consumer.add("messages", 0, b"after the first question began")
    later = await asyncio.gather(*(ends.now(1) for _ in range(20)))
    assert await first is not None
    assert consumer.measurements == 2
    assert all(found == {TopicPartition("messages", 0): 1} for found in later)


async def test_after_a_question_without_answer_nobody_waits_the_full_time_again() -> None:
    consumer = ScriptedConsumer()
    consumer.goes_on = asyncio.Event()
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer
    assert await ends.now(0.2) is None
    async with asyncio.timeout(0.19):
        assert await ends.now(5) is None
    consumer.goes_on.set()
    assert await ends.now(5) is not None


async def test_a_broker_slower_than_the_short_wait_is_believed_again() -> None:
    consumer = ScriptedConsumer()
    consumer.goes_on = asyncio.Event()
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer
    assert await ends.now(0.01) is None  # from here on callers wait 0.1 s
    consumer.slow_seconds = 0.15
    consumer.goes_on.set()

    async def is_known() -> bool:
        return await ends.now(3) is not None

    await until(is_known, 3)
    assert await ends.now(3) is not None


async def test_a_question_for_kafkas_health_waits_for_a_slow_answer_also_after_a_failure() -> None:
    consumer = ScriptedConsumer()
    consumer.goes_on = asyncio.Event()
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer
    assert await ends.now(0.01) is None  # from here on other callers wait 0.1 s
    consumer.slow_seconds = 0.15
    consumer.goes_on.set()
    assert await ends.now(3, is_patient=True) is not None


async def test_callers_who_leave_do_not_keep_a_dead_connection_alive() -> None:
    consumer = ScriptedConsumer()
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer
    is_renewed = False

    async def end_offsets(partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        nonlocal is_renewed
        if is_renewed:
            return dict.fromkeys(partitions, 7)
        await pass_time(0.1)  # the client's time-out, longer than any caller waits
        is_renewed = True
        raise KafkaTimeoutError

    consumer.end_offsets = end_offsets  # type: ignore[method-assign]

    async def is_known() -> bool:
        return await ends.now(0.03) is not None

    await until(is_known, 3)


async def test_two_requests_that_time_out_on_one_connection_end_no_request_of_a_client() -> None:
    consumer = ScriptedConsumer()
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer

    async def end_offsets(partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        raise KeyError((0, "the connection that the other request has closed"))

    consumer.end_offsets = end_offsets  # type: ignore[method-assign]
    assert await ends.now(1) is None


async def test_a_lost_connection_lets_no_caller_wait_for_its_answer() -> None:
    consumer = ScriptedConsumer()
    consumer.slow_seconds = 30
    ends = EndOffsets([TopicPartition("messages", 0)])
    ends.consumer = consumer
    callers = [asyncio.create_task(ends.now(20)) for _ in range(3)]
    await until(lambda: consumer.measurements)
    callers += [asyncio.create_task(ends.now(20)) for _ in range(3)]
    await pass_time(0)
    ends.disconnect()
    async with asyncio.timeout(1):
        assert await asyncio.gather(*callers) == [None] * 6


async def test_a_client_that_brings_no_records_though_there_are_some_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web.history.standstill.LONGEST_SECONDS", 0.05)
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    assert await tailer.catch_up(1)
    consumer.add("messages", 0, accepted(0))
    fetching, consumer.positions = consumer.positions, {}  # its fetching has ended
    assert not await tailer.catch_up(0.01)
    with pytest.raises(KafkaError, match="none came"):
        await task  # and ``_tail_for_ever`` connects again
    consumer.positions = fetching
    task = asyncio.create_task(tailer._tail(consumer))
    assert await tailer.catch_up(1)
    task.cancel()


async def test_a_quiet_log_and_callers_who_are_served_are_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.history.standstill.LONGEST_SECONDS", 0.02)
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    task.cancel()
    consumer.add("messages", 0, accepted(0))
    assert not await tailer.catch_up(0.01)  # nobody reads
    await pass_time(0.01)
    task = asyncio.create_task(tailer._tail(consumer))
    assert await tailer.catch_up(1)
    await pass_time(0.1)
    assert not task.done()
    task.cancel()


class StuckConnection:
    """A connection whose end never comes, or ends badly."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def stop(self) -> None:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()


async def test_a_connection_that_does_not_end_keeps_nobody_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.history.stopping.STOP_SECONDS", 0.01)
    async with asyncio.timeout(1):
        await stop_all(StuckConnection(), StuckConnection(OSError("broken")))


async def test_fetches_gather_at_the_broker_unless_somebody_had_to_wait_for_the_end_of_the_log() -> None:
    consumer = ScriptedConsumer()
    tailer, task = await following(consumer)
    assert await tailer.catch_up(1)  # nothing is missing, so nobody waits
    assert not tailer._is_eager()
    for number in range(50):  # a record that is read before its end is asked for makes nobody wait
        consumer.add("messages", 0, accepted(number))
        assert await tailer.catch_up(1)
        if tailer._is_eager():
            break
    assert tailer._is_eager()
    consumer.add("messages", 0, accepted(50))
    await until(lambda: (1, 30) in consumer.asks)
    tailer._eager_until = 0.0

    def has_gathered() -> bool:
        consumer.add("messages", 0, accepted(len(consumer.logs[TopicPartition("messages", 0)])))  # more than one a wait
        return any(min_bytes == 8_192 and 0 < wait_ms <= 30 for min_bytes, wait_ms in consumer.asks)

    await until(has_gathered)
    await until(lambda: consumer._fetcher._fetch_min_bytes == 1)
    task.cancel()


async def test_what_is_too_much_to_read_at_the_start_is_known_to_be_lacking_until_the_mirror_has_it() -> None:
    consumer = ScriptedConsumer()
    for n in range(200):
        consumer.add("messages", 0, accepted(n))
    tailer, task = await following(consumer, {TopicPartition("messages", 0): 10})
    task.cancel()
    gaps = tailer._recent.gaps
    gap = gaps.of(0)
    assert gap is not None
    assert (gap.first, gap.end, gaps.of(1)) == (10, 150, None)
    assert gaps.may_hide("m-20")
    gaps.mirrored({0: 150}, {})
    assert not gaps.is_open
