"""Schemas of requests about conversations and groups."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationInfo, field_validator

from domain.conversations import MAX_DESCRIPTION_CHARS, MAX_MEMBERS, MAX_NAME_CHARS
from domain.direct import PREFIX, is_reserved
from domain.text import fault_of, is_blank
from web.contract.request_fields import (
    MAX_OFFSET,
    Creation,
    NewConversationId,
    Schema,
    cursor_of,
    invalid,
    offset_alone,
    participant,
)
from web.conversations.listing import LIST_CURSOR

_NOBODY = "must be a user_id, user:<username>, or an address such as whatsapp:+5511999990000"


def participant_id(text: str) -> str:
    """Return a participant normalised: a user's id, ``user:<username>``, or a channel's address.

    Whether the user exists is not looked at.

    Raises ``PydanticCustomError``, which is a ``ValueError``.
    """
    return participant(text, _NOBODY, None)


def _label(text: str) -> str:
    name = text.strip()
    if len(name) > MAX_NAME_CHARS or is_blank(name):
        raise invalid(f"must have 1 to {MAX_NAME_CHARS} characters")
    if fault := fault_of(name):
        raise invalid(fault)
    return name


def _description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION_CHARS:
        raise invalid(f"must have at most {MAX_DESCRIPTION_CHARS} characters")
    if fault := fault_of(text, allowed="\t\n\r\u2028\u2029"):
        raise invalid(fault)
    return text


def _empty_if_null(value: object) -> object:
    return [] if value is None else value


ParticipantId = Annotated[
    str,
    AfterValidator(participant_id),
    Field(
        json_schema_extra={"minLength": 1},
        description="A user's id, `user:<username>` or an address on a channel.",
        examples=["whatsapp:+5511999990000", "user:maria"],
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


class CreateConversation(Creation):
    """The caller is a participant, named or not."""

    recipient_id: Annotated[
        ParticipantId | None,
        Field(
            description="In place of all other fields: find or create the direct conversation with an address or a "
            "user, with an id assigned by the system.",
        ),
    ] = None
    participants: Annotated[
        list[ParticipantId],
        Field(
            default_factory=list,
            validate_default=True,
            max_length=MAX_MEMBERS,
            json_schema_extra={"minItems": 1},
            description="Required without `recipient_id`.",
        ),
    ]
    conversation_id: Annotated[
        NewConversationId | None,
        Field(
            description="An id of your choice, or none for a new one. Ids are shared by all users: first come, first "
            f"served. It must not begin with `{PREFIX}`."
        ),
    ] = None
    name: Label | None = None

    @field_validator("participants")
    @classmethod
    def _has_somebody(cls, participants: list[str], info: ValidationInfo) -> list[str]:
        if not participants and info.data.get("recipient_id", "") is None:
            raise invalid("must name a participant, or give recipient_id for a direct conversation")
        return participants

    @field_validator("participants", "conversation_id", "name")
    @classmethod
    def _is_not_direct(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("recipient_id") is not None:
            raise invalid("cannot be combined with recipient_id")
        return value

    @field_validator("conversation_id")
    @classmethod
    def _is_free(cls, conversation_id: str | None) -> str | None:
        if conversation_id is not None and is_reserved(conversation_id):
            raise invalid(f"must not begin with {PREFIX}; for a direct conversation give recipient_id")
        return conversation_id


class CreateGroup(Creation):
    """The caller is a member and the first admin, named or not."""

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


class AddMember(Creation):
    user_id: ParticipantId


class ListConversations(Schema):
    """Of ``GET /v1/conversations``: ``cursor`` or ``offset``, not both."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str | None, AfterValidator(cursor_of(LIST_CURSOR))] = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), AfterValidator(offset_alone)] = 0
