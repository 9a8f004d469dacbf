"""The wait of a message before its next attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retries import LONGEST_RETRY_AFTER_SECONDS, full_jitter_seconds, retry_seconds

NUMBERS = st.integers(1, 100_000)
CHANCES = st.floats(0, 1)


def test_the_bound_doubles_and_the_wait_is_a_share_of_it() -> None:
    assert [full_jitter_seconds(n, 1.0) for n in range(1, 6)] == [0.5, 1, 2, 4, 8]
    assert full_jitter_seconds(3, 0.25) == 0.5
    assert full_jitter_seconds(3, 0.0) == 0
    assert full_jitter_seconds(50, 1.0, first=1.0, longest=7.0) == 7


@given(NUMBERS, CHANCES)
def test_no_wait_is_longer_than_its_bound(number: int, chance: float) -> None:
    assert 0 <= full_jitter_seconds(number, chance, longest=300.0) <= 300


@given(NUMBERS, CHANCES, st.none() | st.floats())
def test_a_providers_wait_is_kept_up_to_a_day(number: int, chance: float, after: float | None) -> None:
    wait = retry_seconds(number, after, chance)
    asked = after if after is not None and after > 0 else 0.0
    assert wait >= min(asked, LONGEST_RETRY_AFTER_SECONDS)
    assert wait <= LONGEST_RETRY_AFTER_SECONDS + 300


@pytest.mark.parametrize(("after", "wait"), [(None, 1.0), (0.0, 1.0), (-5.0, 1.0), (3_600.0, 3_601.0), (1e9, 86_401.0)])
def test_the_jitter_comes_on_top_of_a_providers_wait(after: float | None, wait: float) -> None:
    assert retry_seconds(2, after, 1.0) == wait
