"""A span of topics is read in the order of time, with a bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition

from app.replay import span as span_module
from app.replay.span import Span
from domain.errors import LogUnavailable

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


@dataclass(frozen=True)
class Raw:
    """A record as aiokafka gives it."""

    offset: int
    timestamp: int
    key: bytes = b"k"
    value: bytes = b"{}"


@dataclass(frozen=True)
class OffsetAndTime:
    offset: int


class FakeConsumer:
    """Partitions in memory; ``ends``: where they end, which may lie after the last record (compaction)."""

    def __init__(self, logs: Mapping[TopicPartition, Sequence[Raw]], ends: Mapping[TopicPartition, int]) -> None:
        self._logs = logs
        self._ends = ends
        self._at: dict[TopicPartition, int] = {}

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._at = dict.fromkeys(partitions, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._at[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._at[tp]

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._ends[tp] for tp in partitions}

    async def offsets_for_times(
        self, times: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTime | None]:
        later = {tp: [one.offset for one in self._logs[tp] if one.timestamp >= at] for tp, at in times.items()}
        return {tp: OffsetAndTime(offsets[0]) if offsets else None for tp, offsets in later.items()}

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Raw]]:
        found = {tp: [one for one in self._logs[tp] if one.offset >= self._at[tp]][:max_records] for tp in partitions}
        for tp, records in found.items():
            self._at[tp] = records[-1].offset + 1 if records else self._at[tp]
            if self._logs[tp] and self._at[tp] > self._logs[tp][-1].offset:
                self._at[tp] = max(self._at[tp], self._ends[tp])  # the client steps over what is compacted away
        return {tp: records for tp, records in found.items() if records}


async def read(
    consumer: FakeConsumer, since_ms: int | None = None, until_ms: int | None = None
) -> list[tuple[str, int]]:
    span = Span(consumer, [A, B], since_ms, until_ms)
    return [(record.topic, record.offset) async for record in span.records()]


async def test_topics_are_merged_by_time() -> None:
    logs = {A: [Raw(0, 10), Raw(1, 30), Raw(2, 50)], B: [Raw(0, 20), Raw(1, 40)]}
    found = await read(FakeConsumer(logs, {A: 3, B: 2}))
    assert found == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]


async def test_a_partition_keeps_its_order_though_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_module, "MOST_AHEAD", 2)
    logs = {A: [Raw(0, 50), Raw(1, 10), Raw(2, 60), Raw(3, 5)], B: [Raw(0, 20), Raw(1, 55)]}
    found = await read(FakeConsumer(logs, {A: 4, B: 2}))
    assert [offset for topic, offset in found if topic == "a"] == [0, 1, 2, 3]
    assert len(found) == 6


async def test_times_bound_it() -> None:
    logs = {A: [Raw(0, 10), Raw(1, 30), Raw(2, 50)], B: [Raw(0, 20), Raw(1, 40)]}
    assert await read(FakeConsumer(logs, {A: 3, B: 2}), 20, 50) == [("b", 0), ("a", 1), ("b", 1)]
    assert await read(FakeConsumer(logs, {A: 3, B: 2}), 51) == []


async def test_a_compacted_end_ends_it() -> None:
    logs: dict[TopicPartition, list[Raw]] = {A: [Raw(0, 10)], B: []}
    assert await read(FakeConsumer(logs, {A: 7, B: 0})) == [("a", 0)]


async def test_a_partition_that_says_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_module, "SILENCE_SECONDS", 0.01)
    logs: dict[TopicPartition, list[Raw]] = {A: [], B: []}
    with pytest.raises(LogUnavailable, match="nothing came"):
        await read(FakeConsumer(logs, {A: 3, B: 0}))


async def test_an_offset_bounds_it() -> None:
    logs = {A: [Raw(0, 10), Raw(1, 30), Raw(2, 50)], B: [Raw(0, 20)]}
    span = Span(FakeConsumer(logs, {A: 3, B: 1}), [A, B], from_offset=1)
    assert [(record.topic, record.offset) async for record in span.records()] == [("a", 1), ("a", 2)]


async def test_following_goes_on_with_new_records() -> None:
    logs: dict[TopicPartition, list[Raw]] = {A: [Raw(0, 10)], B: []}
    records = Span(FakeConsumer(logs, {A: 1, B: 0}), [A, B], follows=True).records()
    found = [await anext(records)]
    logs[B].append(Raw(0, 20))
    found.append(await anext(records))
    logs[A].append(Raw(1, 30))
    found.append(await anext(records))
    assert [(record.topic, record.offset) for record in found] == [("a", 0), ("b", 0), ("a", 1)]
    await records.aclose()  # type: ignore[attr-defined]
