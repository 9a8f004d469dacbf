"""The facts on the topics, as values. ``app/codec.py`` turns them into JSON and back.

On the wire each is one JSON object with ``type`` and ``version`` besides the fields below:

    {"type":"MessageAccepted","version":1,"message_id":"0193…","conversation_id":"c-1","sender_id":"0193…",
     "recipient_id":"whatsapp:+5511999990000","content":"hi","file_id":null}

Unknown fields are ignored on the way in; an unknown version is a ``MalformedRecord``.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_CONTENT_BYTES = 10_240
MAX_CONVERSATION_ID_CHARS = 128


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """On ``messages``: a message the API took. Its time of acceptance is the broker's append time of the record."""

    message_id: str
    conversation_id: str
    sender_id: str
    recipient_id: str
    content: str
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRequested:
    """On ``<channel>-outbound``: one message for one address of that channel.

    ``accepted_at_ms`` (epoch milliseconds) and ``position`` are the broker's append time and the offset of the
    ``MessageAccepted`` record on ``messages``. Together with the conversation they are the message's place in its
    history, so every later fact carries them and no view has to look them up.
    """

    message_id: str
    conversation_id: str
    sender_id: str
    recipient_id: str
    content: str
    file_id: str | None
    accepted_at_ms: int
    position: int


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """On ``status-updates``: one fact about one message. ``status`` is a word of ``domain.status.Status``."""

    message_id: str
    conversation_id: str
    status: str
    at_ms: int
    accepted_at_ms: int
    position: int
    channel: str
    attempt: int = 0
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """On ``dead-letters``: a record that could not be processed, whole: ``key`` and ``value`` are its bytes."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    at_ms: int
    attempts: int = 1


Record = MessageAccepted | DeliveryRequested | StatusChanged | DeadLetter
