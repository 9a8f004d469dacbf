"""Records on the wire: what goes out comes back, and nothing else is taken."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.codec import MAX_RECORD_BYTES, decode, encode
from domain.errors import MalformedRecord
from domain.files import FileMetadata
from domain.inbound import ContactChanged, InboundEvent, Media, Person, SentReported, WebhookReceived
from domain.records import (
    MAX_LETTERS,
    DeadLetter,
    DeadLetterResolved,
    DeliveryRequested,
    MessageAccepted,
    Record,
    StatusChanged,
)
from domain.traces import TraceRecorded

text = st.text(max_size=40)
number = st.integers(-(2**53), 2**53)
maybe = st.none() | text
texts = st.lists(text, max_size=5).map(tuple)
metadata = st.builds(
    FileMetadata,
    st.sampled_from(["a.pdf", "b'\"\u200d é.tar.gz", "x" * 255]),
    st.integers(0, 2**31),
    st.sampled_from(["image/jpeg", "application/vnd.ms-excel", "text/plain; charset=utf-8"]),
    st.binary(min_size=32, max_size=32).map(lambda digest: f"sha256:{digest.hex()}"),
    st.sampled_from(["c-1/0193.pdf", "fam%C3%ADlia/0193", "%2Ehidden/0193"]),
)
maybe_file = st.none() | metadata
people = st.builds(Person, text, text, text, text)
media = st.lists(st.builds(Media, text, text, text, text, text, text, number), max_size=3).map(tuple)
bodies = st.dictionaries(text, text | number | st.lists(text, max_size=3), max_size=3)
records = st.one_of(
    st.builds(
        MessageAccepted,
        *(text,) * 5,
        kind=text,
        body=bodies,
        reply_to=text,
        target_id=text,
        recipient_ids=texts,
        direction=text,
        sender_name=text,
        provider_id=text,
        sent_at_ms=number,
        members=texts,
    ),
    st.builds(
        InboundEvent, text, text, number, text, text, people, people, text, text, bodies, media, text, text, text, maybe
    ),
    st.builds(SentReported, text, text, text, text, text, number, text),
    st.builds(WebhookReceived, text, st.dictionaries(text, text, max_size=3), st.binary(), number),
    st.builds(ContactChanged, text, text, text, text, text, people, number, st.booleans(), number),
    st.builds(TraceRecorded, text, text, text, number, text, text, text, text, number, number, number, number, text),
    st.builds(MessageAccepted, text, text, text, text, text, maybe, texts, texts, maybe_file),
    st.builds(DeliveryRequested, text, text, text, text, text, maybe, number, number, number, maybe_file),
    st.builds(StatusChanged, text, text, text, number, number, number, text, number, maybe, maybe, maybe, text, number),
    st.builds(
        DeadLetter, text, number, number, text, text, st.none() | st.binary(), st.none() | st.binary(), number, number
    ),
    st.builds(
        DeadLetterResolved,
        text,
        text,
        st.lists(number, max_size=5).map(tuple),
        text,
        number,
        text,
        text,
        st.booleans(),
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
    "type": "MessageAccepted",
    "version": 1,
    "message_id": "m",
    "conversation_id": "c",
    "sender_id": "s",
    "recipient_id": "whatsapp:+5511999990000",
    "content": "hi",
    "file_id": None,
}


FILE = {
    "filename": "a.pdf",
    "size_bytes": 3,
    "mimetype": "application/pdf",
    "checksum": f"sha256:{'0' * 64}",
    "storage_path": "c/f.pdf",
}


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("a.pdf", "field 'file' is 'a.pdf', expected dict"),
        ({}, "field 'file.filename' is None"),
        ({**FILE, "filename": ""}, "field 'file.filename' is ''"),
        ({**FILE, "filename": "../a"}, "field 'file.filename'"),
        ({**FILE, "filename": "a\r\nX-Evil: 1"}, "field 'file.filename'"),
        ({**FILE, "filename": "é" * 128}, "field 'file.filename'"),
        ({**FILE, "size_bytes": -1}, "field 'file.size_bytes' is -1, which it cannot be"),
        ({**FILE, "size_bytes": 2**53}, "field 'file.size_bytes'"),
        ({**FILE, "size_bytes": True}, "field 'file.size_bytes' is True, expected int"),
        ({**FILE, "size_bytes": "3"}, "field 'file.size_bytes' is '3', expected int"),
        ({**FILE, "mimetype": "pdf"}, "field 'file.mimetype'"),
        ({**FILE, "mimetype": "text/plain\nX: y"}, "field 'file.mimetype'"),
        ({**FILE, "checksum": "md5:0"}, "field 'file.checksum'"),
        ({**FILE, "storage_path": "../../etc/passwd"}, "field 'file.storage_path'"),
        ({**FILE, "storage_path": "/etc/passwd"}, "field 'file.storage_path'"),
        ({**FILE, "storage_path": ".uploads/f"}, "field 'file.storage_path'"),
        ({**FILE, "storage_path": "c/" + "x" * 1_030}, "field 'file.storage_path'"),
    ],
)
def test_a_file_that_cannot_be_is_refused_and_its_field_named(file: object, said: str) -> None:
    with pytest.raises(MalformedRecord, match=said) as caught:
        decode(orjson.dumps({**GOOD, "file_id": "f", "file": file}), MessageAccepted)
    assert caught.value.field == "file"


def test_a_file_goes_along_as_an_object_and_what_later_releases_say_of_it_is_ignored() -> None:
    known = {**FILE, "width": 640}
    message = decode(orjson.dumps({**GOOD, "file_id": "f", "file": known}), MessageAccepted)
    assert message.file == FileMetadata(**FILE)  # type: ignore[arg-type]
    assert orjson.loads(encode(message)) == {**GOOD, "file_id": "f", "file": FILE}


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
    later = {"recipients", "recipient_users", "recipient_count", "file"}
    assert not later & (orjson.loads(encode(request)).keys() | orjson.loads(encode(change)).keys())
    assert "recipient_id" not in orjson.loads(encode(change))
    assert decode(orjson.dumps(GOOD), MessageAccepted) == message
    assert decode(encode(request), DeliveryRequested) == request


def test_a_missing_field_is_named() -> None:
    document = {name: value for name, value in GOOD.items() if name != "sender_id"}
    with pytest.raises(MalformedRecord, match="'sender_id' is missing"):
        decode(orjson.dumps(document), MessageAccepted)


def test_an_unknown_field_is_kept_out_of_the_way() -> None:
    assert decode(orjson.dumps({**GOOD, "urgency": 3}), MessageAccepted).content == "hi"


@pytest.mark.parametrize("data", [None, b"[]", b"null", b'"x"', b"{" * 100_000, b"x" * (MAX_RECORD_BYTES + 1)])
def test_what_is_no_object_of_bounded_size_is_refused(data: bytes | None) -> None:
    with pytest.raises(MalformedRecord):
        decode(data, MessageAccepted)


def test_a_dead_letter_with_broken_base64_is_refused() -> None:
    broken = orjson.loads(encode(DeadLetter("t", 0, 0, "r", "d", None, b"x", 1))) | {"value": "%%%"}
    with pytest.raises(MalformedRecord, match="not base64"):
        decode(orjson.dumps(broken), DeadLetter)


@pytest.mark.parametrize("offsets", [["1"], [True], [1.5], list(range(MAX_LETTERS + 1)), "1"])
def test_the_letters_of_a_resolution_are_a_bounded_list_of_whole_numbers(offsets: object) -> None:
    good = DeadLetterResolved("redriven", "id", (1, 2), "maria", 3)
    with pytest.raises(MalformedRecord, match="offsets"):
        decode(orjson.dumps({**orjson.loads(encode(good)), "offsets": offsets}), DeadLetterResolved)
