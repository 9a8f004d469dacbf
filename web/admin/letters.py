"""Dead letters as values: read from their records, matched by a filter, told in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.outcomes import OUTCOME_UNKNOWN
from domain.records import DeadLetter
from web.admin.record_log import LogRecord

UNREADABLE = "unreadable-letter"

_UNKNOWN = "The channel may have the message or not: no evidence came in time. To send it again may repeat it."

# by the letter's reason, which is the code of an error or of a failed delivery
REASONS: Mapping[str, str] = {
    "malformed-record": "The record cannot be read: it is no record of this release, or it is damaged.",
    "invalid-recipient": "The record names a recipient that cannot exist.",
    "invalid-content": "The message has no content that can be delivered.",
    "invalid-input": "The record contradicts the rules of this release.",
    OUTCOME_UNKNOWN: _UNKNOWN,
    "unknown-outcome": _UNKNOWN,
    "expired": "The message was not sent within its time.",
    "unavailable": "The channel or a dependency was away for too long.",
    "file-store-unavailable": "The store of files was away for too long.",
    "receipt-unclaimed": "A channel reported a receipt, and no attempt to send the message is on record.",
    UNREADABLE: "The dead letter itself cannot be read; its bytes are whole.",
}


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter and its position on ``dead-letters``. ``at_ms``: the broker's append time."""

    partition: int
    offset: int
    at_ms: int
    letter: DeadLetter

    @property
    def letter_id(self) -> str:
        """The letter's id for operators: ``<partition>-<offset>``."""
        return f"{self.partition}-{self.offset}"

    @property
    def conversation_id(self) -> str | None:
        """The key of the original record as text, ``None`` if it is none."""
        try:
            return None if self.letter.key is None else self.letter.key.decode()
        except UnicodeDecodeError:
            return None

    @property
    def reason_text(self) -> str:
        """The reason as a sentence."""
        return REASONS.get(self.letter.reason, f"The delivery failed with {self.letter.reason!r:.80}.")


def position_of(letter_id: str) -> tuple[int, int] | None:
    """Return the partition and the offset of an id, ``None`` if it is none."""
    partition, dash, offset = letter_id.partition("-")
    numbers = (partition, offset)
    if not dash or not all(n.isascii() and n.isdigit() and len(n) <= 18 and str(int(n)) == n for n in numbers):
        return None
    return int(partition), int(offset)


def stored_letter(record: LogRecord) -> StoredLetter:
    """Return the letter of a record of ``dead-letters``. An unreadable record is a letter about itself."""
    try:
        letter = decode(record.value, DeadLetter)
    except MalformedRecord as error:
        letter = DeadLetter(
            "", record.partition, record.offset, UNREADABLE, str(error), record.key, record.value, record.timestamp_ms
        )
    return StoredLetter(record.partition, record.offset, record.timestamp_ms, letter)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """The wanted letters; ``None`` wants all. ``since_ms``, ``until_ms``: of the append time, both
    included. ``topic``: where the record was, with or without the prefix of the settings."""

    reason: str | None = None
    topic: str | None = None
    conversation_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, stored: StoredLetter, prefix: str) -> bool:
        """Return whether the letter is wanted."""
        letter = stored.letter
        return (
            (self.reason is None or letter.reason == self.reason)
            and (self.topic is None or letter.topic in (self.topic, prefix + self.topic))
            and (self.conversation_id is None or stored.conversation_id == self.conversation_id)
            and (self.since_ms is None or stored.at_ms >= self.since_ms)
            and (self.until_ms is None or stored.at_ms <= self.until_ms)
        )
