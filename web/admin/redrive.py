"""The records of a redrive of a letter, or the reason of its refusal."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TypeVar

from app.kafka.codec import MAX_RECORD_BYTES, decode, encode
from app.kafka.topics import Topics
from domain.errors import Conflict, MalformedRecord
from domain.outcomes import OUTCOME_UNKNOWN
from domain.recipients import CHANNELS
from domain.records import ChannelCommand, DeliveryRequested, ReceiptReported, StatusChanged, delivery_key
from web.admin.letters import StoredLetter

UNKNOWN_OUTCOMES = frozenset({OUTCOME_UNKNOWN, "unknown-outcome"})

R = TypeVar("R", DeliveryRequested, StatusChanged, ReceiptReported)


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order. ``again``: also for letters with a resolution. ``may_repeat``: also for messages that the
    channel may have. ``by``: the operator's username; ``reason``: theirs."""

    by: str
    reason: str = ""
    again: bool = False
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Redrive:
    """The topic of the record to be written, on the partition of the letter's record. ``request``: the delivery, for a
    command; ``None``: the letter's record is written as it was."""

    topic: str
    request: DeliveryRequested | None

    def record(self, stored: StoredLetter, resolution_id: str, order: Order, at_ms: int) -> bytes | None:
        """Return the value to write; its command has the same id however often it is written."""
        if self.request is None:
            return stored.letter.value
        command = ChannelCommand(
            "redrive",
            command_id_of(stored, resolution_id),
            account=self.request.account,
            message_id=self.request.message_id,
            token=delivery_key(self.request),
            request=stored.letter.value,
            by=order.by,
            at_ms=at_ms,
            reason=order.reason,
        )
        return encode(command)


def command_id_of(stored: StoredLetter, resolution_id: str) -> str:
    """Return the id of the command that redrives a letter by this resolution."""
    return str(uuid.uuid5(uuid.UUID(resolution_id), stored.letter_id))


class Redrives:
    """Decides on redrives. ``outcome_ms``: how long a worker knows the outcome of a delivery after it failed."""

    def __init__(self, topics: Topics, outcome_ms: int) -> None:
        self._topics = topics
        self._outcome_ms = outcome_ms
        self._channel_of = {topics.outbound(channel): channel for channel in CHANNELS}
        self._events = frozenset(map(topics.events, CHANNELS))

    def plan(self, stored: StoredLetter, order: Order, now_ms: int) -> Redrive:
        """Return the record of a letter's redrive. Raises ``Conflict`` with the reason for a refusal."""
        letter = stored.letter
        if (channel := self._channel_of.get(letter.topic)) is not None:
            return self._delivery(stored, channel, order, now_ms)
        # facts are a set: neither their order nor a repetition counts
        if letter.topic == self._topics.status_updates:
            _readable(stored, StatusChanged)
            return Redrive(letter.topic, None)
        if letter.topic in self._events:
            _readable(stored, ReceiptReported)
            return Redrive(letter.topic, None)
        if letter.topic == self._topics.messages:
            raise Conflict(
                "a record of messages is not redriven: it would get another place in its conversation; send the "
                "message anew, or discard the letter"
            )
        raise Conflict(f"a record of {letter.topic or 'an unknown topic'} is not redriven; discard the letter")

    def _delivery(self, stored: StoredLetter, channel: str, order: Order, now_ms: int) -> Redrive:
        request = _readable(stored, DeliveryRequested)
        letter = stored.letter
        if letter.reason == MalformedRecord.code:  # no worker has ever tried it
            return Redrive(letter.topic, None)
        if letter.reason in UNKNOWN_OUTCOMES and not order.may_repeat:
            raise Conflict(
                "the channel may have this message, so the person may get it twice; may_repeat sends it again all the "
                "same"
            )
        if now_ms - stored.at_ms > self._outcome_ms:
            raise Conflict(
                "the worker no longer knows that this delivery failed (CHAT4ALL_STATE_RETENTION_HOURS); send the "
                "message anew"
            )
        redrive = Redrive(self._topics.commands(channel), request)
        if len(redrive.record(stored, str(uuid.UUID(int=0)), order, now_ms) or b"") > MAX_RECORD_BYTES:
            raise Conflict("the record is too long for a command")
        return redrive


def _readable(stored: StoredLetter, kind: type[R]) -> R:
    try:
        return decode(stored.letter.value, kind)
    except MalformedRecord as error:
        raise Conflict(f"the record still cannot be read: {error}") from error
