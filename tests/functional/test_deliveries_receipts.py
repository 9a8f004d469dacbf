"""Receipts: by one road, before or after the outcome, and for the attempt on record."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from agents import promised_receipts
from agents import receipts as module
from agents.receipts import UNCLAIMED, receive_batch
from app.clock import now_ms
from app.faust.stream_app import StreamApp
from app.kafka.codec import decode, encode
from domain.outcomes import NotNow, Unknown
from domain.ports import Receipt
from domain.records import ReceiptReported
from domain.status import Fact, Status, fold
from support.deliveries import World, requests
from support.fakes import batch_of
from support.waiting import until


def report(status: str, token: str = "m-1", **more: object) -> ReceiptReported:
    return ReceiptReported("default", f"p-{token}", token, status, now_ms(), **more)  # type: ignore[arg-type]


async def sent(world: World) -> None:
    await world.deliver(requests("m-1"))
    await until(world.is_done)


async def test_a_receipt_becomes_a_fact_about_the_attempt_on_record() -> None:
    world = World()
    await sent(world)
    world.receive(report("DELIVERED"), report("READ"))
    fact = world.changes()[-1]
    assert [change.status for change in world.changes()] == ["SENT", "DELIVERED", "READ"]
    assert (fact.attempt, fact.provider_id, fact.account, fact.position) == (1, "p-m-1-1", "default", 1)


async def test_what_the_channel_charges_is_kept_on_the_fact() -> None:
    world = World()
    await sent(world)
    world.receive(report("SENT", pricing='{"billable":true}'), report("READ"))
    assert [change.pricing for change in world.changes()] == ["", '{"billable":true}', ""]


async def test_a_late_failure_has_the_number_of_its_attempt_so_it_counts() -> None:
    """Once FAILED of attempt 0 was ignored for ever beside SENT of attempt 1."""
    world = World()
    await sent(world)
    world.receive(report("FAILED", failure_code="131026", failure_detail="undeliverable"))
    facts = [Fact(Status(c.status), c.at_ms, c.attempt, failure_code=c.failure_code) for c in world.changes()]
    assert fold(facts).status is Status.FAILED
    world.receive(report("READ"))
    facts += [Fact(Status(c.status), c.at_ms, c.attempt) for c in world.changes()[-1:]]
    assert fold(facts).status is Status.READ, "a receipt heals it"


async def test_a_receipt_before_the_answer_of_the_channel_waits_for_it() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.receive(report("DELIVERED"))
    assert world.facts() == []
    world.channel.open.set()
    await until(lambda: not world.queue.rows)
    assert world.facts() == [("m-1", "SENT"), ("m-1", "DELIVERED")]


async def test_a_receipt_before_the_answer_survives_a_crash_and_is_the_evidence() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.receive(report("READ"))
    world.crash()
    await until(lambda: not world.queue.rows)
    assert world.facts() == [("m-1", "SENT"), ("m-1", "READ")]
    assert world.channel.calls == ["m-1"]


@pytest.mark.parametrize("status", ["SENT", "READ"])
async def test_a_receipt_proves_an_attempt_to_which_the_channel_answered_with_an_error(status: str) -> None:
    """WhatsApp's "something went wrong" with a 500: if it took the message nevertheless, it must not go twice."""
    world = World()
    world.channel.answers["m-1"] = [NotNow("something went wrong (131000)")]
    world.channel.open.clear()
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.channel.calls)
    world.receive(report(status))
    world.channel.open.set()
    await until(lambda: not world.queue.rows)
    facts = ["SENT", "SENT"] if status == "SENT" else ["SENT", status]
    assert [fact for fact in world.facts() if fact[0] == "m-1"] == [("m-1", one) for one in facts]
    assert (world.channel.calls, world.dispatcher.scheduler.in_flight) == (["m-1", "m-2"], 0)


async def test_a_failure_reported_of_an_attempt_is_no_proof_of_it() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("something went wrong (131000)")]
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.receive(report("FAILED", failure_code="channel-trouble"))
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-1"]


async def test_a_receipt_that_comes_twice_is_one_row_and_the_same_fact() -> None:
    world = World()
    world.receive(report("READ", "m-9"), report("READ", "m-9"))
    assert len(world.queue.rows) == 1
    await sent(world)
    again = report("READ")
    world.receive(again, again)
    first, second = world.producer.on("status-updates")[-2:]
    assert first == second


async def test_a_receipt_nobody_claims_becomes_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.receive(report("READ", "m-9"))
    monkeypatch.setattr(module, "PARKED_SECONDS", -1.0)
    world.dispatcher.receipts.expire()
    (letter,) = world.letters()
    assert (letter.reason, letter.topic) == (UNCLAIMED, "whatsapp-events")
    assert decode(letter.value, ReceiptReported).token == "m-9"
    assert not world.queue.rows


async def test_parked_receipts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(module, "MOST_PARKED", 2)
    world.receive(*(report("READ", f"m-{n}") for n in range(10, 15)))
    assert (len(world.queue.rows), len(world.letters())) == (2, 3)


@pytest.mark.parametrize(
    "value",
    [
        b"nonsense",
        encode(ReceiptReported("default", "p", "m-1", "EATEN", 1)),
        encode(ReceiptReported("default", "p", "", "READ", 1)),
        encode(ReceiptReported("default", "p" * 5_000, "m-1", "READ", 1)),
    ],
    ids=["no JSON", "unknown word", "no token", "endless id"],
)
async def test_a_receipt_that_cannot_be_is_a_dead_letter(value: bytes) -> None:
    world = World()
    await sent(world)
    batch = batch_of("whatsapp-events", value)
    module.receive_batch(world.app, world.dispatcher.receipts, batch)  # type: ignore[arg-type]
    assert len(world.letters()) == 1
    assert world.facts() == [("m-1", "SENT")]


async def test_texts_of_receipts_are_cut() -> None:
    world = World()
    await sent(world)
    world.receive(report("FAILED", failure_code="c" * 5_000, failure_detail="d" * 200_000))
    failed = world.changes()[-1]
    assert (len(failed.failure_code or ""), len(failed.failure_detail or "")) == (2_000, 2_000)


async def test_simulated_receipts_go_onto_the_topic_at_their_time() -> None:
    world = World()
    world.channel.promises = [Receipt(Status.DELIVERED, now_ms()), Receipt(Status.READ, now_ms() + 60)]
    await world.deliver(requests("m-1"))
    await until(lambda: world.facts() == [("m-1", "SENT")])
    assert len(world.rows()) == 1, "another worker would go on with it"
    await until(world.is_done)
    reports = [decode(value, ReceiptReported) for value in world.producer.on("whatsapp-events")]
    assert [(each.status, each.token) for each in reports] == [("DELIVERED", "m-1"), ("READ", "m-1")]


async def test_a_receipt_of_a_message_that_is_being_asked_about_is_not_lost() -> None:
    world = World(can_look_up=True, evidence_seconds=0.01)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def look_up(request: object, attempt: int) -> Unknown:
        asked.set()
        await answer.wait()
        return Unknown("no answer")

    world.channel.look_up = look_up  # type: ignore[assignment, method-assign]
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await asked.wait()
    world.receive(report("READ"))
    answer.set()
    await until(lambda: not world.queue.rows)
    assert "READ" in {word for _, word in world.facts()}


async def test_no_more_is_sent_than_simulated_receipts_can_be_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promised_receipts, "MOST_PROMISED", 3)
    world = World()
    world.channel.promises = [Receipt(Status.DELIVERED, now_ms() + 300)]
    for n in range(8):
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}"))
        await until(lambda n=n: len(world.channel.calls) > min(n, 2))  # type: ignore[misc]
    assert len(world.channel.calls) < 8
    await until(world.is_done)
    assert len(world.channel.calls) == 8


async def test_the_receipts_that_follow_a_send_read_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    read: list[bytes] = []
    find = world.table.get_bytes

    def noted(partition: int, key: bytes) -> bytes | None:
        read.append(key)
        return find(partition, key)

    monkeypatch.setattr(world.table, "get_bytes", noted)
    world.receive(report(Status.DELIVERED), report(Status.READ))
    assert world.facts() == [("m-1", "SENT"), ("m-1", "DELIVERED"), ("m-1", "READ")]
    assert read == []


async def test_an_outcome_of_another_owner_is_read_after_a_rebalance() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    await world.dispatcher.drain()
    world.table.rows.clear()  # an operator's command let the next owner take the outcome off the record
    world.dispatcher.begin()
    assert world.dispatcher.queue.outcome_of(2, "m-1") is None


async def test_a_receipt_is_done_with_once_the_outcome_is_durable_too() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    world.producer.held = True
    await until(lambda: world.dispatcher.queue.outcome_of(2, "m-1") is not None)
    batch = batch_of("whatsapp-events", encode(report(Status.DELIVERED)), key=b"c-1")
    writes = receive_batch(cast(StreamApp, world.app), world.dispatcher.receipts, batch)
    assert b"m-1" in {key for write in writes for key, _, _ in write.records}
    world.producer.release()
    await until(world.is_done)
    assert len(receive_batch(cast(StreamApp, world.app), world.dispatcher.receipts, batch)) == 1
