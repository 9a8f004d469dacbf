"""Schemas of responses about conversations and groups."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from domain.conversations import MAX_MEMBERS
from web.contract.response_fields import (
    ConversationIdOf,
    Count,
    Pagination,
    Participant,
    ParticipantDetails,
    Party,
    Time,
    UserId,
)


class Conversation(BaseModel):
    conversation_id: ConversationIdOf
    name: str | None
    participants: list[Participant]
    message_count: Count
    last_message_at: Time | None
    is_group: bool
    is_direct: Annotated[
        bool, Field(description="A conversation of two participants, with an id assigned by the system.")
    ]
    participant_details: ParticipantDetails
    created_by: UserId | None
    creator: Party | None
    created_at: Time


class Conversations(BaseModel):
    conversations: list[Conversation]
    pagination: Pagination


class _GroupBase(BaseModel):
    group_id: Annotated[UserId, Field(description="A group is a conversation with the same id.")]
    conversation_id: UserId
    name: Annotated[str | None, Field(examples=["Family"])]
    description: str | None
    admins: list[Participant]
    max_members: Annotated[int, Field(examples=[MAX_MEMBERS])]
    participant_details: ParticipantDetails
    created_by: UserId | None
    creator: Party | None
    created_at: Time


class CreatedGroup(_GroupBase):
    members: Annotated[int, Field(ge=1, description="Number of members.", examples=[3])]


class Group(_GroupBase):
    members: Annotated[list[Participant], Field(description="Ordered by id.")]
