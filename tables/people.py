"""``people``: the address book of a channel's accounts, and the rows that tie webhooks to messages.

One table for each channel role; written by that role alone; on the partition of the *account*, as
``<channel>-inbound`` is. The first byte of a key is the kind of the row; the account and a NUL follow:

* ``p`` account NUL person id: a person (``domain.people.Known``).
* ``n`` account NUL identifier: the person id of its owner.
* ``i`` account NUL person id NUL offset (8 bytes, big-endian): a message that waits for its own files, or for those of
  an earlier message. The offset is that of its record on ``<channel>-inbound``, so the rows are in its order.
* ``s`` account NUL happening, space, element id: an element that was taken (``Seen``).
* ``m`` account NUL provider id: a message, ours or a person's (``Message``).
* ``r`` account NUL provider id NUL status: a receipt that came before its message was known.

Values are JSON. Rows that leave after the retention begin with their time: ``1732312312377 [...]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from app.faust.table_retention import Retention
from domain.inbound import Person
from domain.people import Known

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp

NAME = "people"
PERSON, IDENTIFIER, WAITING, SEEN, MESSAGE, RECEIPT = b"p", b"n", b"i", b"s", b"m", b"r"
MOST_ID_BYTES = 1_024
_OFFSET_BYTES = 8
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Seen:
    """An element of a webhook that was taken: its time, its record, and its conversation."""

    at_ms: int
    offset: int
    conversation_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message by the provider's id of it. ``token``: the ``delivery_key`` of ours; empty: it is a person's."""

    at_ms: int
    conversation_id: str
    message_id: str
    token: str = ""


def declare(app: StreamApp) -> DurableTable:
    """Make the table on ``app``. People stay; what ties webhooks to messages leaves after the retention."""
    table = app.durable_table(NAME, help="people, and what ties webhooks to messages")
    app.post_start_services.append(Retention(app, table, recorded_at_ms))
    return table


def recorded_at_ms(value: bytes) -> int:
    """Return the time of the row's writing, by our clock; for a row that stays, a time beyond every retention."""
    head, space, _ = value.partition(b" ")
    return int(head) if space and head.isdigit() else _NEVER


def row_key(kind: bytes, account: str, name: str = "") -> bytes:
    """Return the key of a row, or with an empty ``name`` the beginning of the keys of an account's rows."""
    return kind + account.encode() + b"\0" + name.encode()


def account_of(key: bytes) -> str:
    """Return the account of a row's key."""
    return key[1 : key.index(0)].decode()


def waiting_prefix(account: str, person_id: str) -> bytes:
    """Return the beginning of the keys of a person's waiting messages."""
    return row_key(WAITING, account, person_id) + b"\0"


def waiting_key(account: str, person_id: str, offset: int) -> bytes:
    """Return the key of a waiting message."""
    return waiting_prefix(account, person_id) + offset.to_bytes(_OFFSET_BYTES)


def waiting_prefix_of(key: bytes) -> bytes:
    """Return the beginning of the keys of the same person's waiting messages."""
    return key[:-_OFFSET_BYTES]


def dump_known(row: Known) -> bytes:
    """Return the value of a person's row."""
    p = row.person
    person = (p.phone, p.user_id, p.handle, p.name)
    return orjson.dumps((row.person_id, person, row.conversations, row.window_until_ms, row.opted_out, row.at_ms))


def load_known(value: bytes) -> Known:
    """Return the person stored in ``value``."""
    person_id, person, conversations, window_until_ms, opted_out, at_ms = orjson.loads(value)
    pairs = tuple((conversation_id, address) for conversation_id, address in conversations)
    return Known(person_id, Person(*person), pairs, window_until_ms, opted_out, at_ms)


def dump_seen(row: Seen) -> bytes:
    """Return the value of an element that was taken."""
    return b"%d %b" % (row.at_ms, orjson.dumps((row.offset, row.conversation_id)))


def load_seen(value: bytes) -> Seen:
    """Return the element stored in ``value``."""
    at_ms, _, rest = value.partition(b" ")
    return Seen(int(at_ms), *orjson.loads(rest))


def dump_message(row: Message) -> bytes:
    """Return the value of a message."""
    return b"%d %b" % (row.at_ms, orjson.dumps((row.conversation_id, row.message_id, row.token)))


def load_message(value: bytes) -> Message:
    """Return the message stored in ``value``."""
    at_ms, _, rest = value.partition(b" ")
    return Message(int(at_ms), *orjson.loads(rest))


def dump_aging(at_ms: int, record: bytes) -> bytes:
    """Return the value of a record that leaves after the retention."""
    return b"%d %b" % (at_ms, record)


def load_aging(value: bytes) -> tuple[int, bytes]:
    """Return when the record was stored, and the record."""
    at_ms, _, record = value.partition(b" ")
    return int(at_ms), record
