"""`replay reset`: a stopped group to a time or an offset, and what it would read again is counted first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from app.replay.reset import GroupReset
from domain.errors import Conflict, InvalidInput
from tests.functional.test_replay_span import FakeConsumer, Raw

A, B = TopicPartition("a", 0), TopicPartition("b", 0)
GROUP = "chat4all-core"


class Consumer(FakeConsumer):
    """Keeps what is committed."""

    committed: dict[TopicPartition, int]

    async def commit(self, offsets: Mapping[TopicPartition, Any]) -> None:
        self.committed = {tp: at.offset for tp, at in offsets.items()}


class Admin:
    """A group with ``members``, which has committed ``offsets``."""

    def __init__(self, offsets: Mapping[TopicPartition, int], members: Sequence[str] = ()) -> None:
        self._offsets = offsets
        self.members = members

    async def describe_consumer_groups(self, names: Sequence[str]) -> list[Any]:
        (name,) = names
        return [SimpleNamespace(groups=[(0, name, "Stable", "consumer", "range", list(self.members))])]

    async def list_consumer_group_offsets(self, group: str) -> dict[TopicPartition, Any]:
        assert group == GROUP
        return {tp: SimpleNamespace(offset=offset) for tp, offset in self._offsets.items()}


def world(members: Sequence[str] = ()) -> tuple[GroupReset, Consumer, Admin]:
    fact, other = b'{"type":"StatusChanged","version":1}', b"no JSON"
    logs = {
        A: [Raw(n, n * 10, value=fact if n % 2 else other) for n in range(6)],
        B: [Raw(n, n * 10) for n in range(4)],
    }
    consumer, admin = Consumer(logs, {A: 6, B: 4}), Admin({A: 5, B: 1}, members)
    return GroupReset(GROUP, admin, consumer), consumer, admin


async def test_what_would_be_read_again_is_counted_by_type_and_age() -> None:
    reset, _, _ = world()
    plan = await reset.plan([], to_ms=20, oldest_ms=30)
    assert [(move.topic, move.committed, move.target) for move in plan.moves] == [("a", 5, 2), ("b", 1, 2)]
    assert (plan.repeated, plan.skipped, plan.old) == (3, 1, 1)
    assert plan.types == {("a", "StatusChanged"): 1, ("a", "other"): 2}


async def test_an_offset_is_kept_within_the_log() -> None:
    reset, _, _ = world()
    assert [move.target for move in (await reset.plan([], to_offset=99)).moves] == [6, 4]
    assert [move.target for move in (await reset.plan(["b"], to_offset=0)).moves] == [0]


async def test_a_time_after_the_last_record_is_the_end() -> None:
    reset, _, _ = world()
    assert [move.target for move in (await reset.plan([], to_ms=1_000)).moves] == [6, 4]


async def test_the_targets_are_committed() -> None:
    reset, consumer, _ = world()
    await reset.apply(await reset.plan([], to_ms=20))
    assert consumer.committed == {A: 2, B: 2}


async def test_a_running_group_is_refused_also_if_it_begins_meanwhile() -> None:
    reset, consumer, admin = world()
    await reset.require_stopped()
    plan = await reset.plan([], to_ms=20)
    admin.members = ["worker-1"]
    with pytest.raises(Conflict, match="is running"):
        await reset.apply(plan)
    assert not hasattr(consumer, "committed")


async def test_a_topic_that_the_group_does_not_read_is_an_error() -> None:
    reset, _, _ = world()
    with pytest.raises(InvalidInput, match="has committed nothing of c"):
        await reset.plan(["c"], to_ms=20)
