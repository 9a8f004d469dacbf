"""Records of any topic as entries of a timeline. Pure."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from domain.records import DeadLetter

MOST_SHOWN = 100  # characters of a value on a line
_ALREADY_SHOWN = frozenset({"type", "version", "message_id", "conversation_id", "account"})


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as the broker has it. ``timestamp_ms``: the broker's append time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter; an empty text accepts everything. ``type``: as in the record, in any case."""

    conversation_id: str = ""
    message_id: str = ""
    account: str = ""
    type: str = ""

    def accepts(self, record: LogRecord, document: Mapping[str, Any]) -> bool:
        """Return whether the record is wanted. ``document``: its value, empty if it is no JSON object."""
        if self.conversation_id and self.conversation_id not in (document.get("conversation_id"), _text(record.key)):
            return False
        if self.message_id and not _names_message(record, document, self.message_id):
            return False
        if self.account and self.account not in (document.get("account"), _text(record.key).partition(" ")[0]):
            return False
        return not self.type or str(document.get("type", "")).lower() == self.type.lower()


def iso_of(at_ms: int) -> str:
    """Return epoch milliseconds as people read them, in UTC; a time that no calendar has, as its number."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        return str(at_ms)


def document_of(record: LogRecord) -> dict[str, Any]:
    """Return the record's JSON object; empty for every other value."""
    try:
        document = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def line_of(record: LogRecord, document: Mapping[str, Any]) -> str:
    """Return one line for people: time, topic and place, type, message, and the other fields that say something."""
    head = f"{iso_of(record.timestamp_ms)}  {record.topic}[{record.partition}]@{record.offset}"
    if record.value is None:
        return f"{head}  deleted {_cut(_text(record.key))}"
    if not document:
        return f"{head}  {len(record.value)} bytes, key {_cut(_text(record.key))}"
    parts = [str(document.get("type", "record"))]
    message_id, conversation_id = document.get("message_id"), document.get("conversation_id") or _text(record.key)
    parts += [str(one) for one in (message_id, conversation_id) if one]
    fields = (f"{name}={_cut(_shown(value))}" for name, value in document.items() if _says_something(name, value))
    return f"{head}  {' '.join(parts)}  {' '.join(fields)}".rstrip()


def json_of(record: LogRecord, document: Mapping[str, Any]) -> str:
    """Return one line of JSON: where the record is, its key, and its value (as text if it is no JSON object)."""
    value: object = dict(document) if document else _text_or_none(record.value)
    whole = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "key": _text_or_none(record.key),
        "value": value,
    }
    return orjson.dumps(whole).decode()


def _names_message(record: LogRecord, document: Mapping[str, Any], message_id: str) -> bool:
    named = document.get("message_id"), document.get("token"), document.get("reply_to"), _text(record.key)
    if any(isinstance(one, str) and message_id in one for one in named):
        return True
    inner = document.get("value") if document.get("type") == DeadLetter.__name__ else None
    try:
        return isinstance(inner, str) and message_id.encode() in b64decode(inner, validate=True)
    except ValueError:
        return False


def _says_something(name: str, value: object) -> bool:
    return name not in _ALREADY_SHOWN and value not in (None, "", 0, [], {})


def _shown(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _cut(text: str) -> str:
    text = "".join(one if one.isprintable() else "·" for one in text)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _text(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace")


def _text_or_none(data: bytes | None) -> str | None:
    return None if data is None else _text(data)
