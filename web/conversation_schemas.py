"""What requests about conversations and groups may hold."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationInfo, field_validator

from domain.conversations import MAX_DESCRIPTION_CHARS, MAX_MEMBERS, MAX_NAME_CHARS
from domain.errors import InvalidInput
from domain.recipients import INTERNAL, parse_recipient
from web.conversation_list import listed_of
from web.schemas import MAX_OFFSET, NewConversationId, _Creation, _Schema, _wrong

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_USER_ID = re.compile(r"[!-~]{1,64}")


def participant_id(text: str) -> str:
    """Return a participant normalised: a user's id, or a channel's address. Whether the user exists is not looked at.

    Raises ``PydanticCustomError``, which is a ``ValueError``.
    """
    if _UUID.fullmatch(text):
        return text.lower()
    if ":" in text:
        try:
            recipient = parse_recipient(text)
        except InvalidInput as error:
            raise _wrong(str(error)) from None
        return recipient.address if recipient.channel == INTERNAL else str(recipient)
    if not _USER_ID.fullmatch(text):
        raise _wrong("must be a user_id, or an address such as whatsapp:+5511999990000")
    return text


def _label(text: str) -> str:
    name = text.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise _wrong(f"must have 1 to {MAX_NAME_CHARS} characters")
    if not name.isprintable():
        raise _wrong("must hold printable characters only")
    return name


def _description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION_CHARS:
        raise _wrong(f"must have at most {MAX_DESCRIPTION_CHARS} characters")
    if not all(line.isprintable() for line in text.splitlines()):
        raise _wrong("must hold printable characters and line breaks only")
    return text


def _empty_if_null(value: object) -> object:
    return [] if value is None else value


ParticipantId = Annotated[
    str,
    AfterValidator(participant_id),
    Field(
        json_schema_extra={"minLength": 1},
        description="A user's id, or an address on a channel.",
        examples=["whatsapp:+5511999990000"],
    ),
]
Label = Annotated[
    str,
    AfterValidator(_label),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_NAME_CHARS}, examples=["Family"]),
]
Description = Annotated[
    str, AfterValidator(_description), Field(json_schema_extra={"maxLength": MAX_DESCRIPTION_CHARS})
]


class CreateConversation(_Creation):
    """The caller takes part whether named or not."""

    participants: Annotated[list[ParticipantId], Field(min_length=1, max_length=MAX_MEMBERS)]
    conversation_id: NewConversationId | None = None
    name: Label | None = None


class CreateGroup(_Creation):
    """The caller is a member, and the first admin, whether named or not."""

    name: Label
    description: Description | None = None
    initial_members: Annotated[
        list[ParticipantId],
        BeforeValidator(_empty_if_null),
        Field(
            default_factory=list,
            max_length=MAX_MEMBERS,
            validation_alias=AliasChoices("initial_members", "member_ids"),
        ),
    ]


class AddMember(_Creation):
    user_id: ParticipantId


class ListConversations(_Schema):
    """Of ``GET /v1/conversations``: ``cursor`` or ``offset``, not both."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: str | None = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0

    @field_validator("cursor")
    @classmethod
    def _is_ours(cls, cursor: str | None) -> str | None:
        if cursor is not None:
            try:
                listed_of(cursor)
            except ValueError as error:
                raise _wrong(str(error)) from None
        return cursor

    @field_validator("offset")
    @classmethod
    def _is_alone(cls, offset: int, info: ValidationInfo) -> int:
        if offset and info.data.get("cursor") is not None:
            raise _wrong("give cursor or offset, not both")
        return offset
