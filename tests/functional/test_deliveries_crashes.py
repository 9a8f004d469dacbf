"""What a worker that dies, or gives its partitions up, leaves to the next owner of the partition."""

from __future__ import annotations

import asyncio

import pytest

from app.clock import now_ms
from domain.attempts import Attempt, Outcome, Stage
from domain.outcomes import OUTCOME_UNKNOWN, Unknown
from domain.ports import Receipt
from domain.records import ReceiptReported
from domain.status import Status
from support.deliveries import World, failure, requests
from support.waiting import stays, until
from tables import attempts


async def test_after_a_crash_only_what_the_channel_was_called_for_is_unknown() -> None:
    """Once 500 of 500 messages became dead letters, although the channel had been called for one."""
    world = World(evidence_seconds=0.05)
    world.channel.open.clear()
    await world.deliver(requests(*(f"m-{n}" for n in range(500))))
    await until(lambda: world.channel.calls == ["m-0"])
    world.crash()
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == [f"m-{n}" for n in range(500)]
    assert [letter.reason for letter in world.letters()] == [OUTCOME_UNKNOWN]
    assert failure(world).message_id == "m-0"


async def test_a_crash_before_the_outcome_is_on_record_sends_nothing_twice() -> None:
    world = World(evidence_seconds=0.05)
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.crash()
    await until(lambda: [row.stage for row in world.rows()] == [Stage.UNKNOWN])
    world.receive(ReceiptReported("default", "p-1", "m-1", "DELIVERED", now_ms()))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT"), ("m-1", "DELIVERED")]
    assert world.channel.calls == ["m-1"]


async def test_a_crash_before_the_fact_was_written_reports_the_outcome() -> None:
    world = World()
    world.channel.promises = [Receipt(Status.DELIVERED, now_ms() + 3_600_000)]
    await world.deliver(requests("m-1"))
    await until(lambda: world.facts() == [("m-1", "SENT")])
    assert len(world.rows()) == 1, "the simulated receipt is to come"
    world.channel.promises = []
    world.crash()
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")] * 2
    assert world.channel.calls == ["m-1"]


async def test_an_outcome_that_only_the_local_store_has_goes_on_record_before_its_row_goes() -> None:
    """After ``kill -9`` RocksDB may have what its changelog never got; the next owner elsewhere has the changelog."""
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    outcome = Attempt(1, Outcome.SENT, now_ms(), "p-1", recorded_at_ms=now_ms(), account="default")
    world.table.rows[b"m-1"] = attempts.dump(outcome)
    world.crash()
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]
    assert attempts.dump(outcome) in world.producer.on("attempts-changelog")


async def test_simulated_receipts_survive_a_crash() -> None:
    world = World()
    world.channel.promises = [Receipt(Status.DELIVERED, now_ms() + 3_600_000)]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: len(world.facts()) == 2)
    world.channel.promises = [Receipt(Status.DELIVERED, now_ms())]
    world.crash()
    await until(world.is_done)
    assert len(world.producer.on("whatsapp-events")) == 2


async def test_a_repeatable_channel_is_sent_to_again_after_a_crash() -> None:
    world = World(repeatable=True)
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.crash()
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-1"]
    assert world.letters() == []


async def test_a_message_that_ends_its_worker_each_time_fails_after_its_attempts() -> None:
    world = World(repeatable=True, delivery_attempts=3)
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    for times in (1, 2, 3):
        await until(lambda times=times: len(world.channel.calls) == times)  # type: ignore[misc]
        world.crash()
    await until(world.is_done)
    assert failure(world).failure_code == OUTCOME_UNKNOWN


@pytest.mark.parametrize("repeatable", [True, False])
async def test_an_attempt_begun_by_a_release_without_a_queue_is_unknown(repeatable: bool) -> None:
    world = World(repeatable=repeatable, evidence_seconds=0.02)
    world.table.rows[b"m-1"] = attempts.dump(Attempt(1, Outcome.BEGUN, 5))
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.channel.calls == (["m-1"] if repeatable else [])
    assert world.facts() == [("m-1", "SENT" if repeatable else "FAILED")]


async def test_an_outcome_of_a_release_without_a_queue_is_reported_again() -> None:
    world = World()
    world.table.rows[b"m-1"] = b'[1,"sent",1732312312377,"sim.1",null,null]'
    await world.deliver(requests("m-1"))
    assert world.channel.calls == []
    assert world.facts() == [("m-1", "SENT")]


async def test_draining_waits_for_calls_and_takes_back_what_was_not_called() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.channel.calls == ["m-1"])
    draining = asyncio.create_task(world.app.drain())
    await stays(lambda: not draining.done())
    world.channel.open.set()
    await draining
    assert world.channel.calls == ["m-1"]
    assert world.attempt("m-1").outcome == Outcome.SENT  # type: ignore[union-attr]
    assert [(row.name, row.stage) for row in world.rows()] == [("m-2", Stage.WAITING)]
    world.app.assigned()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-2"]
    assert world.letters() == []


async def test_draining_before_the_attempt_is_durable_takes_it_back() -> None:
    world = World(in_flight=1)
    world.producer.held = True
    delivering = asyncio.create_task(world.deliver(requests("m-1")))
    await until(lambda: [row.stage for row in world.rows()] == [Stage.BEGUN])
    await world.app.drain()
    assert [row.stage for row in world.rows()] == [Stage.WAITING]
    world.producer.release()
    await delivering
    assert world.channel.calls == []
    world.app.assigned()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]
    assert world.dispatcher.scheduler.in_flight == 0


async def test_what_comes_during_a_drain_waits_for_the_next_owner() -> None:
    world = World()
    await world.app.drain()
    await world.deliver(requests("m-1"))
    await stays(lambda: world.channel.calls == [])
    world.app.assigned()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]


async def test_a_call_that_ends_after_the_drain_writes_nothing() -> None:
    """Its partition has another owner by then, which knows the attempt as begun."""
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await world.app.drain()
    written = len(world.producer.records)
    world.channel.open.set()
    await until(lambda: not world.dispatcher.tasks())
    assert len(world.producer.records) == written
    assert [row.stage for row in world.rows()] == [Stage.BEGUN]


async def test_the_next_owner_finds_unknown_outcomes_and_their_time() -> None:
    world = World(evidence_seconds=0.2)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.rows()[0].stage == Stage.UNKNOWN)
    due_ms = world.rows()[0].not_before_ms
    world.crash()
    await until(world.is_done)
    assert now_ms() >= due_ms
    assert world.channel.calls == ["m-1", "m-2"]


async def test_no_row_overtakes_an_older_one_of_its_chain_after_a_restart() -> None:
    world = World(most_heads=2, evidence_seconds=0.02)
    world.channel.open.clear()
    ids = [f"{c}-{n}" for c in "abcdef" for n in range(4)]
    for i in ids[:12]:
        await world.deliver(requests(i, conversation=i[0]))
    world.crash()
    for i in ids[12:]:
        await world.deliver(requests(i, conversation=i[0]))
    for c in "abc":
        await world.deliver(requests(f"{c}-9", conversation=c))
    await until(lambda: world.channel.calls)
    world.channel.open.set()
    await until(world.is_done)
    for c in "abcdef":
        mine = [i for i in world.channel.calls if i[0] == c]
        assert mine == sorted(mine)
    unknown = {change.message_id for change in world.changes() if change.status == "FAILED"}
    assert unknown <= {"a-0", "b-0"}
    assert {*world.channel.calls, *unknown} >= set(ids)
