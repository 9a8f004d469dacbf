"""Texts in rows of messages: a fact in the ``facts`` set, a file's metadata, a kind's object, and the check of keys.

    ["SENT",1732312312345,1,"sim.abc"]      status, epoch ms, attempt, provider id, failure code, failure detail
    ["READ",1732312312345,1,"sim.abc",null,null,"instagram:@maria",3]                  …, recipient, their number
    ["SENT",1732312312345,1,"sim.abc",null,null,null,1,32]    …, milliseconds from its time to the append of its record
    ["SENT",1732312312345,1,"wamid.1",null,null,null,1,32,"{\\"billable\\":true}"]   …, what the provider charges

Trailing nulls are dropped, so a record has one text only and adding it twice adds it once. Rows of earlier releases
have facts without the last number; earlier releases pass over it.

    {"filename":"a.pdf","size_bytes":1024,"mimetype":"application/pdf","checksum":"sha256:…","storage_path":"c-1/…"}
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import orjson

from domain.files import FileMetadata
from domain.ports import LogPosition
from domain.status import Fact, MessageState, State, Status, fold

MAX_KEY_BYTES = 65_535  # Cassandra's own limit for partition keys and for elements of a set
_MAX_DETAIL_CHARS = 2_000
_WORDS = frozenset(Status)
_SHARED_PARTS = 8
_FILE_FIELDS = tuple(f.name for f in fields(FileMetadata))


def encode_fact(fact: Fact) -> str:
    """Return the text of ``fact``; a failure's detail is cut to 2,000 characters."""
    detail = fact.failure_detail and fact.failure_detail[:_MAX_DETAIL_CHARS]
    parts: list[Any] = [fact.status, fact.at_ms, fact.attempt, fact.provider_id, fact.failure_code, detail]
    if fact.recipient_count > 1 or fact.logged_ms or fact.pricing is not None:
        parts += [fact.recipient_id or None, fact.recipient_count]
    if fact.logged_ms or fact.pricing is not None:
        parts.append(fact.logged_ms - fact.at_ms if fact.logged_ms else None)
    parts.append(fact.pricing)
    while parts[-1] is None:
        parts.pop()
    return orjson.dumps(parts).decode()


def decode_fact(text: str) -> Fact | None:
    """Return the fact of ``text``, or ``None`` for a status unknown to this release."""
    parts = orjson.loads(text)
    if parts[0] not in _WORDS:
        return None
    if len(parts) < _SHARED_PARTS:
        return Fact(*parts[:6])
    delta_ms, pricing = (*parts[_SHARED_PARTS:], None, None)[:2]
    logged_ms = 0 if delta_ms is None else parts[1] + delta_ms
    return Fact(*(*parts[:6], parts[6] or "", parts[7], logged_ms, pricing))


def encode_file(metadata: FileMetadata) -> str:
    """Return the metadata of a message's file as JSON."""
    return orjson.dumps(metadata).decode()


def decode_file(text: str) -> FileMetadata:
    """Return the metadata written by ``encode_file``; ignore fields of later releases."""
    found = orjson.loads(text)
    return FileMetadata(**{name: found[name] for name in _FILE_FIELDS})


def encode_body(body: Mapping[str, object]) -> str:
    """Return the object of a message's kind as JSON."""
    return orjson.dumps(dict(body)).decode()


def decode_body(text: str | None) -> Mapping[str, object]:
    """Return the object written by ``encode_body``; empty if there is none."""
    found: dict[str, object] = {} if text is None else orjson.loads(text)
    return found


def state_of(position: LogPosition, texts: Iterable[str] | None) -> State:
    """Return the state of a stored row. A row with content is ACCEPTED, at its position."""
    return fold(facts_in(texts), MessageState(accepted_at_ms=position.accepted_at_ms))


def facts_in(texts: Iterable[str] | None) -> list[Fact]:
    """Return the facts of a stored row."""
    return [fact for text in texts or () if (fact := decode_fact(text)) is not None]


def bucket_of(accepted_at_ms: int) -> int:
    """Return the month (UTC) of a time in epoch milliseconds, as YYYYMM."""
    when = time.gmtime(accepted_at_ms // 1000)
    return when.tm_year * 100 + when.tm_mon


def first_wins(position: LogPosition, rising_us: int) -> int:
    """Return a write timestamp that lets the *first* position win: it falls as positions rise.

    ``rising_us``: ``LogClock.rising_us`` of the position. Cassandra keeps the highest timestamp. This one is negative,
    so every other write is later than it and deleted rows stay deleted. Within one millisecond, and until a
    stepped-back clock has caught up, the order is the order of the offsets, except across a multiple of a million.
    """
    return -(rising_us * 1000 + position.offset % 1_000_000)


def is_possible_key(text: str) -> bool:
    """Return whether ``text`` can be a partition key; asking for another one is answered without the server."""
    try:
        return 0 < len(text.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError:
        return False
