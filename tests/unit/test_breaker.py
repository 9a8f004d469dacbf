"""The breaker of an account: when it opens, one probe at a time, and the way back."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breaker import LONGEST_WAIT_SECONDS, SLICES, Breaker, BreakerRules, BreakerState

RULES = BreakerRules(window_seconds=30, least_calls=4, open_seconds=10, longest_open_seconds=60)
CLOSED, OPEN, HALF_OPEN = BreakerState


def call(breaker: Breaker, now: float, *, ok: bool = True, seconds: float = 0.1) -> None:
    breaker.begin(now - seconds)
    breaker.record(now, ok, seconds)


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker(RULES)
    for _ in range(RULES.least_calls):
        call(breaker, now, ok=False)
    assert breaker.state(now) is OPEN
    return breaker


def test_it_opens_once_half_of_the_calls_fail() -> None:
    breaker = Breaker(RULES)
    for ok in (True, False, True):
        call(breaker, 100.0, ok=ok)
    assert (breaker.state(100.0), breaker.permits(100.0), breaker.wait_seconds(100.0)) == (CLOSED, True, 0)
    call(breaker, 101.0, ok=False)
    assert (breaker.state(101.0), breaker.permits(101.0), breaker.wait_seconds(101.0)) == (OPEN, False, 10)


def test_it_does_not_open_before_there_are_enough_calls() -> None:
    breaker = Breaker(RULES)
    for _ in range(RULES.least_calls - 1):
        call(breaker, 100.0, ok=False)
    assert breaker.state(100.0) is CLOSED


def test_it_opens_if_most_calls_are_slow_though_they_succeed() -> None:
    breaker = Breaker(RULES)
    for seconds in (0.1, 5.0, 5.0, 5.0):
        call(breaker, 100.0, seconds=seconds)
    assert breaker.state(100.0) is CLOSED
    call(breaker, 100.0, seconds=6.0)
    assert breaker.state(100.0) is OPEN


def test_failures_older_than_the_window_do_not_count() -> None:
    breaker = Breaker(RULES)
    for now in (100.0, 100.0, 100.0, 131.0, 131.0, 131.0):
        call(breaker, now, ok=False)
    assert breaker.state(131.0) is CLOSED


def test_one_probe_at_a_time_and_its_success_closes() -> None:
    breaker = opened()
    assert (breaker.state(110.0), breaker.wait_seconds(110.0)) == (HALF_OPEN, 0)
    breaker.begin(110.0)
    assert (breaker.permits(111.0), breaker.wait_seconds(111.0)) == (False, inf)
    with pytest.raises(ValueError, match="half-open"):
        breaker.begin(111.0)
    breaker.record(112.0, True, 2.0)
    assert (breaker.state(112.0), breaker.permits(112.0)) == (CLOSED, True)


def test_a_probe_that_fails_doubles_the_time_up_to_its_bound_and_success_resets_it() -> None:
    breaker, now, waits = opened(), 100.0, []
    for _ in range(5):
        waits.append(breaker.wait_seconds(now))
        now += waits[-1]
        call(breaker, now + 0.1, ok=False, seconds=0.1)
        now += 0.1
    assert waits == pytest.approx([10, 20, 40, 60, 60])
    now += breaker.wait_seconds(now) + 0.1
    call(breaker, now)
    for _ in range(RULES.least_calls):
        call(breaker, now, ok=False)
    assert breaker.wait_seconds(now) == pytest.approx(10)


def test_what_failed_before_it_opened_does_not_count_after_it_closed() -> None:
    breaker = opened()
    call(breaker, 111.0)
    call(breaker, 111.1, ok=False)
    assert breaker.state(111.1) is CLOSED
    breaker = Breaker(RULES)
    for _ in range(RULES.least_calls - 1):
        call(breaker, 100.0, ok=False)
    breaker.open_for(100.0, 1.0)
    call(breaker, 101.5)
    call(breaker, 101.6, ok=False)
    assert breaker.state(101.6) is CLOSED


def test_its_memory_does_not_grow_with_the_calls() -> None:
    breaker = Breaker(RULES)
    for n in range(10_000):
        call(breaker, 100.0 + n / 100)
    assert len(breaker._slices) <= SLICES + 1


def test_the_longest_time_may_be_the_first_one() -> None:
    breaker = Breaker(BreakerRules(least_calls=1, open_seconds=10, longest_open_seconds=10))
    call(breaker, 100.0, ok=False)
    assert breaker.wait_seconds(100.0) == 10


def test_a_slow_probe_that_succeeds_closes() -> None:
    breaker = opened()
    breaker.begin(110.0)
    breaker.record(118.0, True, 8.0)
    assert breaker.state(118.0) is CLOSED


def test_calls_begun_before_it_opened_decide_nothing() -> None:
    breaker = opened()
    breaker.record(101.0, True, 3.0)
    assert breaker.state(101.0) is OPEN
    breaker.begin(111.0)
    breaker.record(112.0, True, 14.0)  # begun at 98
    breaker.record(112.0, False, 14.0)
    assert (breaker.state(112.0), breaker.wait_seconds(112.0)) == (HALF_OPEN, inf)
    breaker.record(113.0, True, 2.0)
    assert breaker.state(113.0) is CLOSED


def test_a_cancelled_probe_gives_way_to_another() -> None:
    breaker = opened()
    breaker.begin(110.0)
    breaker.forget_probe()
    assert breaker.permits(110.0)


@pytest.mark.parametrize(
    ("asked", "waits"), [(0.0, 0.0), (-3.0, 0.0), (float("nan"), 0.0), (7.5, 7.5), (1e12, LONGEST_WAIT_SECONDS)]
)
def test_a_providers_wait_opens_it_for_a_day_at_most(asked: float, waits: float) -> None:
    breaker = Breaker(RULES)
    breaker.open_for(100.0, asked)
    assert breaker.wait_seconds(100.0) == waits
    assert breaker.state(100.0 + waits) is HALF_OPEN


def test_a_providers_wait_never_shortens_the_time_it_is_open() -> None:
    breaker = opened()
    breaker.open_for(101.0, 2.0)
    assert breaker.wait_seconds(101.0) == 9
    breaker.open_for(101.0, 3_600.0)
    assert breaker.wait_seconds(101.0) == 3_600


def test_the_answer_of_a_probe_may_be_a_wait() -> None:
    breaker = opened()
    breaker.begin(110.0)
    breaker.open_for(111.0, 30.0)
    breaker.record(111.0, False, 1.0)  # of the same call: counted once
    assert (breaker.state(111.0), breaker.wait_seconds(111.0)) == (OPEN, 30)
    assert breaker.permits(141.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_seconds", 0.0),
        ("least_calls", 0),
        ("failure_share", 1.5),
        ("slow_share", -0.1),
        ("open_seconds", float("nan")),
        ("longest_open_seconds", 5.0),
        ("slow_seconds", float("inf")),
    ],
)
def test_rules_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        BreakerRules(**{name: value})


# (pause before the call, what comes of it, how long it takes)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.5, 3.0, 12.0, 70.0]),
        st.sampled_from(["ok", "failed", "forgotten", "wait"]),
        st.sampled_from([0.0, 0.2, 4.0, 9.0]),
    ),
    max_size=60,
)


@given(EVENTS)
def test_while_it_is_half_open_one_call_is_out_and_it_always_comes_back(events: list[tuple[float, str, float]]) -> None:
    breaker, now = Breaker(RULES), 1_000.0
    calls: list[tuple[float, float, str, bool]] = []  # end, seconds, outcome, is it a probe

    def end_calls_until(until: float) -> None:
        for each in sorted(calls):
            if each[0] > until:
                continue
            calls.remove(each)
            ended, seconds, outcome, is_probe = each
            if outcome == "wait":
                breaker.open_for(ended, 5.0)
            elif outcome == "forgotten":
                if is_probe:
                    breaker.forget_probe()
            else:
                breaker.record(ended, outcome == "ok", seconds)

    for pause, outcome, seconds in events:
        end_calls_until(now + pause)
        now += pause
        state = breaker.state(now)
        assert breaker.permits(now) == (breaker.wait_seconds(now) == 0)
        assert state is not OPEN or not breaker.permits(now)
        if state is HALF_OPEN:
            probes_out = sum(is_probe for *_, is_probe in calls)
            # a provider's wait may end while a former probe is out; it counts no more
            assert breaker.permits(now) or probes_out == 1
        if breaker.permits(now):
            breaker.begin(now)
            calls.append((now + seconds, seconds, outcome, state is HALF_OPEN))
            assert state is not HALF_OPEN or not breaker.permits(now)
        assert len(breaker._slices) <= SLICES + 1
    end_calls_until(inf)
    now += 100.0
    for _ in range(200):
        if breaker.state(now) is CLOSED:
            break
        now += breaker.wait_seconds(now) + 0.1
        call(breaker, now, ok=True)
    assert breaker.state(now) is CLOSED
    for _ in range(200):  # and it stays closed
        now += 0.05
        call(breaker, now, ok=True, seconds=0.01)
        assert breaker.state(now) is CLOSED
