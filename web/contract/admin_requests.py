"""Schemas of requests about dead letters and the accounts of channels."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from domain.records import MAX_CONVERSATION_ID_CHARS
from domain.text import fault_of
from web.admin.cursor import LETTER_CURSOR
from web.contract.request_fields import Creation, Schema, cursor_of, invalid

MAX_NOTE_CHARS = 500


def _instant(text: str) -> str:
    """Return ``text`` if it is a time of ISO-8601 with its zone."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not 0 <= at.timestamp() < 2**38:
            raise ValueError
    except (ValueError, OverflowError):
        raise invalid("must be a time of ISO-8601 with its zone, such as 2025-11-22T22:00:00Z") from None
    return text


def epoch_ms(instant: str | None) -> int | None:
    """Return a valid instant in epoch milliseconds; ``None`` stays ``None``."""
    return None if instant is None else round(datetime.fromisoformat(instant).timestamp() * 1000)


def _note(text: str) -> str:
    if fault := fault_of(text):
        raise invalid(fault)
    return text


Instant = Annotated[
    str,
    AfterValidator(_instant),
    Field(max_length=40, examples=["2025-11-22T22:00:00Z"], json_schema_extra={"format": "date-time"}),
]
Note = Annotated[
    str,
    AfterValidator(_note),
    Field(max_length=MAX_NOTE_CHARS, description="Why, for the record.", examples=["the provider is back"]),
]
Reason = Annotated[str, Field(max_length=100, description="The reason's code.", examples=["expired"])]
Topic = Annotated[str, Field(max_length=249, description="Where the record was.", examples=["whatsapp-outbound"])]
Conversation = Annotated[str, Field(max_length=MAX_CONVERSATION_ID_CHARS, examples=["family"])]
Since = Annotated[Instant | None, Field(description="Dead-lettered at or after this time.")]
Until = Annotated[Instant | None, Field(description="Dead-lettered at or before this time.")]
Cursor = Annotated[str | None, AfterValidator(cursor_of(LETTER_CURSOR))]


class ListDeadLetters(Schema):
    """Of ``GET /v1/admin/dead-letters``."""

    reason: Reason | None = None
    topic: Topic | None = None
    conversation_id: Conversation | None = None
    since: Since = None
    until: Until = None
    state: Annotated[Literal["open", "redriven", "discarded"] | None, Field(description="Default: all.")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Cursor = None


class ResolveDeadLetter(Creation):
    """An operator's word on one dead letter."""

    note: Note = ""
    again: Annotated[bool, Field(description="Also if it was redriven or discarded before.")] = False


class RedriveDeadLetter(ResolveDeadLetter):
    """Send the record of a dead letter again."""

    may_repeat: Annotated[
        bool, Field(description="Also if the channel may have the message, so the person may get it twice.")
    ] = False


class _OfSet(Schema):
    reason: Reason | None = None
    topic: Topic | None = None
    conversation_id: Conversation | None = None
    since: Since = None
    until: Until = None
    dry_run: Annotated[bool, Field(description="Write nothing; answer what would become of the letters.")] = False
    cursor: Annotated[Cursor, Field(description="`next_cursor` of the answer before.")] = None
    all: Annotated[
        bool,
        Field(validate_default=True, description="Every dead letter; required without a filter."),
    ] = False

    @field_validator("all")
    @classmethod
    def _is_meant(cls, everything: bool, info: ValidationInfo) -> bool:
        filters = ("reason", "topic", "conversation_id", "since", "until")
        if not everything and all(info.data.get(name, "") is None for name in filters):
            raise invalid("must be true to mean every dead letter; or give a filter")
        return everything


class DiscardDeadLetters(_OfSet, ResolveDeadLetter):
    """Discard the dead letters that the filter wants."""


class RedriveDeadLetters(_OfSet, RedriveDeadLetter):
    """Redrive the dead letters that the filter wants."""


class CommandAccount(Creation):
    """Pause or resume an account."""

    note: Note = ""
