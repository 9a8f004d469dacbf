"""Where a log's times step back, and what is made of it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.log_clock import LogClock
from domain.ports import LogPosition

LOGS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), min_size=1, max_size=40).map(
    lambda steps: [LogPosition(at_ms, sum(gap for _, gap in steps[: n + 1])) for n, (at_ms, _) in enumerate(steps)]
)


def clock_of(positions: list[LogPosition]) -> LogClock:
    clock = LogClock(0)
    for position in positions:
        clock.take(position)
    return clock


@given(LOGS)
def test_within_a_run_times_never_fall_and_the_runs_are_the_whole_log(positions: list[LogPosition]) -> None:
    runs = clock_of(positions).runs()
    for position in positions:
        (run,) = [run for run in runs if position.offset in run]
        assert run.first_ms <= position.accepted_at_ms <= run.last_ms
    for before, after in pairwise(positions):
        same = [run for run in runs if before.offset in run and after.offset in run]
        assert bool(same) == (before.accepted_at_ms <= after.accepted_at_ms)


@given(LOGS)
def test_the_rising_time_never_falls_and_tells_places_around_a_step_apart(positions: list[LogPosition]) -> None:
    clock = clock_of(positions)
    rising = [clock.rising_us(position) for position in positions]
    assert rising == sorted(rising)
    for before, after in pairwise(positions):
        if after.accepted_at_ms < before.accepted_at_ms:
            assert clock.rising_us(before) < clock.rising_us(after)


@given(LOGS, st.data())
def test_whoever_takes_over_and_reads_records_again_comes_to_the_same(
    positions: list[LogPosition], data: st.DataObject
) -> None:
    whole = clock_of(positions)
    cut = data.draw(st.integers(0, len(positions)))
    first = clock_of(positions[:cut])
    second = LogClock(0, first.steps, first.last)
    for position in positions[data.draw(st.integers(0, cut)) :]:
        second.take(position)
    assert (second.steps, second.last) == (whole.steps, whole.last)


def test_a_clock_that_does_not_step_back_changes_nothing() -> None:
    clock = clock_of([LogPosition(5, 1), LogPosition(5, 2), LogPosition(9, 3)])
    assert clock.steps == []
    assert len(clock.runs()) == 1
    assert clock.rising_us(LogPosition(9, 3)) == 9_000
