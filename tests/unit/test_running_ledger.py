"""The ledger of a running system: whatever happens to a delivery, it is on exactly one page of the books."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.codec import encode
from app.ledger.entries import PartitionBooks, position_of
from app.ledger.metrics import LedgerMetrics
from app.ledger.saved_books import load, save
from domain.attempts import QueuedDelivery
from domain.ledger import MOST_UNSUCCESSFUL, Balance, Books, Cut, Outcome, total
from domain.ports import LogPosition
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted
from domain.routing import decide, status_change
from domain.status import Status
from tables import queue
from tables.loaders import LOADERS

PERSON, OTHER = "whatsapp:+5511999990000", "instagram:@maria"
ALL = Cut(routed_to=1_000)


def booked(*names: str, most_open: int = 100) -> Books:
    books = Books(most_open)
    for position, name in enumerate(names):
        books.accept(name, {name: "whatsapp"}, position, may_repeat=False)
    return books


def test_a_delivery_is_unrouted_requested_queued_and_then_has_its_outcome() -> None:
    books = booked("m-0")
    assert books.balance(Cut(0)) == Balance(accepted=1, unrouted=1)
    assert books.balance(Cut(1, {"whatsapp": 0})) == Balance(accepted=1, requested=1)
    assert books.balance(Cut(1, {}, {"m-0"})) == Balance(accepted=1, queued=1)
    books.fact("m-0", "SENT")
    assert books.balance(Cut(1)) == Balance(accepted=1, sent=1)
    assert not books.open


def test_what_waits_nowhere_and_has_no_outcome_is_the_difference() -> None:
    balance = booked("m-0", "m-1").balance(Cut(2, {}, {"m-1"}))
    assert (balance.difference, balance.missing, balance.waiting) == (1, ("m-0",), 1)


def test_the_commit_of_another_channel_says_nothing() -> None:
    assert booked("m-0").balance(Cut(1, {"telegram": 0})).difference == 1


@pytest.mark.parametrize("facts", [["SENT", "SENT"], ["DELIVERED", "READ", "SENT"], ["ACCEPTED", "SENT", "FAILED"]])
def test_an_outcome_counts_once_however_often_it_comes(facts: list[str]) -> None:
    books = booked("m-0")
    for status in facts:
        books.fact("m-0", status)
    assert books.balance(ALL) == Balance(accepted=1, sent=1)


def test_a_receipt_heals_a_failure_and_a_dead_letter() -> None:
    books = booked("m-0", "m-1")
    books.fact("m-0", "FAILED")
    books.dead_request("m-1")
    assert books.balance(ALL) == Balance(accepted=2, failed=1, dead=1)
    for name in ("m-0", "m-1"):
        books.fact(name, "READ")
        books.fact(name, "DELIVERED")
    assert books.balance(ALL) == Balance(accepted=2, sent=2)


def test_a_second_record_of_a_key_is_no_second_message() -> None:
    books = Books()
    books.accept("k", {"k": "whatsapp"}, 0, may_repeat=True)
    books.fact("k", "SENT")
    books.accept("k", {"k": "whatsapp"}, 1, may_repeat=True)
    assert books.balance(ALL) == Balance(accepted=1, sent=1)


def test_memory_is_bounded_and_what_does_not_fit_is_told() -> None:
    books = booked("m-0", "m-1", "m-2", most_open=2)
    books.fact("m-2", "SENT")
    assert books.balance(Cut(0)) == Balance(accepted=2, unrouted=2, passed_over=1)
    failed = booked(*(f"m-{n}" for n in range(MOST_UNSUCCESSFUL + 5)), most_open=MOST_UNSUCCESSFUL + 5)
    for n in range(MOST_UNSUCCESSFUL + 5):
        failed.fact(f"m-{n}", "FAILED")
    assert len(failed.unsuccessful) == MOST_UNSUCCESSFUL
    assert failed.balance(ALL).difference == 0


EVENTS = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["SENT", "READ", "FAILED", "ACCEPTED", "letter"])))


@given(EVENTS, st.integers(0, 8))
def test_the_difference_is_never_anything_but_what_is_missing(events: list[tuple[int, str]], routed_to: int) -> None:
    books = booked(*(f"m-{n}" for n in range(8)))
    for n, what in events:
        if what == "letter":
            books.dead_request(f"m-{n}")
        else:
            books.fact(f"m-{n}", what)
    settled = {n for n, what in events if what != "ACCEPTED"}
    balance = books.balance(Cut(routed_to))
    assert set(balance.missing) == {f"m-{n}" for n in range(routed_to) if n not in settled}
    assert balance.difference == len(balance.missing)
    assert min(balance.sent, balance.failed, balance.dead) >= 0


def test_a_sum_adds_every_number() -> None:
    one = Balance(9, 1, 1, 1, 1, 1, 1, ("m",), 4)
    assert total([one, one]) == Balance(18, 2, 2, 2, 2, 2, 2, ("m", "m"), 8)
    assert total([one, one]).difference == 6


# Records ------------------------------------------------------------------------------------------------------------


def record(value: bytes | None, offset: int = 0, key: bytes | None = None) -> Any:
    return SimpleNamespace(value=value, offset=offset, key=key)


def accepted(message_id: str = "m", **more: object) -> MessageAccepted:
    return MessageAccepted(message_id, "c", "u", more.pop("recipient_id", PERSON), "hi", **more)


@pytest.mark.parametrize(
    "message",
    [
        accepted(),
        accepted(recipient_id=""),
        accepted(recipient_id="internal:0193b5a0-0000-7000-8000-000000000001"),
        accepted(recipient_id="carrier-pigeon:1"),
        accepted(recipients=(PERSON, OTHER, "internal:0193b5a0-0000-7000-8000-000000000001", "nobody")),
    ],
)
def test_the_facts_of_routing_and_of_delivery_settle_every_delivery_of_a_message(message: MessageAccepted) -> None:
    books = PartitionBooks(LOADERS, "messages")
    books.add_messages([record(encode(message), 3)])
    routed = decide(message, LogPosition(1, 3))
    books.add_facts([record(encode(fact)) for fact in routed.facts])
    open_before = set(books.books.open)
    assert len(open_before) == len(routed.requests)
    for channel, request in routed.requests:
        books.add_facts([record(encode(status_change(request, channel, Status.SENT, 1)))])
    assert not books.books.open
    assert books.balance(4, {}).difference == 0


def test_rows_of_the_queue_hold_deliveries_until_they_go() -> None:
    books = PartitionBooks(LOADERS, "messages")
    books.add_messages([record(encode(accepted()), 3)])
    ((_, request),) = decide(accepted(), LogPosition(1, 3)).requests
    row = QueuedDelivery.of(request, 0, 1, 2, ())
    key = queue.delivery_row_key(queue.chain_prefix("default", "c", PERSON), 3)
    books.add_rows("whatsapp", [record(queue.dump(row, encode(request)), key=key), record(b"[1]", key=b"a c")])
    assert books.balance(4, {}) == Balance(accepted=1, queued=1)
    books.add_rows("whatsapp", [record(None, key=key)])
    assert books.balance(4, {}).missing == ("m",)


def test_dead_letters_settle_messages_and_requests_and_nothing_else() -> None:
    books = PartitionBooks(LOADERS, "messages")
    books.add_messages([record(encode(accepted()), 3), record(encode(accepted("n")), 4), record(b"noise", 5)])
    ((_, request),) = decide(accepted("n"), LogPosition(1, 4)).requests
    letters = [
        DeadLetter("messages", 0, 3, "invalid", "", None, b"", 1),
        DeadLetter("whatsapp-outbound", 0, 0, "invalid", "", None, encode(request), 1),
        DeadLetter("whatsapp-events", 0, 0, "invalid", "", None, b"x", 1),
        DeadLetter("whatsapp-outbound", 0, 0, "invalid", "", None, b"x", 1),
    ]
    books.add_letters([record(encode(letter)) for letter in letters], frozenset({"whatsapp-outbound"}))
    assert books.balance(6, {}) == Balance(accepted=3, dead=3)


def test_the_position_of_a_request_is_that_of_its_message() -> None:
    ((_, request),) = decide(accepted(), LogPosition(1, 17)).requests
    assert position_of(encode(request)) == 17
    assert position_of(b"noise") == 0
    assert isinstance(request, DeliveryRequested)


def test_books_are_saved_whole_and_a_broken_file_is_none(tmp_path: Path) -> None:
    books = booked("m-0", "m-1", "m-2", most_open=100)
    books.accept("k", {"k w": "whatsapp", "k i": "instagram"}, 7, may_repeat=True)
    books.fact("m-0", "SENT")
    books.fact("m-1", "FAILED")
    path = tmp_path / "deep" / "ledger.json"
    save(path, {("messages", 0): 8}, {0: books})
    found = load(path)
    assert found is not None
    assert found.offsets == {("messages", 0): 8}
    again = found.books[0]
    assert (again.open, again.counts, again.accepted) == (books.open, books.counts, books.accepted)
    assert (again.unsuccessful, again.repeatable) == (books.unsuccessful, books.repeatable)
    assert again.counts[Outcome.SENT] == 1
    path.write_bytes(path.read_bytes()[:-9])
    assert load(path) is None
    assert load(tmp_path / "none") is None


def test_the_metric_is_the_difference_and_its_age_grows_without_a_round() -> None:
    now = [10.0]
    metrics = LedgerMetrics(lambda: now[0])
    metrics.show(replace(Balance(accepted=5, sent=3), missing=("a", "b")))
    now[0] = 17.0
    text = metrics.render()[0].decode()
    assert "chat4all_ledger_difference 2" in text
    assert "chat4all_ledger_age_seconds 7.0" in text
    assert 'chat4all_ledger_deliveries{state="sent"} 3' in text
