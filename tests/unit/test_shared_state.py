"""A message to several addresses: a state for each, and one for all, whatever the order of the facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.status import UNKNOWN, Fact, MessageState, SharedState, Status, alone, fold, join, knows

ADDRESSES = ("whatsapp:+5511999990000", "instagram:@maria", "internal:u-3")
times = st.integers(0, 10_000)
words = st.none() | st.sampled_from(["a", "b"])
# also what should never be: facts that do not know of the others, or count differently
facts = st.builds(
    Fact,
    status=st.sampled_from([str(word) for word in Status]),
    at_ms=times,
    attempt=st.integers(0, 3),
    provider_id=words,
    failure_code=words,
    failure_detail=words,
    recipient_id=st.sampled_from([*ADDRESSES, ""]),
    recipient_count=st.sampled_from([3, 3, 3, 3, 1, 2]),
)


def fact(status: str, address: str = "", at_ms: int = 5, attempt: int = 1, count: int = 3) -> Fact:
    code = "blocked" if status == "FAILED" else None
    return Fact(status, at_ms, attempt, None, code, None, address, count)


@given(st.lists(facts, max_size=16), st.data())
def test_any_order_and_any_repetition_of_any_facts_end_in_the_same_state(some: list[Fact], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(some), max_size=16)) if some else []
    mixed = fold(data.draw(st.permutations(some + again)))
    assert mixed == fold(some)
    assert (mixed.overall, mixed.status) == (fold(some).overall, fold(some).status)


@given(st.lists(facts, max_size=8), st.lists(facts, max_size=8))
def test_a_fold_can_be_interrupted_and_continued(first: list[Fact], second: list[Fact]) -> None:
    assert fold(second, fold(first)) == fold(first + second)


@given(st.lists(st.builds(Fact, st.sampled_from(list(Status)).map(str), times, st.integers(0, 3)), max_size=10))
def test_each_address_has_the_state_that_it_would_have_alone(some: list[Fact]) -> None:
    noise = [fact("READ", ADDRESSES[0], 1), fact("FAILED", ADDRESSES[1], 2)]
    mine = [Fact(f.status, f.at_ms, f.attempt, recipient_id=ADDRESSES[2], recipient_count=3) for f in some]
    state = fold([*noise, *mine])
    assert isinstance(state, SharedState)
    assert state.deliveries.get(ADDRESSES[2], UNKNOWN) == fold(some)


@given(st.lists(facts, max_size=16))
def test_the_tally_is_the_count(some: list[Fact]) -> None:
    state = fold(some)
    if isinstance(state, SharedState):
        words = [delivery.status for delivery in state.deliveries.values()]
        assert state.counts_by_status == [words.count(word) for word in Status]
        assert sum(state.counts.values()) == max(state.recipient_count, len(words))
    assert state.overall.status is state.status


@given(st.lists(facts.map(alone), max_size=8))
def test_a_message_to_one_address_is_as_it_always_was(some: list[Fact]) -> None:
    state = fold(some)
    assert type(state) is MessageState
    assert state.overall is state


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((None, None, None), "ACCEPTED"),
        (("READ", None, None), "ACCEPTED"),
        (("READ", "READ", None), "ACCEPTED"),
        (("READ", "READ", "SENT"), "SENT"),
        (("SENT", "DELIVERED", "READ"), "SENT"),
        (("DELIVERED", "DELIVERED", "READ"), "DELIVERED"),
        (("READ", "READ", "READ"), "READ"),
        (("FAILED", "READ", "READ"), "READ"),
        (("FAILED", "FAILED", "SENT"), "SENT"),
        (("FAILED", "FAILED", None), "ACCEPTED"),
        (("FAILED", "FAILED", "FAILED"), "FAILED"),
    ],
)
def test_the_word_for_all_is_the_least_of_those_that_did_not_fail(words: tuple[str | None, ...], expected: str) -> None:
    state = fold(fact(word, address) for word, address in zip(words, ADDRESSES, strict=True) if word is not None)
    assert state.status == expected or (state == UNKNOWN and expected == "ACCEPTED")


def test_the_time_of_a_word_for_all_is_that_of_the_last() -> None:
    read = [fact("READ", address, at) for address, at in zip(ADDRESSES, (7, 9, 8), strict=True)]
    sent = [fact("SENT", address, at) for address, at in zip(ADDRESSES, (3, 1, 2), strict=True)]
    overall = fold([fact("ACCEPTED", at_ms=1), *read, *sent]).overall
    assert (overall.accepted_at_ms, overall.sent_at_ms, overall.read_at_ms) == (1, 3, 9)


def test_no_time_is_told_for_a_word_that_not_all_have() -> None:
    overall = fold([fact("READ", ADDRESSES[0], 7), fact("SENT", ADDRESSES[1]), fact("SENT", ADDRESSES[2])]).overall
    assert (overall.status, overall.read_at_ms, overall.delivered_at_ms) == (Status.SENT, None, None)


def test_a_failure_of_all_tells_a_reason_and_a_healed_one_counts_again() -> None:
    failed = fold(fact("FAILED", address, at) for address, at in zip(ADDRESSES, (7, 9, 8), strict=True))
    assert (failed.status, failed.overall.failed_at_ms, failed.overall.failure_code) == (Status.FAILED, 9, "blocked")
    healed = join(failed, fact("DELIVERED", ADDRESSES[1]))
    assert healed.status is Status.DELIVERED


def test_the_last_change_may_be_that_of_any_address() -> None:
    assert fold([fact("ACCEPTED", at_ms=1), fact("SENT", ADDRESSES[0], 7)]).last_change_ms == 7


def test_a_fact_that_counts_more_recipients_is_news() -> None:
    state = fold([fact("SENT", ADDRESSES[0], count=2)])
    assert knows(state, fact("SENT", ADDRESSES[0], count=2))
    assert not knows(state, fact("SENT", ADDRESSES[0], count=3))
    assert not knows(state, fact("SENT", ADDRESSES[1], count=2))
