"""The token bucket against a plain simulation of one, and the limiter that keeps many."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.token_bucket import Rate, take
from web.http.rate_limits import RateLimiter

RATES = st.builds(Rate, st.sampled_from([0.5, 1.0, 3.0, 10.0, 250.0]), st.integers(1, 50))
STEPS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 60)), max_size=40)


@given(RATES, STEPS)
def test_it_decides_as_a_bucket_filled_drop_by_drop_does(rate: Rate, steps: list[tuple[int, int]]) -> None:
    level, now_ms, full_at = Fraction(rate.burst), 0, float("-inf")
    for pause_ms, tokens in steps:
        now_ms += pause_ms
        level = min(Fraction(rate.burst), level + Fraction(pause_ms, 1000) * Fraction(rate.per_second))
        taken = take(full_at, now_ms / 1000, rate, tokens)
        assert taken.allowed == (level >= tokens)
        if taken.allowed:
            level -= tokens
        full_at = taken.full_at
        assert taken.remaining == level.__floor__()
        assert taken.reset_seconds == pytest.approx(float((rate.burst - level) / Fraction(rate.per_second)), abs=1e-5)


@given(RATES, STEPS)
def test_who_waits_as_long_as_told_is_let_through_and_not_before(rate: Rate, steps: list[tuple[int, int]]) -> None:
    full_at, now = float("-inf"), 0.0
    for pause_ms, tokens in steps:
        now += pause_ms / 1000
        taken = take(full_at, now, rate, tokens)
        if taken.allowed:
            full_at = taken.full_at
            assert taken.retry_after_seconds == 0
        elif tokens > rate.burst:
            assert taken.retry_after_seconds == float("inf")
        else:
            wait = taken.retry_after_seconds
            assert take(full_at, now + wait + 1e-5, rate, tokens).allowed
            assert not take(full_at, now + wait * 0.99 - 1e-4, rate, tokens).allowed


@given(RATES, st.lists(st.integers(0, 400), min_size=1, max_size=200))
def test_no_more_than_burst_and_rate_passes_in_any_time(rate: Rate, pauses_ms: list[int]) -> None:
    full_at, now, passed = float("-inf"), 0.0, []
    for pause_ms in pauses_ms:
        now += pause_ms / 1000
        taken = take(full_at, now, rate)
        full_at = taken.full_at
        if taken.allowed:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span = passed[last] - passed[first]
            assert last - first + 1 <= rate.burst + rate.per_second * span + 1e-4


@pytest.mark.parametrize(("per_second", "burst"), [(-1, 1), (1, 0), (float("nan"), 1), (float("inf"), 1)])
def test_a_rate_that_cannot_be_is_refused(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        Rate(per_second, burst)


def test_keys_have_buckets_of_their_own_and_few_are_kept() -> None:
    now = 100.0
    limiter = RateLimiter(Rate(1, 2), limit=3, clock=lambda: now)
    assert [limiter.take("a").allowed for _ in range(3)] == [True, True, False]  # type: ignore[union-attr]
    assert limiter.take("b").allowed  # type: ignore[union-attr]
    now += 1
    assert [limiter.take("a").allowed for _ in range(2)] == [True, False]  # type: ignore[union-attr]
    for number in range(1_000):
        limiter.take(number)
    assert len(limiter) == 3


def test_a_rate_of_nothing_limits_nothing_and_remembers_nobody() -> None:
    limiter = RateLimiter(Rate(0, 1))
    assert {limiter.take(number % 3) for number in range(100)} == {None}
    assert len(limiter) == 0
