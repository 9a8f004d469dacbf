"""What a plain fact says is what decoding finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.codec import MAX_RECORD_BYTES, decode, encode
from app.kafka.plain_fact import plain_fact
from domain.errors import MalformedRecord
from domain.fact_times import plausible
from domain.records import StatusChanged
from domain.status import Status

texts = st.text(max_size=12) | st.sampled_from(['","status":"READ', "a\\", "ação", "recipient_count", ""])
times = st.integers(-1, 10**15)
changes = st.builds(
    StatusChanged,
    texts,
    texts,
    st.sampled_from([*map(str, Status), "NEVER"]),
    times,
    times,
    st.integers(0, 2**64 - 1),
    st.sampled_from(["whatsapp", "telegram"]),
    attempt=st.integers(0, 9),
    provider_id=st.none() | texts,
    failure_code=st.none() | texts,
    failure_detail=st.none() | texts,
    recipient_id=texts,
    recipient_count=st.integers(1, 3),
    account=texts,
    pricing=texts,
    overtaken_at_ms=st.integers(0, 9),
)


def fact(**fields: object) -> StatusChanged:
    return replace(StatusChanged("m", "c", "SENT", 2, 1, 3, "telegram"), **fields)  # type: ignore[arg-type]


@given(changes)
def test_it_says_what_decoding_finds_or_nothing(change: StatusChanged) -> None:
    found = plain_fact(encode(change))
    if found is not None:
        read = plausible(decode(encode(change), StatusChanged), 0)
        assert found == (read.message_id, read.conversation_id, read.status, read.accepted_at_ms)
        assert (read.recipient_count, read.recipient_id) == (1, "")
        assert read.status in ("ACCEPTED", "SENT", "DELIVERED", "READ")


@given(changes, st.integers(0, 300), st.binary(max_size=3))
def test_a_damaged_record_is_either_refused_or_says_the_same(change: StatusChanged, at: int, put: bytes) -> None:
    value = encode(change)
    value = value[:at] + put + value[at + len(put) :]
    found = plain_fact(value)
    if found is None:
        return
    try:
        read = decode(value, StatusChanged)
    except MalformedRecord:
        return
    assert found == (read.message_id, read.conversation_id, read.status, read.accepted_at_ms)


@pytest.mark.parametrize("word", ["ACCEPTED", "SENT", "DELIVERED", "READ"])
def test_the_frequent_facts_are_plain(word: str) -> None:
    sent = fact(status=word, attempt=1, provider_id="wamid.1", account="shop", pricing='{"billable":true}')
    assert plain_fact(encode(sent)) == ("m", "c", word, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "FAILED", "failure_code": "blocked"},
        {"status": "NEVER"},
        {"recipient_count": 2},
        {"recipient_id": "telegram:5"},
        {"conversation_id": "família"},
        {"conversation_id": 'a"b'},
        {"accepted_at_ms": 10**15},
        {"position": 2**63},
        {"provider_id": "x" * MAX_RECORD_BYTES},
    ],
)
def test_what_needs_more_than_its_beginning_is_decoded(fields: dict[str, object]) -> None:
    assert plain_fact(encode(fact(**fields))) is None


def test_what_is_no_record_is_not_plain() -> None:
    assert plain_fact(None) is None
    assert plain_fact(b"?") is None
    assert plain_fact(encode(fact()).replace(b'"version":1', b'"version":2')) is None
