"""``queue``: the deliveries of a channel without an outcome, in the order of sending.

One table for each channel role; written by that role alone; on the partition of the message's conversation. The first
byte of a key is the kind of the row:

* ``q`` account NUL conversation address position: a delivery. The conversation and the address stand behind their
  lengths (2 bytes each), the position has 8 bytes, all big-endian. So the rows of a conversation to one address (a
  *chain*) follow each other in the order of the log, and those of an account are together. Value: a JSON array
  (``QueuedDelivery``), a line feed, and the ``DeliveryRequested`` as it was on ``<channel>-outbound``.
* ``r`` delivery key NUL status: a receipt that came before the outcome of its delivery (``ReceiptReported``).
* ``a`` conversation: the account on which the conversation began. Value: ``[account, epoch ms of its last use]``.
* ``p`` account: the account is paused. Value: the ``ChannelCommand``.
* ``c`` account NUL conversation address, each of the two behind its length as above: what is known of the person
  (``ContactChanged``).
* ``h`` account NUL file id: the channel's name of an uploaded file. Value: ``[handle, epoch ms of the upload]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from domain.accounts import ACCOUNT_NAME
from domain.attempts import QueuedDelivery

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from domain.records import DeliveryRequested

NAME = "queue"
DELIVERY, RECEIPT, ACCOUNT, PAUSE, CONTACT, HANDLE = b"q", b"r", b"a", b"p", b"c", b"h"
_VERSION = 1
_POSITION_BYTES = 8
MOST_POSITION = 2**63 - 1_000_000
MOST_NAME_BYTES = 4_096


def declare(app: StreamApp) -> DurableTable:
    """Make the table on ``app``. Its deliveries leave with their outcome."""
    return app.durable_table(NAME, help="deliveries that have no outcome yet")


def account_prefix(account: str) -> bytes:
    """Return the beginning of the keys of an account's deliveries."""
    return DELIVERY + account.encode() + b"\0"


def chain_prefix(account: str, conversation_id: str, address: str) -> bytes:
    """Return the beginning of the keys of a conversation's deliveries to one address."""
    to = address.encode()
    return conversation_prefix(account, conversation_id) + len(to).to_bytes(2) + to


def conversation_prefix(account: str, conversation_id: str) -> bytes:
    """Return the beginning of the keys of a conversation's deliveries to all addresses."""
    conversation = conversation_id.encode()
    return account_prefix(account) + len(conversation).to_bytes(2) + conversation


def delivery_row_key(chain: bytes, position: int) -> bytes:
    """Return the key of the delivery of the message at ``position`` of the log."""
    return chain + position.to_bytes(_POSITION_BYTES)


def next_key(key: bytes) -> bytes:
    """Return the key of the next position of the chain."""
    return delivery_row_key(chain_of(key), int.from_bytes(key[-_POSITION_BYTES:]) + 1)


def fault_of(request: DeliveryRequested) -> str | None:
    """Return the field of ``request`` that no row can hold, ``None`` if there is none."""
    if not 0 <= request.position < MOST_POSITION:
        return "position"
    if len(request.conversation_id.encode()) > MOST_NAME_BYTES:
        return "conversation_id"
    if len(request.recipient_id.encode()) > MOST_NAME_BYTES:
        return "recipient_id"
    if request.account and not ACCOUNT_NAME.fullmatch(request.account):
        return "account"
    return None


def chain_of(key: bytes) -> bytes:
    """Return the chain's prefix of a delivery's key."""
    return key[:-_POSITION_BYTES]


def after_chain(chain: bytes) -> bytes:
    """Return a key after all of the chain: positions are less than 2⁶³."""
    return chain + b"\xff" * _POSITION_BYTES


def account_of(key: bytes) -> str:
    """Return the account of a delivery's key."""
    return key[1 : key.index(0)].decode()


def parts_of(chain: bytes) -> tuple[str, str]:
    """Return the conversation and the address of a chain's prefix."""
    start = chain.index(0) + 1
    length = int.from_bytes(chain[start : start + 2])
    conversation = chain[start + 2 : start + 2 + length]
    return conversation.decode(), chain[start + 4 + length :].decode()


def dump(row: QueuedDelivery, request: bytes) -> bytes:
    """Return the table's value for a delivery."""
    headers = [(name, (value or b"").decode("latin-1")) for name, value in row.headers]
    fields: tuple[object, ...] = (
        _VERSION,
        row.name,
        row.enqueued_at_ms,
        row.not_after_ms,
        row.offset,
        row.stage,
        row.attempt,
        row.tries,
        row.not_before_ms,
        row.reason,
        row.priority,
        headers,
    )
    if row.held_since_ms:
        fields += row.held_since_ms, row.is_overtaken
    return orjson.dumps(fields) + b"\n" + request


def load(value: bytes) -> tuple[QueuedDelivery, bytes]:
    """Return the delivery stored in ``value``, and its request as it was on the topic."""
    head, _, request = value.partition(b"\n")
    fields = orjson.loads(head)
    _, name, enqueued, not_after, offset, stage, attempt, tries, not_before, reason, priority, headers = fields[:12]
    held_since_ms, is_overtaken = fields[12:14] or (0, False)
    row = QueuedDelivery(
        name=name,
        enqueued_at_ms=enqueued,
        not_after_ms=not_after,
        offset=offset,
        stage=stage,
        attempt=attempt,
        tries=tries,
        not_before_ms=not_before,
        reason=reason,
        priority=priority,
        headers=tuple((key, text.encode("latin-1")) for key, text in headers),
        held_since_ms=held_since_ms,
        is_overtaken=is_overtaken,
    )
    return row, request


def contact_row_key(account: str, conversation_id: str, address: str) -> bytes:
    """Return the key of what is known of the person at ``address``, for one conversation and account."""
    return CONTACT + chain_prefix(account, conversation_id, address)[1:]


def handle_row_key(account: str, file_id: str) -> bytes:
    """Return the key of the channel's name of a file, for one account."""
    return HANDLE + account.encode() + b"\0" + file_id.encode()


def receipt_row_key(name: str, status: str) -> bytes:
    """Return the key of a receipt that waits for the outcome of the delivery ``name``."""
    return RECEIPT + name.encode() + b"\0" + status.encode()
