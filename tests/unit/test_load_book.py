"""The ledger of a Locust run, from what the API says: a fault in an answer makes the run void."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests.locust.book import Book, is_finished, words_of
from loadtests.locust.histories import read_histories
from loadtests.orders import Order

CONVERSATION = "load-1"
Document = dict[str, Any]


def document(number: int, **changes: object) -> Document:
    at = f"2026-11-28T12:00:{number:02d}.000Z"
    made: Document = {
        "message_id": f"m{number}",
        "conversation_id": CONVERSATION,
        "recipient_id": "whatsapp:+5511900000001",
        "content": f"text {number}",
        "timestamp": 1_000 * number,
        "status": "READ",
        "sent_at": at,
        "delivered_at": at,
        "read_at": at,
        "failed_at": None,
    }
    return {**made, **changes}


def book(count: int = 3) -> Book:
    made = Book()
    for number in range(count):
        made.accept(f"m{number}", Order(CONVERSATION, "whatsapp:+5511900000001", f"text {number}"))
    return made


def documents(count: int = 3) -> list[Document]:
    return [document(number) for number in range(count)]


def test_a_run_whose_messages_are_all_read_is_balanced() -> None:
    balance = book().balance({CONVERSATION: documents()})
    assert balance.is_balanced, str(balance)
    assert (balance.accepted, balance.read) == (3, 3)


def test_a_message_to_everyone_has_no_recipient() -> None:
    made = Book()
    made.accept("m0", Order(CONVERSATION, "", "text 0"))
    assert made.balance({CONVERSATION: [document(0, recipient_id=None)]}).is_balanced


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (documents(2), "accepted and not in the log"),
        ([*documents(), document(2)], "logged twice"),
        ([*documents(), document(3)], "logged and never accepted"),
        ([*documents(2), document(2, content="another text")], "altered"),
        ([*documents(2), document(2, status="DELIVERED", read_at=None)], "accepted and never finished"),
        ([document(0), document(1, sent_at="2026-11-28T12:00:09.000Z"), document(2)], "conversation out of order"),
    ],
    ids=["lost", "twice", "stranger", "altered", "unfinished", "disorder"],
)
def test_a_fault_makes_the_run_void(found: list[Document], fault: str) -> None:
    balance = book().balance({CONVERSATION: found})
    assert fault in balance.faults


def test_a_request_without_a_certain_answer_may_have_made_a_message() -> None:
    made = book(2)
    made.uncertain = 1
    assert made.balance({CONVERSATION: documents(3)}).is_balanced


def test_a_message_that_no_listener_was_shown_makes_the_run_void() -> None:
    made = Book()
    made.accept("m0", Order(CONVERSATION, "whatsapp:+5511900000001", "text 0"), is_pushed=True)
    assert set(made.balance({CONVERSATION: documents(1)}).faults) == {"accepted and never pushed to a listener"}
    made.pushed.add("m0")
    assert made.balance({CONVERSATION: documents(1)}).is_balanced


def test_an_id_that_was_answered_twice_makes_the_run_void() -> None:
    made = book(1)
    made.accept("m0", Order(CONVERSATION, "whatsapp:+5511900000001", "text 0"))
    assert set(made.balance({CONVERSATION: documents(1)}).faults) == {"answered twice with one id"}


def test_a_failed_message_is_finished() -> None:
    failed = document(0, status="FAILED", sent_at=None, delivered_at=None, read_at=None)
    assert is_finished(failed)
    assert words_of(failed) == ("ACCEPTED", "FAILED")


class Pages:
    """Pages of two messages; ``rounds`` are the histories of one reading after the other."""

    def __init__(self, *rounds: list[Document]) -> None:
        self._rounds = list(rounds)
        self.asked: list[str] = []

    def read(self, conversation_id: str, cursor: str) -> tuple[list[Document], str]:
        assert conversation_id == CONVERSATION
        self.asked.append(cursor)
        at, present = int(cursor or 0), self._rounds[0]
        after = str(at + 2) if at + 2 < len(present) else ""
        if not after and len(self._rounds) > 1:
            self._rounds.pop(0)
        return present[at : at + 2], after


def read(pages: Pages, expected: int, times: list[float] | None = None) -> list[Document]:
    clock = iter(times or [0.0] * 100)
    found = read_histories(
        [CONVERSATION], pages.read, expected=lambda: expected, clock=lambda: next(clock), pause=lambda _: None
    )
    return found[CONVERSATION]


def test_a_history_is_read_until_every_message_is_finished() -> None:
    open_one = document(4, status="SENT", read_at=None)
    pages = Pages([*documents(4), open_one], documents(5))
    assert read(pages, 5) == documents(5)
    assert pages.asked == ["", "2", "4", "4"], "pages that are finished are not read again"


def test_a_history_is_read_until_every_accepted_message_is_there() -> None:
    assert read(Pages(documents(2), documents(3)), 3) == documents(3)


def test_reading_ends_when_nothing_changes_any_more() -> None:
    stuck = [document(0, status="SENT", read_at=None)]
    assert read(Pages(stuck), 1, [0.0, 1.0, 30.0, 90.0]) == stuck


def inbound(text: str, number: int = 7) -> Document:
    return document(number, content=text, direction="inbound", status="SENT", read_at=None)


def test_what_a_person_wrote_is_in_the_conversation_once_and_was_pushed() -> None:
    made = book(1)
    made.written.append("hello from a phone")
    made.arrived.append((CONVERSATION, "m7", "hello from a phone"))
    found = [document(0), inbound("hello from a phone")]
    assert made.balance({CONVERSATION: found}).is_balanced
    assert is_finished(found[1]), "it need not be read"


@pytest.mark.parametrize(
    ("found", "arrived", "fault"),
    [
        ([], True, "written by a person and not in a conversation"),
        ([inbound("hi", 7), inbound("hi", 8)], True, "written by a person and there more than once"),
        ([inbound("hi")], False, "written by a person and never pushed"),
    ],
    ids=["lost", "twice", "not pushed"],
)
def test_a_lost_or_repeated_text_of_a_person_makes_the_run_void(
    found: list[Document], arrived: bool, fault: str
) -> None:
    made = Book()
    made.written.append("hi")
    if arrived:
        made.arrived.append((CONVERSATION, "m7", "hi"))
    assert set(made.balance({CONVERSATION: found}).faults) == {fault}
