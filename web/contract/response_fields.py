"""The fields common to schemas of responses: times, ids, parties, and pages.

``web/contract/response_bodies.py`` and the handlers make responses. ``tests/support/contract.py`` checks every response
of every functional test against the ``*_responses`` of this folder.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from domain.recipients import CHANNELS

Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
        examples=["2025-11-22T22:00:00.123Z"],
        description="ISO-8601 in UTC with milliseconds.",
    ),
]

EpochMs = Annotated[int, Field(ge=0, examples=[1763848800123], description="The same time in epoch milliseconds.")]
Count = Annotated[int, Field(ge=0, examples=[2])]
UserId = Annotated[str, Field(examples=["019aaf33-5d7b-7c10-8a3e-0b1f2a3c4d5e"])]
MessageId = Annotated[str, Field(examples=["019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d"])]
FileId = Annotated[str, Field(examples=["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"])]
ConversationIdOf = Annotated[str, Field(examples=["family"])]
Participant = Annotated[
    str,
    Field(examples=["whatsapp:+5511999990000"], description="A user's id, or an address on a channel."),
]

Platform = Annotated[str, Field(json_schema_extra={"enum": list(CHANNELS)}, examples=["whatsapp"])]
Username = Annotated[str | None, Field(description="`null` while it cannot be looked up.", examples=["maria"])]


class UserParty(BaseModel):
    """A user of the system."""

    user_id: UserId
    username: Username


class AddressParty(BaseModel):
    """A person on a channel."""

    address: Annotated[str, Field(examples=["whatsapp:+5511999990000"])]
    name: Annotated[str | None, Field(description="As the channel reports it.", examples=["Maria"])]


class ReplyWindow(BaseModel):
    open_until: Annotated[
        Time | None,
        Field(
            description="Until then anything may be sent; later what the channel takes outside the reply window. "
            "`null`: the person never wrote."
        ),
    ]


class PersonDetails(AddressParty):
    window: Annotated[
        ReplyWindow | None, Field(description="`null`: the channel has no reply window, or the person is not known.")
    ]
    opted_out: Annotated[bool, Field(description="The person wants no messages until they write again.")]


Party = UserParty | AddressParty
ParticipantDetails = Annotated[
    list[UserParty | PersonDetails], Field(description="The participants with their names, ordered by id.")
]


class Pagination(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100, examples=[50])]
    offset: Annotated[int, Field(ge=0, examples=[0])]
    returned: Count
    has_more: bool
    next_cursor: Annotated[str | None, Field(description="Pass it as `cursor` to get the next page.")]
