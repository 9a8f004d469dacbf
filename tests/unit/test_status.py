"""The rules of a message's state: a join, so neither order nor repetition of facts matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.status import UNKNOWN, Fact, MessageState, Status, fold, join

times = st.integers(0, 10_000)
attempts = st.integers(0, 4)
words = st.sampled_from(["a", "b", "c"])
facts = st.builds(
    Fact,
    status=st.sampled_from([str(word) for word in Status]),
    at_ms=times,
    attempt=attempts,
    provider_id=st.none() | words,
    failure_code=st.none() | words,
    failure_detail=st.none() | words,
    pricing=st.none() | words,
)


@given(st.lists(facts, max_size=12), st.randoms())
def test_any_order_of_any_facts_ends_in_the_same_state(some: list[Fact], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(shuffled) == fold(some)


@given(st.lists(facts, max_size=12), st.data())
def test_any_repetition_of_any_subset_changes_nothing(some: list[Fact], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(some), max_size=12)) if some else []
    mixed = data.draw(st.permutations(some + again))
    assert fold(mixed) == fold(some)


@given(st.lists(facts, max_size=8), st.lists(facts, max_size=8))
def test_a_fold_can_be_interrupted_and_continued(first: list[Fact], second: list[Fact]) -> None:
    assert fold(second, fold(first)) == fold(first + second)


@given(st.lists(facts, max_size=8), facts)
def test_one_more_fact_never_makes_a_word_later_or_a_receipt_unknown(some: list[Fact], fact: Fact) -> None:
    before, after = fold(some), join(fold(some), fact)
    for name in ("accepted_at_ms", "sent_at_ms", "delivered_at_ms", "read_at_ms", "failed_at_ms"):
        known = getattr(before, name)
        assert known is None or getattr(after, name) <= known


def state_of(*words: tuple[str, int] | tuple[str, int, int]) -> MessageState:
    return fold(Fact(word, at, *rest) for word, at, *rest in words)  # type: ignore[arg-type]


def test_nothing_known_means_accepted() -> None:
    assert UNKNOWN.status is Status.ACCEPTED


def test_a_late_delivered_does_not_undo_read() -> None:
    assert state_of(("READ", 5), ("DELIVERED", 9)).status is Status.READ


def test_the_earliest_time_wins_for_each_word() -> None:
    assert state_of(("SENT", 9), ("SENT", 4), ("SENT", 6)).sent_at_ms == 4


@pytest.mark.parametrize("receipt", ["DELIVERED", "READ"])
@pytest.mark.parametrize("at_ms", [1, 9])
def test_a_receipt_heals_failed_whatever_its_clock_says(receipt: str, at_ms: int) -> None:
    assert state_of(("SENT", 2), ("FAILED", 5), (receipt, at_ms)).status == receipt


def test_failed_after_sent_of_the_same_attempt_is_failed() -> None:
    assert state_of(("SENT", 2, 1), ("FAILED", 5, 1)).status is Status.FAILED


def test_sent_of_a_later_attempt_heals_failed() -> None:
    assert state_of(("FAILED", 5, 1), ("SENT", 7, 2)).status is Status.SENT


def test_the_failure_of_the_newest_attempt_is_the_one_that_is_shown() -> None:
    state = fold([Fact("FAILED", 5, 2, None, "later", "x"), Fact("FAILED", 3, 1, None, "earlier", "y")])
    assert (state.failure_code, state.failed_at_ms) == ("later", 3)


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown status"):
        join(UNKNOWN, Fact("PLAYED", 1))


def test_the_last_change_is_the_latest_fact() -> None:
    assert state_of(("ACCEPTED", 1), ("SENT", 7), ("DELIVERED", 4)).last_change_ms == 7
