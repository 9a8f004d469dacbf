"""The wire form of cursors: clients hold cursors of earlier releases, so these literals must stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import LogPosition
from web.conversations.listing import LIST_CURSOR, ConversationCursor
from web.cursors import MAX_CHARS, CursorCodec, InvalidCursor
from web.history.cursor import HISTORY_CURSOR
from web.live.positions import Positions, live_cursor


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (LogPosition(1_763_848_800_123, 0), "MTc2Mzg0ODgwMDEyMy4w"),
        (LogPosition(1_763_848_800_123, 4711), "MTc2Mzg0ODgwMDEyMy40NzEx"),
        (LogPosition(0, 0), "MC4w"),
        (LogPosition(2**63 - 1, 2**63 - 1), "OTIyMzM3MjAzNjg1NDc3NTgwNy45MjIzMzcyMDM2ODU0Nzc1ODA3"),
    ],
)
def test_a_cursor_of_messages_keeps_its_wire_form(position: LogPosition, text: str) -> None:
    assert HISTORY_CURSOR.encode(position) == text
    assert HISTORY_CURSOR.decode(text) == position


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        (ConversationCursor("c-1", 1_763_848_800_123), "MTc2Mzg0ODgwMDEyMy5jLTE"),
        (ConversationCursor("direct:ana.b", 0), "MC5kaXJlY3Q6YW5hLmI"),
        (ConversationCursor("família-⚽", 1_763_848_800_999), "MTc2Mzg0ODgwMDk5OS5mYW3DrWxpYS3imr0"),
        (
            ConversationCursor("0193a2b4-0000-7000-8000-00000000000a", 2**63 - 1),
            "OTIyMzM3MjAzNjg1NDc3NTgwNy4wMTkzYTJiNC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMGE",
        ),
    ],
)
def test_a_cursor_of_conversations_keeps_its_wire_form(listed: ConversationCursor, text: str) -> None:
    assert LIST_CURSOR.encode(listed) == text
    assert LIST_CURSOR.decode(text) == listed


@pytest.mark.parametrize(
    ("offsets", "text"),
    [
        ([0] * 12, "AQAAAAAAAAAAAAAAAA"),
        (
            [1, 127, 128, 16383, 16384, 0, 300, 4711, 2**31, 2**63 - 1, 5, 6],
            "AQF_gAH_f4CAAQCsAuckgICAgAj__________38FBg",
        ),
    ],
)
def test_a_cursor_of_live_events_keeps_its_wire_form(offsets: list[int], text: str) -> None:
    assert Positions(offsets).text() == text.encode()
    assert live_cursor(12).encode(Positions(offsets)) == text
    assert live_cursor(12).decode(text) == Positions(offsets)


@given(st.binary(max_size=100))
def test_a_codec_returns_the_packed_bytes(data: bytes) -> None:
    codec = CursorCodec(pack=bytes, unpack=bytes)
    assert codec.decode(codec.encode(data)) == data


@pytest.mark.parametrize("text", ["é", "a.b", "a\nb", "A" * (MAX_CHARS + 1), "AAAAA", "AQ==="])
def test_a_text_that_is_no_base64_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor, match="not a cursor of this API"):
        CursorCodec(pack=bytes, unpack=bytes).decode(text)


def test_a_codec_refuses_bytes_that_it_cannot_unpack() -> None:
    with pytest.raises(InvalidCursor, match=r"^not a cursor of this API$"):
        CursorCodec(pack=str.encode, unpack=lambda data: str(int(data))).decode("eA")
