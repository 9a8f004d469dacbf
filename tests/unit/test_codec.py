"""Records on the wire: what goes out comes back, and nothing else is taken."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.codec import MAX_RECORD_BYTES, decode, encode
from domain.errors import MalformedRecord
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted, Record, StatusChanged

text = st.text(max_size=40)
number = st.integers(-(2**53), 2**53)
maybe = st.none() | text
texts = st.lists(text, max_size=5).map(tuple)
records = st.one_of(
    st.builds(MessageAccepted, text, text, text, text, text, maybe, texts, texts),
    st.builds(DeliveryRequested, text, text, text, text, text, maybe, number, number, number),
    st.builds(StatusChanged, text, text, text, number, number, number, text, number, maybe, maybe, maybe, text, number),
    st.builds(
        DeadLetter, text, number, number, text, text, st.none() | st.binary(), st.none() | st.binary(), number, number
    ),
)


@given(records)
def test_every_record_survives_the_wire(record: Record) -> None:
    assert decode(encode(record), type(record)) == record  # type: ignore[type-var]


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_breaks_the_reader(noise: bytes) -> None:
    with pytest.raises(MalformedRecord):
        decode(noise, MessageAccepted)


GOOD = {
    "type": "MessageAccepted", "version": 1, "message_id": "m", "conversation_id": "c", "sender_id": "s",
    "recipient_id": "whatsapp:+5511999990000", "content": "hi", "file_id": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "StatusChanged"}, "expected 'MessageAccepted'"),
        ({"version": 2}, "unknown version 2"),
        ({"version": None}, "unknown version"),
        ({"content": 7}, "field 'content' is 7"),
        ({"content": None}, "field 'content' is None"),
        ({"message_id": True}, "field 'message_id'"),
        ({"recipients": "telegram:5"}, "field 'recipients' is 'telegram:5'"),
        ({"recipients": ["telegram:5", 7]}, "'recipients' holds something that is no text"),
        ({"recipients": ["telegram:5"] * 257}, "'recipients' has 257 elements"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(MalformedRecord, match=said):
        decode(orjson.dumps({**GOOD, **change}), MessageAccepted)


def test_what_goes_to_one_address_looks_as_it_always_did() -> None:
    """A worker of the last release can read it, and records on topics from before can be read by this one."""
    message = MessageAccepted("m", "c", "s", "whatsapp:+5511999990000", "hi")
    request = DeliveryRequested("m", "c", "s", "whatsapp:+5511999990000", "hi", None, 1, 2)
    change = StatusChanged("m", "c", "SENT", 3, 1, 2, "whatsapp", 1, "p")
    assert orjson.loads(encode(message)) == GOOD
    later = {"recipients", "recipient_users", "recipient_count"}
    assert not later & (orjson.loads(encode(request)).keys() | orjson.loads(encode(change)).keys())
    assert "recipient_id" not in orjson.loads(encode(change))
    assert decode(orjson.dumps(GOOD), MessageAccepted) == message
    assert decode(encode(request), DeliveryRequested) == request


def test_a_missing_field_is_named() -> None:
    document = {name: value for name, value in GOOD.items() if name != "sender_id"}
    with pytest.raises(MalformedRecord, match="'sender_id' is missing"):
        decode(orjson.dumps(document), MessageAccepted)


def test_an_unknown_field_is_kept_out_of_the_way() -> None:
    assert decode(orjson.dumps({**GOOD, "priority": 3}), MessageAccepted).content == "hi"


@pytest.mark.parametrize("data", [None, b"[]", b"null", b'"x"', b"{" * 100_000, b"x" * (MAX_RECORD_BYTES + 1)])
def test_what_is_no_object_of_bounded_size_is_refused(data: bytes | None) -> None:
    with pytest.raises(MalformedRecord):
        decode(data, MessageAccepted)


def test_a_dead_letter_with_broken_base64_is_refused() -> None:
    broken = orjson.loads(encode(DeadLetter("t", 0, 0, "r", "d", None, b"x", 1))) | {"value": "%%%"}
    with pytest.raises(MalformedRecord, match="not base64"):
        decode(orjson.dumps(broken), DeadLetter)
