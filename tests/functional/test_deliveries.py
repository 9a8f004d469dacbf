"""Deliveries on fakes: the queue, the order of a conversation, outcomes, and what goes on record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.clock import now_ms
from app.faust.batches import RecordBatch
from app.kafka.codec import decode, encode
from domain.attempts import Attempt, Outcome, Stage
from domain.outcomes import OUTCOME_UNKNOWN, NotNow, Refused, Scope, SendOutcome, Sent, Unknown
from domain.ports import Receipt
from domain.records import DeliveryRequested, ReceiptReported
from domain.status import Status
from support.deliveries import World, failure, requests
from support.fakes import batch_of
from support.waiting import stays, until
from tables import attempts


def outcome(attempt: Attempt | None) -> tuple[int, str, str | None]:
    assert attempt is not None
    return attempt.number, attempt.outcome, attempt.provider_id


async def test_a_message_is_sent_and_its_row_leaves_the_queue() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]
    assert outcome(world.attempt("m-1")) == (1, Outcome.SENT, "p-m-1-1")
    assert world.changes()[0].account == "default"


async def test_a_batch_is_complete_once_its_rows_are_durable_whatever_the_channel_does() -> None:
    world = World()
    world.channel.open.clear()
    world.producer.held = True
    delivering = asyncio.create_task(world.deliver(requests("m-1", "m-2")))
    await stays(lambda: not delivering.done())
    world.producer.release()
    await delivering
    assert world.app.consumer.completed
    assert len(world.rows()) == 2


async def test_the_attempt_is_durable_before_the_channel_is_called() -> None:
    world = World()
    world.producer.held = True
    delivering = asyncio.create_task(world.deliver(requests("m-1")))
    await stays(lambda: world.channel.calls == [])
    assert [row.stage for row in world.rows()] == [Stage.BEGUN], "written once, as begun"
    world.producer.release()
    await delivering
    await until(lambda: world.channel.calls == ["m-1"])


async def test_a_row_stays_until_its_outcome_and_its_fact_are_durable() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.producer.held = True
    world.channel.open.set()
    await until(lambda: len(world.facts()) == 1)
    await stays(lambda: len(world.rows()) == 1)
    world.producer.release()
    await until(world.is_done)


async def test_a_conversation_keeps_its_order_while_others_overtake_it() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("a-1", "a-2", conversation="a"))
    await world.deliver(requests("b-1", conversation="b", start=2))
    await until(lambda: len(world.channel.calls) == 2)
    assert set(world.channel.calls) == {"a-1", "b-1"}
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls.index("a-2") > world.channel.calls.index("a-1")


async def test_a_failure_is_reported_with_its_reason_and_holds_up_nobody() -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("blocked", "the person blocked this number")]
    await world.deliver(requests("m-1", "m-2"))
    await until(world.is_done)
    failed = failure(world)
    assert (failed.status, failed.failure_code, failed.attempt) == ("FAILED", "blocked", 1)
    assert world.facts() == [("m-1", "FAILED"), ("m-2", "SENT")]
    assert world.letters() == [], "the sender has the reason, and nobody can send it again"


async def test_what_was_sent_is_not_sent_again_when_its_event_comes_back() -> None:
    world = World()
    for times in (1, 2):
        await world.deliver(requests("m-1"))
        await until(world.is_done)
        assert world.facts() == [("m-1", "SENT")] * times
    assert world.channel.calls == ["m-1"]
    first, again = world.producer.on("status-updates")
    assert first == again


async def test_a_request_that_comes_again_while_it_waits_is_one_delivery() -> None:
    world = World()
    world.channel.open.clear()
    for start in (0, 2):
        await world.deliver(requests("m-1", "m-2", start=start))
    assert len(world.rows()) == 2
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-2"]


async def test_the_same_message_twice_in_the_log_is_sent_once() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1", position=7))
    await world.deliver(requests("m-1", position=8))
    assert len(world.rows()) == 2
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]
    assert {status for _, status in world.facts()} == {"SENT"}
    assert world.letters() == []


@pytest.mark.parametrize(
    "answer",
    [Unknown("the connection broke"), TimeoutError("by the client library"), ValueError("no JSON"), 5],
    ids=["unknown", "time-out", "exception", "no outcome"],
)
async def test_an_unknown_outcome_waits_for_evidence_then_fails_its_message_alone(answer: SendOutcome) -> None:
    world = World(evidence_seconds=0.05)
    world.channel.answers["m-1"] = [answer]
    await world.deliver(requests("m-1", "m-2"))
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-2"]
    assert world.facts() == [("m-1", "FAILED"), ("m-2", "SENT")]
    assert failure(world).failure_code == OUTCOME_UNKNOWN
    (letter,) = world.letters()
    assert (letter.reason, letter.offset, letter.attempts) == (OUTCOME_UNKNOWN, 0, 1)
    assert decode(letter.value, DeliveryRequested).message_id == "m-1", "it can be sent again from its letter"
    assert world.app.aborted == []


async def test_a_connector_cancelled_from_inside_loses_no_message() -> None:
    """A shared token refresh, or a client library's own scope, may cancel the call."""
    world = World(evidence_seconds=0.05)
    world.channel.answers["m-1"] = [asyncio.CancelledError()]
    await world.deliver(requests("m-1", "m-2", "m-3"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "FAILED"), ("m-2", "SENT"), ("m-3", "SENT")]


async def test_a_channel_that_does_not_answer_is_not_waited_for_longer_than_the_setting_says() -> None:
    world = World(send_seconds=0.05, evidence_seconds=0.05)
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    failed = failure(world)
    assert failed.failure_code == OUTCOME_UNKNOWN
    assert world.lanes["default"].last_error == "the channel gave no answer within 0.05 seconds"


@pytest.mark.parametrize("status", ["SENT", "DELIVERED", "READ"])
async def test_a_receipt_is_the_evidence_of_an_unknown_outcome(status: str) -> None:
    world = World()
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: [row.stage for row in world.rows()] == [Stage.UNKNOWN, Stage.WAITING])
    world.receive(ReceiptReported("default", "p-9", "m-1", status, now_ms()))
    await until(world.is_done)
    assert outcome(world.attempt("m-1")) == (1, Outcome.SENT, "p-9")
    assert world.channel.calls == ["m-1", "m-2"], "nothing is sent twice, and the next one went on"
    assert [word for message_id, word in world.facts() if message_id == "m-1"] == list(dict.fromkeys(["SENT", status]))


async def test_a_reported_failure_is_the_evidence_of_an_unknown_outcome() -> None:
    world = World()
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await until(lambda: [row.stage for row in world.rows()] == [Stage.UNKNOWN])
    world.receive(ReceiptReported("default", "p-9", "m-1", "FAILED", now_ms(), "131026", "undeliverable"))
    await until(world.is_done)
    failed = failure(world)
    assert (failed.failure_code, failed.failure_detail, failed.attempt) == ("131026", "undeliverable", 1)


@pytest.mark.parametrize(
    ("found", "calls", "word"),
    [
        (Sent("p-9", 1), ["m-1"], "SENT"),
        (NotNow("the channel does not have it"), ["m-1", "m-1"], "SENT"),
        (Refused("131026", "undeliverable"), ["m-1"], "FAILED"),
        (Unknown("no answer"), ["m-1"], "FAILED"),
    ],
)
async def test_a_channel_that_can_be_asked_tells_what_came_of_a_send(
    found: SendOutcome, calls: list[str], word: str
) -> None:
    world = World(can_look_up=True, evidence_seconds=0.02)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    world.channel.evidence["m-1"] = found
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert (world.channel.questions, world.channel.calls) == (["m-1"], calls)
    assert world.facts() == [("m-1", word)]


async def test_a_repeatable_channel_is_asked_again_after_a_time_out() -> None:
    world = World(repeatable=True)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-1"]
    assert outcome(world.attempt("m-1")) == (2, Outcome.SENT, "p-m-1-2")


async def test_a_long_text_of_the_channel_is_cut_before_it_goes_into_records() -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("c" * 5_000, "<html>" * 60_000)]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    failed, attempt = failure(world), world.attempt("m-1")
    assert (len(failed.failure_code or ""), len(failed.failure_detail or "")) == (2_000, 2_000)
    assert attempt is not None
    assert attempt.failure_detail == failed.failure_detail


async def test_a_malformed_request_is_a_dead_letter_and_the_rest_goes_on() -> None:
    world = World()
    good = encode(DeliveryRequested("m-1", "c", "u", "whatsapp:+5511999990000", "hi", None, now_ms(), 0))
    await world.deliver(batch_of("whatsapp-outbound", b"nonsense", good))
    await until(world.is_done)
    assert len(world.letters()) == 1
    assert world.channel.calls == ["m-1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"position": -1},
        {"position": 2**63 - 1},
        {"conversation_id": "c" * 70_000},
        {"recipient_id": "whatsapp:" + "9" * 70_000},
        {"account": "a b"},
        {"account": "a" * 64},
    ],
    ids=["negative", "too large", "long conversation", "long address", "account with a space", "long account"],
)
async def test_a_request_that_no_row_can_hold_is_a_dead_letter(fields: dict[str, Any]) -> None:
    world = World()
    await world.deliver(requests("m-1", **fields))
    await world.deliver(requests("m-2"))
    await until(world.is_done)
    assert [letter.reason for letter in world.letters()] == ["malformed-record"]
    assert world.channel.calls == ["m-2"]


async def test_two_messages_at_one_place_are_both_sent() -> None:
    """The topics were made anew while a row waited: positions begin again."""
    world = World()
    world.channel.open.clear()
    for i in ("m-1", "m-2", "m-3"):
        await world.deliver(requests(i, position=7))
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-2", "m-3"]


def to_several(*ids: str) -> RecordBatch:
    """Messages to three people, two of them on WhatsApp."""
    values = [
        encode(DeliveryRequested(i, "c-1", "u", f"whatsapp:+551199999000{n}", "hi", None, now_ms(), position, 3))
        for position, i in enumerate(ids)
        for n in (1, 2)
    ]
    return batch_of("whatsapp-outbound", *values)


async def test_each_address_of_a_message_has_its_own_attempt_and_its_own_facts() -> None:
    world = World()
    world.channel.promises = [Receipt(Status.READ, now_ms())]
    await world.deliver(to_several("m-1"))
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-1"]
    assert set(world.table.rows) == {b"m-1 whatsapp:+5511999990001", b"m-1 whatsapp:+5511999990002"}
    reports = [decode(value, ReceiptReported) for value in world.producer.on("whatsapp-events")]
    world.receive(*reports)
    assert {(change.recipient_id, change.status, change.recipient_count) for change in world.changes()} == {
        (f"whatsapp:+551199999000{n}", word, 3) for n in (1, 2) for word in ("SENT", "READ")
    }


async def test_the_addresses_of_a_message_go_side_by_side_and_each_keeps_its_own_order() -> None:
    """A head that waits holds only its own conversation and address."""
    world = World()
    first, _ = (f"whatsapp:+551199999000{n}" for n in (1, 2))
    addresses: list[tuple[str, str]] = []
    gate = asyncio.Event()

    async def send(request: DeliveryRequested, attempt: int, attachment: object = None) -> Sent:
        addresses.append((request.message_id, request.recipient_id[-1]))
        if request.recipient_id == first:
            await gate.wait()
        return Sent(f"p-{len(addresses)}", now_ms())

    world.channel.send = send  # type: ignore[assignment, method-assign]
    await world.deliver(to_several("m-1", "m-2"))
    await until(lambda: ("m-2", "2") in addresses)
    assert ("m-2", "1") not in addresses
    gate.set()
    await until(world.is_done)
    assert addresses.index(("m-1", "1")) < addresses.index(("m-2", "1"))


@pytest.mark.parametrize("at_ms", [1_763_848_800_123_000, -1, 2**62])
async def test_a_time_of_the_channel_that_cannot_be_is_set_where_it_comes_in(
    at_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    before_ms = now_ms()

    async def send(request: DeliveryRequested, attempt: int, attachment: object = None) -> Sent:
        return Sent("p-1", at_ms)

    world.channel.send = send  # type: ignore[assignment, method-assign]
    await world.deliver(requests("m-1", accepted_at_ms=before_ms))
    await until(world.is_done)
    world.receive(ReceiptReported("default", "p-1", "m-1", "READ", at_ms))
    attempt = world.attempt("m-1")
    assert attempt is not None
    assert [change.status for change in world.changes()] == ["SENT", "READ"]
    assert all(before_ms <= time <= now_ms() for time in [attempt.at_ms, *(change.at_ms for change in world.changes())])
    assert str(at_ms) in caplog.text


async def test_rows_leave_by_our_clock_not_by_the_channels() -> None:
    world = World()
    world.channel.answers["m-1"] = [Sent("p-1", now_ms() + 60_000)]
    before_ms = now_ms()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    recorded_ms = attempts.recorded_at_ms(world.table.rows[b"m-1"])
    assert before_ms <= recorded_ms <= now_ms()
    old = b'[1,"sent",1732312312377,"sim.1",null,null]'
    assert attempts.recorded_at_ms(old) == 1732312312377


async def test_a_throttled_account_costs_no_attempt() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("too many", 0.001, Scope.ACCOUNT, is_throttling=True)] * 2
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]
    assert outcome(world.attempt("m-1"))[0] == 3
