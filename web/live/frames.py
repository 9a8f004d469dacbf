"""The JSON events of the live contract and their encoding as WebSocket frames.

    {"type":"new_message","message_id":"0193…","conversation_id":"c-1","direction":"outbound","kind":"text",
     "reply_to":null,"sender_id":"0193…","content":"hi","timestamp":1763848800123,
     "sender":{"user_id":"0193…","username":"maria"},"cursor":"AQUA…"}
                                                          with a file also "file_id" and "file_metadata":{…}
                                                          of another kind also its object, as "location":{…}
                                                          of a known account also "account"
    {"type":"status","message_id":"0193…","conversation_id":"c-1","status":"READ","timestamp":1763848803000,
     "cursor":"AQUB…"}                                    to several also "counts":{"READ":3,"FAILED":1,…}

``cursor`` means: all earlier events for this user have been sent on this connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status
from web.contract.kind_bodies import account_of, kind_document, sender_document
from web.contract.response_bodies import file_metadata_document
from web.conversations.usernames import Usernames
from web.history.published_state import PublishedState
from web.http.responses import calendar_ms

# close codes: those of RFC 6455 where one fits, else 4000 plus the HTTP status that says the same
GOING_AWAY, POLICY, TRY_AGAIN = 1001, 1008, 1013
TOKEN_EXPIRED, TOO_SLOW, TOO_MANY = 4401, 4408, 4429

_TIME_OF = {
    Status.SENT: "sent_at_ms",
    Status.DELIVERED: "delivered_at_ms",
    Status.READ: "read_at_ms",
    Status.FAILED: "failed_at_ms",
}

_EVENT_BYTES, _RECIPIENT_BYTES = 1_000, 220


@dataclass(frozen=True, slots=True)
class Event:
    """A log record as a frame without its cursor.

    ``log_index``: see ``positions.py``. ``logged_at_ms``: the record's timestamp, set by the broker or the producer.
    ``status``: empty for a message. ``message``: ``None`` for a status. ``failures``: the number of recipients with a
    failed delivery.
    """

    log_index: int
    offset: int
    conversation_id: str
    message_id: str
    logged_at_ms: int
    body: bytes
    status: str = ""
    message: MessageAccepted | None = None
    failures: int = 0

    @property
    def publication_key(self) -> tuple[str, int]:
        """Return ``web.history.published_state.PublishedState.key`` of a status event."""
        return self.status, self.failures

    @property
    def held_bytes(self) -> int:
        """Its approximate size in memory while it waits."""
        recipients = 0 if self.message is None else len(self.message.recipients)
        return _EVENT_BYTES + 2 * len(self.body) + _RECIPIENT_BYTES * recipients


def message_event(log_index: int, offset: int, message: MessageAccepted, position: LogPosition) -> Event:
    """Return the event of an accepted message."""
    document: dict[str, Any] = {
        "type": "new_message",
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        **kind_document(message),
        "sender_id": message.sender_id,
        "content": message.content,
        "timestamp": position.accepted_at_ms,
    }
    if (account := account_of(message)) is not None:
        document["account"] = account
    if message.file_id is not None:
        document["file_id"] = message.file_id
    if message.file is not None:
        document["file_metadata"] = file_metadata_document(message.file)
    return Event(
        log_index,
        offset,
        message.conversation_id,
        message.message_id,
        position.accepted_at_ms,
        orjson.dumps(document),
        "",
        message,
    )


def status_event(
    log_index: int, offset: int, change: StatusChanged, published: PublishedState, logged_at_ms: int
) -> Event:
    """Return the event for ``change``; it carries the message's state in ``published``."""
    state = published.state
    status = state.status
    at_ms = getattr(state, _TIME_OF[status]) if status in _TIME_OF else None
    document: dict[str, Any] = {
        "type": "status",
        "message_id": change.message_id,
        "conversation_id": change.conversation_id,
        "status": status,
        "timestamp": calendar_ms(change.at_ms if at_ms is None else at_ms),
    }
    if status is Status.FAILED:
        document["failure"] = {"code": state.failure_code, "detail": state.failure_detail}
    failures = 0
    if published.counts is not None:
        document["counts"] = published.counts
        failures = published.counts[Status.FAILED]
    return Event(
        log_index,
        offset,
        change.conversation_id,
        change.message_id,
        logged_at_ms,
        orjson.dumps(document),
        status,
        None,
        failures,
    )


def text_frame(body: bytes) -> bytes:
    """Return a WebSocket text frame, whole and unmasked, as a server sends it (RFC 6455, section 5.2)."""
    size = len(body)
    if size < 126:
        return bytes((0x81, size)) + body
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + body
    return b"\x81\x7f" + size.to_bytes(8, "big") + body


def close_frame(code: int, reason: str) -> bytes:
    """Return a WebSocket close frame (RFC 6455, section 5.5.1)."""
    text = reason.encode()[:123]
    return bytes((0x88, 2 + len(text))) + code.to_bytes(2, "big") + text


def event_frame(event: Event, cursor: bytes, usernames: Usernames) -> bytes:
    """Return the frame of an event, for a message with the sender's name. All connections get the same bytes."""
    sender = b""
    if event.message is not None:
        sender_id = event.message.sender_id
        names = {} if (name := usernames.known(sender_id)) is None else {sender_id: name}
        sender = b',"sender":' + orjson.dumps(sender_document(event.message, names))
    return text_frame(event.body[:-1] + sender + b',"cursor":"' + cursor + b'"}')


def control_frame(kind: str, **fields: Any) -> bytes:
    """Return a frame about the connection itself: connected, pong, error, resync_required."""
    return text_frame(orjson.dumps({"type": kind, **fields}))
