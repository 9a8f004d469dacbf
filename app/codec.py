"""Records to JSON bytes and back (orjson). The only place that knows ``type`` and ``version``."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Any, TypeVar

import orjson

from domain.errors import MalformedRecord
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted, Record, StatusChanged

R = TypeVar("R", MessageAccepted, DeliveryRequested, StatusChanged, DeadLetter)

VERSION = 1
MAX_RECORD_BYTES = 256 * 1024

_BINARY = {"key", "value"}
# field name -> (JSON type, may it be null)
_SHAPES: dict[type, tuple[tuple[str, type, bool, bool], ...]] = {
    cls: tuple(
        (f.name, int if "int" in str(f.type) else str, "None" in str(f.type), f.default is f.default_factory)
        for f in fields(cls)
    )
    for cls in (MessageAccepted, DeliveryRequested, StatusChanged, DeadLetter)
}


def encode(record: Record) -> bytes:
    """Return the record as one line of JSON."""
    cls = type(record)
    document: dict[str, Any] = {"type": cls.__name__, "version": VERSION}
    for name, _, _, _ in _SHAPES[cls]:
        value = getattr(record, name)
        document[name] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return orjson.dumps(document)


def decode(data: bytes | None, cls: type[R]) -> R:
    """Return the ``cls`` that ``data`` holds. Raises ``MalformedRecord`` with the reason, naming the field."""
    if data is None:
        raise MalformedRecord("the record has no value")
    if len(data) > MAX_RECORD_BYTES:
        raise MalformedRecord(f"the record has {len(data)} bytes; at most {MAX_RECORD_BYTES}")
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
    return cls(
        **{
            name: _field(document, name, kind, null, needed)
            for name, kind, null, needed in _SHAPES[cls]
            if needed or name in document
        }
    )


def _field(document: dict[str, Any], name: str, kind: type, nullable: bool, needed: bool) -> Any:
    try:
        value = document[name]
    except KeyError:
        raise MalformedRecord(f"field {name!r} is missing", name) from None
    if value is None and nullable:
        return None
    if type(value) is not kind:
        raise MalformedRecord(f"field {name!r} is {_shown(value)}, expected {kind.__name__}", name)
    return _bytes_of(name, value) if name in _BINARY else value


def _bytes_of(name: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise MalformedRecord(f"field {name!r} is not base64", name) from None


def _shown(value: object) -> str:
    """A value from outside, cut for a log line."""
    return repr(value)[:80]
