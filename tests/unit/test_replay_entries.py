"""`chat4all replay`: moments, lines of a timeline, and which records are wanted."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.codec import encode
from app.replay.entries import Filter, LogRecord, document_of, json_of, line_of
from app.replay.moments import moment_ms
from domain.errors import InvalidInput
from domain.records import DeadLetter, DeliveryRequested, ReceiptReported, StatusChanged

NOW_MS = 1_764_000_000_000
FACT = StatusChanged("m-1", "c-1", "SENT", NOW_MS, NOW_MS, 4, "whatsapp", 2, "wamid.1", account="main")
RECORD = LogRecord("status-updates", 3, 17, NOW_MS, b"c-1", encode(FACT))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", NOW_MS - 600_000),
        ("2h", NOW_MS - 7_200_000),
        ("0s", NOW_MS),
        ("3d", NOW_MS - 3 * 86_400_000),
        ("2025-11-24T16:00", NOW_MS),
        ("2025-11-24T17:00:00.250+01:00", NOW_MS + 250),
        ("1764000000000", NOW_MS),
    ],
)
def test_a_moment_is_read(text: str, expected: int) -> None:
    assert moment_ms(text, NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "10", "5 minutes", "-3m", "2025-13-01", "१०m"])
def test_another_text_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected 10m"):
        moment_ms(text, NOW_MS)


def test_a_line_says_where_the_record_is_and_what_it_says() -> None:
    line = line_of(RECORD, document_of(RECORD))
    assert line.startswith("2025-11-24 16:00:00.000  status-updates[3]@17  StatusChanged m-1 c-1  ")
    assert "status=SENT" in line
    assert "provider_id=wamid.1" in line
    assert "failure_code" not in line  # it says nothing


def test_a_line_holds_no_control_characters() -> None:
    record = LogRecord("t", 0, 0, NOW_MS, b"k", orjson.dumps({"type": "X", "content": "a\n\x1b[2Jb" + "c" * 500}))
    line = line_of(record, document_of(record))
    assert line.isprintable()
    assert len(line) < 250


def test_other_values_are_shown_by_their_size() -> None:
    assert "7 bytes, key k" in line_of(LogRecord("t", 0, 0, NOW_MS, b"k", b"\x00binary"), {})
    assert "deleted k" in line_of(LogRecord("t", 0, 0, NOW_MS, b"k", None), {})


@given(st.binary(max_size=60) | st.none(), st.binary(max_size=20) | st.none())
def test_no_record_breaks_a_line(value: bytes | None, key: bytes | None) -> None:
    record = LogRecord("t", 0, 1, NOW_MS, key, value)
    document = document_of(record)
    assert "t[0]@1" in line_of(record, document)
    assert orjson.loads(json_of(record, document))["offset"] == 1


REQUEST = DeliveryRequested("m-1", "c-1", "ana", "whatsapp:+1", "hi", None, NOW_MS, 4, account="main")
RECEIPT = ReceiptReported("main", "wamid.1", "m-1 whatsapp:+1", "READ", NOW_MS)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [True, True, True]),
        (Filter(conversation_id="c-1"), [True, True, True]),
        (Filter(conversation_id="c-2"), [False, False, False]),
        (Filter(message_id="m-1"), [True, True, True]),
        (Filter(message_id="m-2"), [False, False, False]),
        (Filter(account="main"), [True, True, True]),
        (Filter(account="other"), [False, False, False]),
        (Filter(type="receiptreported"), [False, False, True]),
    ],
)
def test_a_filter_accepts_what_it_names(wanted: Filter, expected: list[bool]) -> None:
    records = [LogRecord("t", 0, n, NOW_MS, b"c-1", encode(one)) for n, one in enumerate((FACT, REQUEST, RECEIPT))]
    assert [wanted.accepts(record, document_of(record)) for record in records] == expected


@pytest.mark.parametrize(("value", "expected"), [(encode(FACT), True), (b"other", False), (None, False)])
def test_a_dead_letter_names_the_message_of_the_record_in_it(value: bytes | None, expected: bool) -> None:
    letter = DeadLetter("whatsapp-outbound", 3, 9, "refused", "why", b"c-1", value, NOW_MS)
    record = LogRecord("dead-letters", 3, 0, NOW_MS, b"c-1", encode(letter))
    assert Filter(message_id="m-1").accepts(record, document_of(record)) is expected
