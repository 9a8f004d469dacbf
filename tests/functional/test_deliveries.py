"""Delivery on fakes: order, attempts on record, failures, and what happens when the partitions go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.clock import now_ms
from app.faust.batches import RecordBatch
from app.kafka.codec import decode, encode
from domain.attempts import Attempt, Outcome
from domain.outcomes import OUTCOME_UNKNOWN, NotNow, Refused, Sent, Unknown
from domain.ports import Receipt
from domain.records import DeadLetter, DeliveryRequested, StatusChanged
from domain.status import Status
from support.deliveries import World, requests
from support.fakes import batch_of
from support.waiting import until
from tables import attempts


async def test_a_message_is_sent_and_followed_to_read_and_then_its_batch_is_complete() -> None:
    world = World()
    batch = requests("m-1")
    await world.deliver(batch)
    await until(lambda: world.app.consumer.completed)
    assert world.facts() == [("m-1", "SENT"), ("m-1", "DELIVERED"), ("m-1", "READ")]
    assert world.attempt("m-1") == Attempt(1, Outcome.SENT, 100, "p-m-1-1")


async def test_the_attempt_is_durable_before_the_channel_is_called() -> None:
    world = World()
    world.app.batch_producer.held = True
    await world.deliver(requests("m-1"))
    await asyncio.sleep(0.02)
    assert world.channel.calls == []
    assert world.attempt("m-1").outcome == Outcome.BEGUN  # type: ignore[union-attr]
    world.app.batch_producer.release()
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1"]


async def test_a_batch_is_not_complete_before_all_it_wrote_is_durable() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.channel.calls)
    world.app.batch_producer.held = True
    world.channel.open.set()
    await until(lambda: len(world.facts()) == 3)
    await asyncio.sleep(0.02)
    assert world.app.consumer.completed == []
    world.app.batch_producer.release()
    await until(lambda: world.app.consumer.completed)


async def test_a_conversation_keeps_its_order_while_others_overtake_it() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("a-1", "a-2", conversation="a"))
    await world.deliver(requests("b-1", conversation="b", start=2))
    await until(lambda: len(world.channel.calls) == 2)
    assert set(world.channel.calls) == {"a-1", "b-1"}
    world.channel.open.set()
    await until(lambda: len(world.app.consumer.completed) == 2)
    assert world.channel.calls.index("a-2") > world.channel.calls.index("a-1")


async def test_a_failure_is_reported_with_its_reason_and_holds_up_nobody() -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("blocked", "the person blocked this number")]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.app.consumer.completed)
    failed = decode(world.app.batch_producer.on("status-updates")[0], StatusChanged)
    assert (failed.status, failed.failure_code, failed.attempt) == ("FAILED", "blocked", 1)
    assert ("m-2", "READ") in world.facts()


async def test_an_unavailable_channel_is_tried_again_and_the_attempts_are_counted() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("busy"), NotNow("busy")]
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    assert world.attempt("m-1") == Attempt(3, Outcome.SENT, 100, "p-m-1-3")


async def test_tries_are_bounded_and_then_the_message_fails() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("busy")] * 50
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    assert len(world.channel.calls) == 8
    assert world.facts() == [("m-1", "FAILED")]


async def test_what_was_sent_is_not_sent_again_when_its_event_comes_back() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    await world.deliver(requests("m-1"))
    await until(lambda: len(world.app.consumer.completed) == 2)
    assert world.channel.calls == ["m-1"]
    assert world.facts() == [("m-1", "SENT"), ("m-1", "DELIVERED"), ("m-1", "READ")] * 2
    first, again = (world.app.batch_producer.on("status-updates")[n] for n in (0, 3))
    assert first == again


async def test_an_attempt_whose_outcome_a_crash_hid_is_not_repeated_and_fails() -> None:
    world = World(repeatable=False)
    world.table.rows[b"m-2"] = attempts.dump(Attempt(1, Outcome.BEGUN, 5))
    await world.deliver(requests("m-1", "m-2", start=40))
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1"]
    letter = decode(world.app.batch_producer.on("dead-letters")[0], DeadLetter)
    assert (letter.reason, letter.offset, letter.attempts) == ("unknown-outcome", 41, 1)
    changes = [decode(value, StatusChanged) for value in world.app.batch_producer.on("status-updates")]
    (failed,) = [change for change in changes if change.failure_code]
    assert (failed.message_id, failed.status, failed.failure_code) == ("m-2", "FAILED", OUTCOME_UNKNOWN)
    await world.deliver(requests("m-2", start=41))  # it comes again: told again, not asked again
    await until(lambda: len(world.app.consumer.completed) == 2)
    assert len(world.app.batch_producer.on("dead-letters")) == 1


@pytest.mark.parametrize(
    "answer",
    [Unknown("the connection broke"), TimeoutError("by the client library"), ValueError("no JSON"), 5],
    ids=["unknown", "time-out", "exception", "no outcome"],
)
async def test_what_nobody_can_tell_fails_its_message_alone_and_is_set_aside(answer: Any) -> None:
    world = World()
    world.channel.answers["m-1"] = [answer]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1", "m-2"]
    assert [fact for fact in world.facts() if fact[0] == "m-1"] == [("m-1", "FAILED")]
    assert ("m-2", "READ") in world.facts()
    assert len(world.app.batch_producer.on("dead-letters")) == 1
    assert world.app.aborted == []


async def test_a_connector_cancelled_from_inside_loses_no_message() -> None:
    """A shared token refresh, or a client library's own scope, may cancel the call."""
    world = World()
    world.channel.answers["m-1"] = [asyncio.CancelledError()]
    await world.deliver(requests("m-1", "m-2", "m-3"))
    await until(lambda: world.app.consumer.completed)
    assert {(message_id, word) for message_id, word in world.facts() if word in ("FAILED", "READ")} == {
        ("m-1", "FAILED"),
        ("m-2", "READ"),
        ("m-3", "READ"),
    }


async def test_a_channel_that_does_not_answer_is_not_waited_for_longer_than_the_setting_says() -> None:
    world = World(send_seconds=0.05)
    world.channel.open.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    failed = decode(world.app.batch_producer.on("status-updates")[0], StatusChanged)
    assert (failed.status, failed.failure_code) == ("FAILED", OUTCOME_UNKNOWN)
    assert "0.05 seconds" in (failed.failure_detail or "")


async def test_a_repeatable_channel_is_asked_again_after_a_time_out() -> None:
    world = World(repeatable=True)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1", "m-1"]
    assert world.attempt("m-1") == Attempt(2, Outcome.SENT, 100, "p-m-1-2")


async def test_what_waits_behind_another_message_has_no_attempt_on_record() -> None:
    """After a crash it is known not to have been sent."""
    world = World()
    world.channel.open.clear()
    await world.deliver(requests(*(f"m-{n}" for n in range(50))))
    await until(lambda: world.channel.calls)
    assert set(world.table.rows) == {b"m-0"}
    world.channel.open.set()
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == [f"m-{n}" for n in range(50)]


async def test_a_long_text_of_the_channel_is_cut_before_it_goes_into_records() -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("c" * 5_000, "<html>" * 60_000)]
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    failed = decode(world.app.batch_producer.on("status-updates")[0], StatusChanged)
    assert (len(failed.failure_code or ""), len(failed.failure_detail or "")) == (2_000, 2_000)
    assert world.attempt("m-1").failure_detail == failed.failure_detail  # type: ignore[union-attr]


async def test_each_answer_of_the_channel_is_progress_for_the_watchdog() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("busy"), NotNow("busy")]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.app.consumer.completed)
    assert world.app.progress == 4


async def test_a_channel_that_recognises_repetitions_is_asked_again() -> None:
    world = World(repeatable=True)
    world.table.rows[b"m-1"] = attempts.dump(Attempt(1, Outcome.BEGUN, 5))
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    assert world.attempt("m-1").number == 2  # type: ignore[union-attr]


async def test_draining_waits_for_sends_and_takes_back_what_was_not_begun() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.channel.calls == ["m-1"])
    draining = asyncio.create_task(world.app.drain())
    await asyncio.sleep(0.02)
    assert not draining.done()
    world.channel.open.set()
    await draining
    assert world.channel.calls == ["m-1"]
    assert world.attempt("m-1").outcome == Outcome.SENT  # type: ignore[union-attr]
    assert world.attempt("m-2") is None, "m-2 was never handed over: whoever gets the partition may send it"
    assert world.app.consumer.completed == []


async def test_draining_does_not_wait_for_receipts() -> None:
    world = World()
    world.channel.reading.clear()
    await world.deliver(requests("m-1"))
    await until(lambda: ("m-1", "DELIVERED") in world.facts())
    await asyncio.wait_for(world.app.drain(), 1)
    assert world.app.consumer.completed == []


async def test_a_bound_on_deliveries_in_hand_makes_the_agent_wait() -> None:
    world = World(in_flight=2)
    world.channel.open.clear()
    delivering = asyncio.create_task(world.deliver(requests("m-1", "m-2", "m-3", conversation="x")))
    await asyncio.sleep(0.02)
    assert not delivering.done()
    world.channel.open.set()
    await asyncio.wait_for(delivering, 1)
    await until(lambda: world.app.consumer.completed)
    assert world.app.aborted == []


async def test_a_malformed_request_is_a_dead_letter_and_the_rest_goes_on() -> None:
    world = World()
    good = encode(DeliveryRequested("m-1", "c", "u", "whatsapp:+5511999990000", "hi", None, 1, 0))
    await world.deliver(batch_of("whatsapp-outbound", b"nonsense", good))
    await until(lambda: world.app.consumer.completed)
    assert len(world.app.batch_producer.on("dead-letters")) == 1
    assert world.channel.calls == ["m-1"]


async def test_the_same_message_twice_in_the_log_is_sent_once() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests("m-1", "m-1"))
    await until(lambda: world.channel.calls)
    world.channel.open.set()
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1"]
    assert world.app.batch_producer.on("dead-letters") == []


def to_several(*ids: str) -> RecordBatch:
    """Messages to three people, two of them on WhatsApp."""
    values = [
        encode(DeliveryRequested(i, "c-1", "u", f"whatsapp:+551199999000{n}", "hi", None, 1, 0, 3))
        for i in ids
        for n in (1, 2)
    ]
    return batch_of("whatsapp-outbound", *values)


async def test_each_address_of_a_message_has_its_own_attempt_and_its_own_facts() -> None:
    world = World()
    await world.deliver(to_several("m-1"))
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1", "m-1"]
    assert set(world.table.rows) == {b"m-1 whatsapp:+5511999990001", b"m-1 whatsapp:+5511999990002"}
    changes = [decode(value, StatusChanged) for value in world.app.batch_producer.on("status-updates")]
    assert {(change.recipient_id, change.status, change.recipient_count) for change in changes} == {
        (f"whatsapp:+551199999000{n}", word, 3) for n in (1, 2) for word in ("SENT", "DELIVERED", "READ")
    }


async def test_no_address_is_sent_to_again_when_its_event_comes_back() -> None:
    world = World()
    world.channel.answers["m-1"] = [Refused("blocked", "one of the two")]
    await world.deliver(to_several("m-1"))
    await until(lambda: world.app.consumer.completed)
    for times in (2, 3):
        await world.deliver(to_several("m-1", "m-1"))
        await until(lambda wanted=times: len(world.app.consumer.completed) == wanted)
    assert world.channel.calls == ["m-1", "m-1"]
    assert world.app.batch_producer.on("dead-letters") == []


async def test_the_same_address_twice_in_the_log_is_sent_once() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(to_several("m-1", "m-1"))
    await until(lambda: len(world.channel.calls) == 2)
    world.channel.open.set()
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1", "m-1"]


async def test_the_addresses_of_a_message_go_side_by_side_and_the_next_message_waits_for_all() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(to_several("m-1", "m-2"))
    await until(lambda: world.channel.calls)
    await asyncio.sleep(0.02)
    assert world.channel.calls == ["m-1", "m-1"]
    world.channel.open.set()
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1", "m-1", "m-2", "m-2"]


async def test_draining_takes_back_each_address_that_was_not_begun() -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(to_several("m-1", "m-2"))
    await until(lambda: len(world.channel.calls) == 2)
    draining = asyncio.create_task(world.app.drain())
    await asyncio.sleep(0.02)
    world.channel.open.set()
    await draining
    assert {key.split()[0] for key in world.table.rows} == {b"m-1"}
    await world.deliver(to_several("m-1", "m-2"))
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1", "m-1", "m-2", "m-2"]


async def test_draining_before_a_delivery_took_its_first_step_leaks_nothing() -> None:
    world = World(in_flight=1)
    await world.deliver(requests("m-1"))
    await world.app.drain()
    assert world.channel.calls == []
    assert world.attempt("m-1") is None
    await world.deliver(requests("m-1"))
    await until(lambda: world.app.consumer.completed)
    assert world.channel.calls == ["m-1"]


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_keyed_message_that_comes_again_at_another_place_is_only_reported_again(repeatable: bool) -> None:
    world = World(repeatable=repeatable)
    await world.deliver(requests("m-1", start=0))
    await until(lambda: world.app.consumer.completed)
    await world.deliver(requests("m-2", "m-1", start=7))
    await until(lambda: len(world.app.consumer.completed) == 2)
    assert world.channel.calls == ["m-1", "m-2"]
    assert {status for message_id, status in world.facts() if message_id == "m-1"} == {"SENT", "DELIVERED", "READ"}
    assert world.app.batch_producer.on("dead-letters") == []


@pytest.mark.parametrize("at_ms", [1_763_848_800_123_000, -1, 2**62])
async def test_a_time_of_the_channel_that_cannot_be_is_set_where_it_comes_in(
    at_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    before_ms = now_ms()

    async def send(request: DeliveryRequested, attempt: int, attachment: object = None) -> Sent:
        return Sent("p-1", at_ms)

    async def receipts(request: DeliveryRequested, sent: Sent) -> AsyncIterator[Receipt]:
        yield Receipt(Status.READ, at_ms)

    world.channel.send, world.channel.receipts = send, receipts  # type: ignore[method-assign]
    await world.deliver(requests("m-1", accepted_at_ms=before_ms))
    await until(lambda: world.app.consumer.completed)
    changes = [decode(value, StatusChanged) for value in world.app.batch_producer.on("status-updates")]
    attempt = world.attempt("m-1")
    assert attempt is not None  # it leaves the table by its time, and the message could go out once more
    assert all(before_ms <= time <= now_ms() for time in [attempt.at_ms, *(change.at_ms for change in changes)])
    assert str(at_ms) in caplog.text
