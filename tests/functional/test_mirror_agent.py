"""The mirror on fakes: what it writes, when it completes, and what it does while Cassandra is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest
from faust.types import TP

from agents import mirror
from agents.mirror import Mirroring
from agents.mirror_inbound import InboundMirror
from app.faust.batches import RecordBatch
from app.kafka.codec import decode, encode
from app.metrics import Metrics
from domain.ids import keyed_id
from domain.log_clock import ClockStep, LogClock
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status
from fakes.file_records import MemoryFileRecords
from fakes.stores import MemoryConversations, MemoryMessages, MemoryUsers
from support.fakes import FakeApp, batch_of
from support.waiting import stays, until


class Store(MemoryMessages):
    """The fake store, counting writes and refusing one message if asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []
        self.refused = ""

    async def write(self, entries: Sequence[MirrorEntry], clocks: Sequence[LogClock] = ()) -> None:
        if any(entry.message_id == self.refused for entry in entries):
            raise ValueError("InvalidRequest: no such value")
        await super().write(entries, clocks)
        if entries:
            self.writes.append(len(entries))


def message(n: int) -> bytes:
    return encode(MessageAccepted(f"m-{n}", "c-1", "u", "whatsapp:+5511999990000", f"text {n}"))


def fact(n: int, status: str) -> bytes:
    return encode(StatusChanged(f"m-{n}", "c-1", status, 1_700_000_000_500, 1_700_000_000_000 + n, n, "whatsapp", 1))


def mirroring_of(app: FakeApp, store: MemoryMessages) -> Mirroring:
    inbound = InboundMirror(MemoryConversations(), MemoryUsers(), MemoryFileRecords())
    return Mirroring(app, store, inbound)  # type: ignore[arg-type]


@pytest.fixture
def world() -> tuple[FakeApp, Store, Mirroring]:
    app, store = FakeApp(mirror_linger_seconds=0.02, mirror_batch_messages=10), Store()
    return app, store, mirroring_of(app, store)


World = tuple[FakeApp, Store, Mirroring]


async def test_a_message_and_its_facts_are_one_entry_of_one_write(world: World) -> None:
    app, store, mirroring = world
    await mirroring.add(batch_of("messages", message(0)))
    await mirroring.add(batch_of("status-updates", fact(0, "SENT"), fact(0, "READ"), fact(0, "SENT")))
    await until(lambda: len(app.consumer.completed) == 2)
    assert store.writes == [1]
    stored = await store.get("m-0")
    assert stored is not None
    assert (stored.message.content, stored.state.status) == ("text 0", Status.READ)


async def test_nothing_is_complete_while_cassandra_is_away_and_all_of_it_afterwards(world: World) -> None:
    app, store, mirroring = world
    batch = batch_of("messages", message(0), message(1))
    assert await mirroring._knows_clock(batch)
    store.available = False
    await mirroring.add(batch)
    await until(lambda: app.blocked_on == "cassandra")
    assert app.consumer.completed == []
    store.available = True
    await until(lambda: app.consumer.completed)
    assert app.blocked_on is None
    assert await store.get("m-1") is not None


async def test_the_delay_of_the_mirror_is_shown_while_cassandra_is_away(world: World) -> None:
    app, store, mirroring = world
    app.metrics = metrics = Metrics("mirror")  # type: ignore[assignment]
    batch = batch_of("messages", message(0))
    assert await mirroring._knows_clock(batch)
    store.available = False
    await mirroring.add(batch)
    await until(lambda: app.blocked_on == "cassandra")
    metrics.lags({TP("messages", 0): 1})
    metrics.render(["text/plain"])
    assert metrics._mirror_delay.get({}) > 60, "else MirrorBehind is silent during the whole outage"


async def test_a_full_pile_makes_the_agent_wait(world: World) -> None:
    _, store, mirroring = world
    batch = batch_of("messages", *(message(n) for n in range(10)))
    assert await mirroring._knows_clock(batch)
    store.available = False
    await mirroring.add(batch)
    await until(lambda: mirroring._room.is_set())  # the first pile is being written
    await mirroring.add(batch_of("messages", *(message(n) for n in range(10, 20)), start=10))
    waiting = asyncio.create_task(mirroring.add(batch_of("messages", message(20), start=20)))
    await stays(lambda: not waiting.done(), 0.05)
    store.available = True
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("bound", ["MAX_PILE_FACTS", "MAX_PILE_BYTES"])
async def test_a_pile_is_full_by_its_facts_and_by_its_bytes_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    _, store, mirroring = world
    values = [
        encode(replace(decode(fact(0, "SENT"), StatusChanged), recipient_id=f"telegram:{n}", recipient_count=256))
        for n in range(256)
    ]
    monkeypatch.setattr(mirror, bound, 256 if bound == "MAX_PILE_FACTS" else 256 * len(values[0]))
    store.available = False
    await mirroring.add(batch_of("status-updates", *values))
    await until(lambda: mirroring._room.is_set())  # the first pile is being written
    await mirroring.add(batch_of("status-updates", *values, start=256))
    waiting = asyncio.create_task(mirroring.add(batch_of("status-updates", values[0], start=512)))
    await stays(lambda: not waiting.done(), 0.05)
    store.available = True
    await asyncio.wait_for(waiting, 5)


async def test_a_fact_is_taken_in_the_same_time_however_many_are_known_of_its_message(world: World) -> None:
    _, _, mirroring = world
    values = [
        encode(replace(decode(fact(0, "SENT"), StatusChanged), recipient_id=f"telegram:{n}", recipient_count=256))
        for n in range(256)
    ]
    comparisons = 0

    class Watched(str):
        def __eq__(self, other: object) -> bool:
            nonlocal comparisons
            comparisons += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    pile = mirroring._pile
    for n, value in enumerate(values):
        mirroring._fact(pile, SimpleNamespace(value=value, timestamp=1_700_000_000_900, partition=0, offset=n))
        (entry,) = pile.entries.values()
        object.__setattr__(entry.facts[-1], "status", Watched(entry.facts[-1].status))
    assert comparisons <= len(values)


async def test_what_cassandra_refuses_is_a_dead_letter_and_the_rest_is_written(world: World) -> None:
    app, store, mirroring = world
    store.refused = "m-1"
    await mirroring.add(batch_of("messages", message(0), message(1), message(2)))
    await until(lambda: app.consumer.completed)
    assert await store.get("m-0") is not None
    assert await store.get("m-2") is not None
    assert len(app.batch_producer.on("dead-letters")) == 1
    assert app.aborted == []


async def test_poison_is_passed_over(world: World) -> None:
    app, store, mirroring = world
    await mirroring.add(batch_of("messages", b"noise", message(0)))
    await until(lambda: app.consumer.completed)
    assert await store.get("m-0") is not None


async def test_draining_writes_what_is_in_hand_at_once() -> None:
    app, store = FakeApp(mirror_linger_seconds=60.0), Store()
    mirroring = mirroring_of(app, store)
    await mirroring.add(batch_of("messages", message(0)))
    await asyncio.wait_for(app.drain(), 2)
    assert len(app.consumer.completed) == 1


async def test_draining_does_not_wait_for_an_absent_cassandra(world: World) -> None:
    app, store, mirroring = world
    batch = batch_of("messages", message(0))
    assert await mirroring._knows_clock(batch)
    store.available = False
    await mirroring.add(batch)
    await until(lambda: app.blocked_on == "cassandra")
    await asyncio.wait_for(app.drain(), 1)
    assert app.consumer.completed == []


def keyed_fact(status: str, position: int) -> bytes:
    return encode(
        StatusChanged(KEYED, "c-1", status, 1_700_000_000_500, 1_700_000_000_000 + position, position, "whatsapp", 1)
    )


KEYED = keyed_id("u", "key")
TWICE = encode(MessageAccepted(KEYED, "c-1", "u", "whatsapp:+5511999990000", "once"))


@pytest.mark.parametrize("together", [True, False])
async def test_a_keyed_message_that_is_in_the_log_twice_is_written_where_it_was_first(
    world: World, together: bool
) -> None:
    app, store, mirroring = world
    batches = [
        batch_of("messages", TWICE),
        batch_of("status-updates", keyed_fact("SENT", 1), keyed_fact("SENT", 0), keyed_fact("DELIVERED", 0)),
        batch_of("messages", message(5), TWICE, start=1),
    ]
    for count, batch in enumerate(batches, start=1):
        await mirroring.add(batch)
        if not together:
            await until(lambda count=count: len(app.consumer.completed) == count)  # type: ignore[misc]
    await until(lambda: len(app.consumer.completed) == 3)
    stored = await store.get(KEYED)
    assert stored is not None
    assert (stored.position.offset, stored.state.status) == (0, Status.DELIVERED)
    listed = await store.list("c-1", after=None, limit=9, descending=False)
    assert [found.message.message_id for found in listed] == [KEYED, "m-5"]


def at(batch: RecordBatch, *times_ms: int) -> RecordBatch:
    """``batch`` with the broker's times of its records."""
    for record, at_ms in zip(batch.records, times_ms, strict=True):
        record.timestamp = at_ms
    return batch


async def test_a_clock_that_steps_back_is_noted_also_by_a_worker_that_takes_over(world: World) -> None:
    app, store, mirroring = world
    await mirroring.add(at(batch_of("messages", message(0), message(1)), 1_000, 9_000))
    await until(lambda: len(app.consumer.completed) == 1)
    app.consumer.epoch += 1  # a rebalance: what is known is read again
    again = at(batch_of("messages", message(1), b"noise", message(3), start=1), 9_000, 5_000, 6_000)
    await mirroring.add(replace_epoch(again, app.consumer.epoch))
    await until(lambda: len(app.consumer.completed) == 2)
    clock = await store.clock(2)
    assert clock.steps == [ClockStep(2, 2, 9_000, 5_000)]
    assert clock.last == LogPosition(6_000, 3)
    found = await store.list("c-1", after=None, limit=9, descending=False)
    assert [stored.position for stored in found] == [
        LogPosition(1_000, 0),
        LogPosition(9_000, 1),
        LogPosition(6_000, 3),
    ]


def replace_epoch(batch: RecordBatch, epoch: int) -> RecordBatch:
    return RecordBatch(batch.tp, batch.records, batch.start, batch.end, epoch)


async def test_the_mirror_waits_for_the_store_before_it_compares_times(world: World) -> None:
    app, store, mirroring = world
    store.available = False
    adding = asyncio.create_task(mirroring.add(batch_of("messages", message(0))))
    await until(lambda: app.blocked_on == "cassandra")
    store.available = True
    await adding
    await until(lambda: app.consumer.completed)
    assert app.blocked_on is None
    store.available = False
    app.consumer.epoch += 1
    adding = asyncio.create_task(mirroring.add(replace_epoch(batch_of("messages", message(1), start=1), 2)))
    await until(lambda: app.blocked_on == "cassandra")
    app.consumer.epoch += 1  # the partition goes elsewhere
    await adding
    assert len(app.consumer.completed) == 1
