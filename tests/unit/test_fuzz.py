"""Every parser that faces outside, fuzzed for a moment; `python -m loadtests.fuzz` does it for minutes."""

from __future__ import annotations

from time import thread_time

import pytest
from hypothesis import strategies as st

from loadtests.fuzz.__main__ import round_of
from loadtests.fuzz.target import SLOW_SECONDS, Target, TooSlow, Worst, call
from loadtests.fuzz.targets import TARGETS

EXAMPLES = 20


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_takes_or_refuses_and_does_nothing_else(name: str) -> None:
    count, _ = round_of(TARGETS[name], number=1, examples=EXAMPLES)
    assert count


def test_an_exception_that_is_no_refusal_is_found() -> None:
    planted = Target("planted", st.text(), lambda text: 1 / (len(text) - 3), (ValueError,))
    with pytest.raises(ZeroDivisionError):
        round_of(planted, number=1, examples=500)


def test_a_slow_parser_is_found() -> None:
    def slow(seconds: float) -> None:
        until = thread_time() + seconds
        while thread_time() < until:
            pass

    with pytest.raises(TooSlow):
        call(Target("planted", st.floats(), slow), 1.5 * SLOW_SECONDS)


def test_the_longest_call_of_a_round_is_known() -> None:
    worst = Worst()
    round_of(TARGETS[next(iter(TARGETS))], 1, 5, worst)
    assert 0 < worst.seconds < SLOW_SECONDS
