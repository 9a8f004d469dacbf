"""Records to JSON bytes and back (orjson). Only this module knows ``type`` and ``version``."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

import orjson

from domain.errors import MalformedRecord
from domain.files import FileMetadata, metadata_fault
from domain.inbound import ContactChanged, InboundEvent, Media, Person, ReadMarked, SentReported, WebhookReceived
from domain.records import (
    MAX_LETTERS,
    MAX_RECIPIENTS,
    AccountReport,
    ChannelCommand,
    DeadLetter,
    DeadLetterResolved,
    DeliveryRequested,
    MessageAccepted,
    ReceiptReported,
    Record,
    StatusChanged,
)
from domain.traces import TraceRecorded

R = TypeVar(
    "R",
    MessageAccepted,
    DeliveryRequested,
    StatusChanged,
    ReceiptReported,
    ChannelCommand,
    AccountReport,
    TraceRecorded,
    InboundEvent,
    SentReported,
    ReadMarked,
    WebhookReceived,
    ContactChanged,
    DeadLetter,
    DeadLetterResolved,
)

VERSION = 1
MAX_RECORD_BYTES = 256 * 1024
MAX_DEAD_LETTER_BYTES = 9 * 1024 * 1024  # it holds a refused record in base64: a webhook, or what Kafka lets have 1 MiB
MAX_WEBHOOK_BYTES = 6 * 1024 * 1024  # a provider's POST of at most 4 MiB, in base64
MAX_MEDIA = 100  # of an inbound message

_BINARY = {"key", "value", "request", "raw"}
_TEXTS = {"recipients", "recipient_users", "recipient_ids", "recipient_accounts", "members", "part_ids", "signers"}
_PEOPLE = {"person", "former"}
# from what JSON has for them
_MADE = _BINARY | _TEXTS | _PEOPLE | {"file", "waiting_by", "offsets", "headers", "media"}
_ABSENT = object()
_CLASSES: tuple[type, ...] = R.__constraints__
# fields added later: left out at their default, so older readers see an unchanged record
_LATER = {
    "recipients",
    "recipient_users",
    "recipient_count",
    "recipient_id",
    "file",
    "account",
    "not_after_ms",
    "priority",
    "kind",
    "body",
    "reply_to",
    "target_id",
    "to",
    "recipient_ids",
    "direction",
    "sender_name",
    "provider_id",
    "sent_at_ms",
    "members",
    "until_ms",
    "target_address",
    "recipient_accounts",
    "pricing",
    "overtaken_at_ms",
    "is_taken",
    "signers",
    "is_typing",
}
# records made after all of their fields: what has its default is left out
_SPARE = {TraceRecorded, InboundEvent, SentReported}


def _kind(annotation: str) -> type:
    if annotation.startswith("tuple"):
        return list
    if annotation.startswith(("FileMetadata", "Mapping", "Person")):
        return dict
    if annotation in ("bool", "float"):
        return bool if annotation == "bool" else float
    return int if "int" in annotation else str


_FILE_PARTS = tuple((f.name, _kind(str(f.type))) for f in fields(FileMetadata))
_PERSON_PARTS = tuple((f.name, _kind(str(f.type))) for f in fields(Person))
_MEDIA_PARTS = tuple((f.name, _kind(str(f.type))) for f in fields(Media))

# field name, JSON type, may it be null, must it be there, is it as JSON has it
_SHAPES: dict[type, tuple[tuple[str, type, bool, bool, bool], ...]] = {
    cls: tuple(
        (f.name, _kind(str(f.type)), "None" in str(f.type), f.default is f.default_factory, f.name not in _MADE)
        for f in fields(cls)
    )
    for cls in _CLASSES
}


def _is_needed(each: Field[Any]) -> bool:
    return each.default is each.default_factory  # both are MISSING


def _default_of(each: Field[Any]) -> object:
    return each.default if each.default_factory is MISSING else each.default_factory()


_MAYBE = {
    cls: tuple(
        (f.name, _default_of(f)) for f in fields(cls) if (f.name in _LATER or cls in _SPARE) and not _is_needed(f)
    )
    for cls in _CLASSES
}
_ALWAYS = {
    cls: tuple(f.name for f in fields(cls) if f.name not in {name for name, _ in _MAYBE[cls]}) for cls in _CLASSES
}
_MOST_BYTES: dict[type, int] = {DeadLetter: MAX_DEAD_LETTER_BYTES, WebhookReceived: MAX_WEBHOOK_BYTES}


def encode(record: Record) -> bytes:
    """Return the record as one line of JSON."""
    cls = type(record)
    document: dict[str, Any] = {"type": cls.__name__, "version": VERSION}
    for name in _ALWAYS[cls]:
        value = getattr(record, name)
        document[name] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    for name, default in _MAYBE[cls]:
        if (value := getattr(record, name)) != default:
            document[name] = value
    return orjson.dumps(document)


def decode(data: bytes | None, cls: type[R]) -> R:
    """Return the ``cls`` encoded in ``data``. Raises ``MalformedRecord`` with the reason, naming the field."""
    if data is None:
        raise MalformedRecord("the record has no value")
    most = _MOST_BYTES.get(cls, MAX_RECORD_BYTES)
    if len(data) > most:
        raise MalformedRecord(f"the record has {len(data)} bytes; at most {most}")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedRecord(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise MalformedRecord("not a JSON object")
    if document.get("type") != cls.__name__:
        raise MalformedRecord(f"type is {_shown(document.get('type'))}, expected {cls.__name__!r}", "type")
    if document.get("version") != VERSION:
        raise MalformedRecord(f"unknown version {_shown(document.get('version'))}, expected {VERSION}", "version")
    values: dict[str, Any] = {}
    find = document.get
    for name, kind, null, needed, is_plain in _SHAPES[cls]:
        value = find(name, _ABSENT)
        if is_plain and value.__class__ is kind:  # nearly always: this runs for every record, in every process
            values[name] = value
        elif needed or value is not _ABSENT:
            values[name] = _field(document, name, kind, null, needed)
    return cls(**values)


def type_of(data: bytes | None) -> str:
    """Return the type that a record names, of a topic with several types; empty if it names none."""
    try:
        document = orjson.loads(data or b"")
    except orjson.JSONDecodeError:
        return ""
    name = document.get("type") if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


def _field(document: dict[str, Any], name: str, kind: type, nullable: bool, needed: bool) -> Any:
    try:
        value = document[name]
    except KeyError:
        raise MalformedRecord(f"field {name!r} is missing", name) from None
    if value is None and nullable:
        return None
    if type(value) is not kind:
        raise MalformedRecord(f"field {name!r} is {_shown(value)}, expected {kind.__name__}", name)
    if name in _BINARY:
        return _bytes_of(name, value)
    if name in _TEXTS:
        return _texts_of(name, value)
    if name in _PEOPLE:
        return Person(**_parts_of(name, value, _PERSON_PARTS))
    make = _MAKERS.get(name)
    return value if make is None else make(name, value)


def _texts_of(name: str, value: Any) -> tuple[str, ...]:
    if len(value) > MAX_RECIPIENTS:
        raise MalformedRecord(f"field {name!r} has {len(value)} elements; at most {MAX_RECIPIENTS}", name)
    if not all(type(item) is str for item in value):
        raise MalformedRecord(f"field {name!r} holds something that is no text", name)
    return tuple(value)


def _numbers_of(name: str, value: Any) -> tuple[int, ...]:
    if len(value) > MAX_LETTERS:
        raise MalformedRecord(f"field {name!r} has {len(value)} elements; at most {MAX_LETTERS}", name)
    if not all(type(item) is int for item in value):
        raise MalformedRecord(f"field {name!r} holds something that is no whole number", name)
    return tuple(value)


def _file_of(name: str, value: Any) -> FileMetadata:
    found = _parts_of(name, value, _FILE_PARTS)
    metadata = FileMetadata(**found)
    if fault := metadata_fault(metadata):
        raise MalformedRecord(f"field '{name}.{fault}' is {_shown(found[fault])}, which it cannot be", name)
    return metadata


def _parts_of(name: str, value: Any, parts: tuple[tuple[str, type], ...]) -> dict[str, Any]:
    """Return the parts of a nested object, each of its type. Raises ``MalformedRecord``."""
    for part, kind in parts:
        if type(value.get(part)) is not kind:
            raise MalformedRecord(f"field '{name}.{part}' is {_shown(value.get(part))}, expected {kind.__name__}", name)
    return {part: value[part] for part, _ in parts}


def _media_of(name: str, value: Any) -> tuple[Media, ...]:
    if len(value) > MAX_MEDIA:
        raise MalformedRecord(f"field {name!r} has {len(value)} elements; at most {MAX_MEDIA}", name)
    if not all(type(item) is dict for item in value):
        raise MalformedRecord(f"field {name!r} holds something that is no object", name)
    return tuple(Media(**_parts_of(name, item, _MEDIA_PARTS)) for item in value)


def _headers_of(name: str, value: Any) -> dict[str, str]:
    if not all(type(text) is str for text in value.values()):
        raise MalformedRecord(f"field {name!r} holds something that is no text", name)
    return dict(value)


def _counts_of(name: str, value: Any) -> dict[str, int]:
    if not all(type(number) is int for number in value.values()):
        raise MalformedRecord(f"field {name!r} holds something that is no number", name)
    return dict(value)


def _bytes_of(name: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise MalformedRecord(f"field {name!r} is not base64", name) from None


def _shown(value: object) -> str:
    """A value from outside, cut for a log line."""
    return repr(value)[:80]


_MAKERS: dict[str, Callable[[str, Any], object]] = {
    "file": _file_of,
    "waiting_by": _counts_of,
    "offsets": _numbers_of,
    "headers": _headers_of,
    "media": _media_of,
}
