"""Cursors of live notifications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.live.positions import Positions, live_cursor

OFFSETS = st.integers(0, 2**63 - 1)


@given(st.lists(OFFSETS, min_size=2, max_size=128))
def test_a_cursor_says_what_was_put_in(offsets: list[int]) -> None:
    assert live_cursor(len(offsets)).decode(Positions(offsets).text().decode()).offsets == offsets


@given(st.lists(OFFSETS, min_size=2, max_size=12), st.data())
def test_a_moved_position_is_in_the_text(offsets: list[int], data: st.DataObject) -> None:
    positions = Positions(offsets)
    positions.text()
    log_index = data.draw(st.integers(0, len(offsets) - 1))
    copy = positions.copy()
    positions[log_index] = moved = data.draw(OFFSETS)
    assert live_cursor(len(offsets)).decode(positions.text().decode())[log_index] == moved
    assert copy.offsets == offsets


@given(st.text(max_size=200))
def test_anything_else_is_refused(text: str) -> None:
    try:
        positions = live_cursor(12).decode(text)
    except ValueError:
        return
    assert len(positions.offsets) == 12


@pytest.mark.parametrize("text", ["", "AQ", "x" * 9_000, Positions([1, 2]).text().decode(), "AQ=======", "AYCAgIA"])
def test_a_cursor_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        live_cursor(12).decode(text)


def test_behind_counts_only_what_is_missing() -> None:
    assert Positions([1, 9, 5]).behind(Positions([4, 2, 5])) == 3
