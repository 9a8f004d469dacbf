"""Range headers, by the rules of RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ranges import ByteRange, Unsatisfiable, range_of


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-9", ByteRange(0, 10)),
        ("bytes=0-99", ByteRange(0, 10)),
        ("bytes=3-", ByteRange(3, 7)),
        ("bytes=9-", ByteRange(9, 1)),
        ("bytes=-3", ByteRange(7, 3)),
        ("bytes=-99", ByteRange(0, 10)),
        ("Bytes = 2-4 ", ByteRange(2, 3)),
        (None, None),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=a-b", None),
        ("bytes=0x1-2", None),
        ("bytes=1-2,4-5", None),
        ("lines=1-2", None),
        ("bytes=١-٢", None),
        ("bytes=" + "9" * 5_000 + "-", None),
        ("bytes=-" + "9" * 5_000, None),
    ],
)
def test_a_header_asks_for_bytes_of_ten(header: str | None, found: ByteRange | None) -> None:
    assert range_of(header, 10) == found


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)]
)
def test_what_is_not_there_cannot_be_had(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        range_of(header, size)


@given(st.integers(0, 50), st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_range_is_what_a_slice_is(size: int, first: int, last: int | None) -> None:
    whole = bytes(range(size))
    try:
        found = range_of(f"bytes={first}-{'' if last is None else last}", size)
    except Unsatisfiable:
        assert first >= size
        return
    wanted = whole[first:] if last is None else whole[first : last + 1]
    if found is None:
        assert last is not None
        assert last < first
    else:
        assert whole[found.start : found.start + found.length] == wanted
        assert found.content_range(size) == f"bytes {first}-{first + len(wanted) - 1}/{size}"
