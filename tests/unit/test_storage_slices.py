"""Slices of a conversation's rows: which months, and whether rows of other runs may lie between."""

from __future__ import annotations

from domain.log_clock import ClockStep, LogClock
from domain.ports import LogPosition
from storage.cassandra.slices import FIRST, LAST, slices

NOVEMBER_MS, DECEMBER_MS = 1_763_000_000_000, 1_765_000_000_000
MONTHS = [202512, 202511]


def test_without_a_step_of_the_clock_a_slice_is_a_whole_month() -> None:
    found = slices(MONTHS, LogClock(0).runs(), FIRST, LAST, to_end=True)
    assert [(part.month, part.is_whole) for part in found] == [(202511, True), (202512, True)]


def test_after_a_step_back_no_slice_is_whole_and_each_run_is_read_by_itself() -> None:
    runs = LogClock(0, [ClockStep(0, 100, DECEMBER_MS, NOVEMBER_MS)]).runs()
    found = slices(MONTHS, runs, FIRST, LAST, to_end=True)
    assert not any(part.is_whole for part in found), "a row of the other run may lie between"
    assert [(part.month, part.run) for part in found] == [
        (202511, runs[0]),
        (202512, runs[0]),
        (202511, runs[1]),
        (202512, runs[1]),
    ]


def test_a_slice_ends_before_the_place_unless_it_is_included() -> None:
    runs = LogClock(0).runs()
    position = LogPosition(NOVEMBER_MS, 7)
    (included,) = slices([202511], runs, FIRST, position, to_end=True)
    (excluded,) = slices([202511], runs, FIRST, position, to_end=False)
    assert (included.high, excluded.high) == (position, LogPosition(NOVEMBER_MS, 6))
    (after,) = slices([202511], runs, position, LAST, to_end=True)
    assert after.low == position
