"""The state of messages by two clocks, beside an independent fold."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.kafka.codec import encode
from app.replay.entries import LogRecord
from app.replay.states import FOREVER_MS, PastStates, timeline
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged

MESSAGE = MessageAccepted("m-1", "c-1", "ana", "whatsapp:+5511999990000", "hi")
SENT = StatusChanged("m-1", "c-1", "SENT", 200, 100, 0, "whatsapp", 1)


def record(topic: str, at_ms: int, one: MessageAccepted | StatusChanged, offset: int = 0) -> LogRecord:
    return LogRecord(topic, 0, offset, at_ms, b"c-1", encode(one))


def status_at(as_of_ms: int, known_at_ms: int, facts: list[tuple[StatusChanged, int]]) -> str | None:
    states = PastStates(as_of_ms, known_at_ms)
    for fact, logged_ms in facts:
        states.add_fact(record("status-updates", logged_ms, fact))
    states.add_message(record("messages", 100, MESSAGE))
    found = states.found()
    return str(found[0].state.overall.status) if found else None


def test_the_two_clocks_tell_a_late_receipt_apart() -> None:
    read = replace(SENT, status="READ", at_ms=300, attempt=0)
    facts = [(SENT, 210), (read, 9_000)]  # it was read at 300, and the log knew of it at 9,000
    assert status_at(250, FOREVER_MS, facts) == "SENT"
    assert status_at(400, FOREVER_MS, facts) == "READ"  # it had happened
    assert status_at(400, 400, facts) == "SENT"  # and was not known then
    assert status_at(FOREVER_MS, 9_000, facts) == "READ"


def test_facts_of_one_moment_are_in_the_order_of_a_life() -> None:
    states = PastStates()
    states.add_message(record("messages", 100, MESSAGE))
    for word in ("READ", "SENT", "DELIVERED"):
        for address in ("whatsapp:+2", "whatsapp:+1"):
            change = replace(SENT, status=word, recipient_id=address, recipient_count=2)
            states.add_fact(record("status-updates", 210, change))
    (found,) = states.found()
    assert [(fact.recipient_id, fact.status) for fact in timeline(found.state)] == [
        (address, word) for address in ("whatsapp:+1", "whatsapp:+2") for word in ("SENT", "DELIVERED", "READ")
    ]


def test_before_its_acceptance_there_is_no_message() -> None:
    assert status_at(99, FOREVER_MS, [(SENT, 210)]) is None
    assert status_at(FOREVER_MS, 99, [(SENT, 210)]) is None
    assert status_at(100, 100, [(SENT, 210)]) == "ACCEPTED"


def test_only_the_wanted_ones_are_folded_and_malformed_records_change_nothing() -> None:
    states = PastStates(message_id="m-1")
    other = replace(MESSAGE, message_id="m-2")
    for offset, one in enumerate((MESSAGE, other, MESSAGE)):
        states.add_message(record("messages", 100 + offset, one, offset))
    states.add_message(LogRecord("messages", 0, 9, 100, b"c-1", b"{"))
    states.add_fact(LogRecord("status-updates", 0, 9, 100, b"c-1", None))
    states.add_fact(record("status-updates", 100, replace(SENT, status="VANISHED")))
    assert [(one.message_id, one.position) for one in states.found()] == [("m-1", LogPosition(100, 0))]


RANKS = {"ACCEPTED": 0, "SENT": 1, "DELIVERED": 2, "READ": 3}
times = st.integers(100, 400)


@given(st.lists(st.tuples(st.sampled_from(sorted(RANKS)), times, times), max_size=8), times, times)
def test_the_state_equals_an_independent_fold(facts: list[tuple[str, int, int]], as_of: int, known_at: int) -> None:
    made = [(replace(SENT, status=word, at_ms=at), logged) for word, at, logged in facts]
    counted = [word for word, at, logged in facts if at <= as_of and logged <= known_at]
    expected = max(counted, key=RANKS.__getitem__, default="ACCEPTED")
    assert status_at(as_of, known_at, made) == expected
