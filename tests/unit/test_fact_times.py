"""Times that a fact cannot have are set to what it can have, the same in every view; none of them breaks an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.facts import read_fact
from app.audit_rules import History
from app.kafka.codec import encode
from domain.errors import MalformedRecord
from domain.fact_times import MAX_MS, SKEW_MS, not_before_ms, plausible, plausible_ms
from domain.records import StatusChanged
from web.http.responses import iso_utc, utc

ACCEPTED = 1_700_000_000_000
LOGGED = ACCEPTED + 4_000
ANY = st.integers(-(2**63), 2**64 - 1)


def change(at_ms: int, accepted_at_ms: int = ACCEPTED, position: int = 7) -> StatusChanged:
    return StatusChanged("m-1", "c-1", "READ", at_ms, accepted_at_ms, position, "whatsapp", 1)


@pytest.mark.parametrize(
    ("at_ms", "shown"),
    [
        (ACCEPTED + 3_000, ACCEPTED + 3_000),
        (ACCEPTED - SKEW_MS, ACCEPTED - SKEW_MS),  # clocks differ
        (LOGGED + SKEW_MS, LOGGED + SKEW_MS),
        ((ACCEPTED + 3_000) * 1_000, LOGGED),  # microseconds
        ((ACCEPTED + 3_000) // 1_000, ACCEPTED),  # seconds
        (-1, ACCEPTED),
        (0, ACCEPTED),
        (2**64 - 1, LOGGED),
    ],
)
def test_a_time_is_between_the_acceptance_of_its_message_and_its_place_in_the_log(at_ms: int, shown: int) -> None:
    assert plausible(change(at_ms), LOGGED).at_ms == shown
    record, fact = read_fact(encode(change(at_ms)), LOGGED)
    assert (record.at_ms, fact.at_ms) == (at_ms, shown)
    history = History(0)
    history.add_fact(encode(change(at_ms)), LOGGED)
    assert history.folded["m-1"].state.read_at_ms == shown


@given(ANY, st.integers(0, MAX_MS), ANY)
def test_whatever_the_clocks_say_the_time_is_one_that_a_calendar_has(at_ms: int, accepted: int, logged: int) -> None:
    found = plausible_ms(at_ms, accepted, min(logged, MAX_MS - SKEW_MS))
    assert 0 <= found <= MAX_MS
    assert plausible_ms(found, accepted, min(logged, MAX_MS - SKEW_MS)) == found


@pytest.mark.parametrize(("accepted", "position"), [(-1, 7), (ACCEPTED * 1_000, 7), (ACCEPTED, -1), (ACCEPTED, 2**63)])
def test_a_fact_at_a_place_that_no_message_has_is_no_fact(accepted: int, position: int) -> None:
    with pytest.raises(MalformedRecord):
        read_fact(encode(change(ACCEPTED, accepted, position)), LOGGED)


@given(ANY)
def test_every_number_is_written_as_a_time_that_every_client_can_read(epoch_ms: int) -> None:
    text = iso_utc(epoch_ms)
    assert len(text) == len("2025-11-22T22:00:00.123Z")
    for zone in (-12, 14):
        datetime.fromisoformat(text).astimezone(timezone(timedelta(hours=zone)))
    if 0 <= epoch_ms <= MAX_MS:
        assert round(datetime.fromisoformat(text).timestamp() * 1000) == epoch_ms
    assert utc(epoch_ms).tzinfo is UTC


@pytest.mark.parametrize(
    ("at_ms", "sent_at_ms", "expected"),
    [
        (5_000, 5_642, 5_642),  # the second in which it was sent
        (5_000, 5_000, 5_000),
        (5_000, 6_000, 5_000),  # another second: a clock that differs, which is no matter of a unit
        (6_000, 5_642, 6_000),
        (5_001, 5_642, 5_001),  # in milliseconds
    ],
)
def test_a_receipt_in_whole_seconds_is_not_before_its_message(at_ms: int, sent_at_ms: int, expected: int) -> None:
    assert not_before_ms(at_ms, sent_at_ms) == expected
