"""Schemas of responses about messages, their delivery and their trace."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from domain.kinds import KINDS
from domain.outcomes import MOST_ANSWER
from domain.status import Status
from web.contract.file_responses import FileMetadata
from web.contract.problem_responses import Problem
from web.contract.response_fields import (
    ConversationIdOf,
    Count,
    EpochMs,
    MessageId,
    Pagination,
    Participant,
    Party,
    Time,
    UserId,
)

Part = dict[str, Any] | None
ExpiresAt = Annotated[
    Time | None,
    Field(description="The message is not sent later: then it is FAILED, `expired`. `null`: it goes to no channel."),
]


class Accepted(BaseModel):
    """The message is durable. A request with the same `Idempotency-Key` and body gets the same response."""

    message_id: MessageId
    conversation_id: ConversationIdOf
    status: Literal[Status.ACCEPTED]
    timestamp: EpochMs
    accepted_at: Time
    expires_at: ExpiresAt


class Failure(BaseModel):
    code: Annotated[str | None, Field(examples=["recipient-unknown"])]
    detail: Annotated[str | None, Field(examples=["there is no such account"])]


class _State(BaseModel):
    status: Annotated[Status, Field(description="A later status implies the earlier ones.")]
    sent_at: Time | None
    delivered_at: Time | None
    read_at: Time | None
    failed_at: Annotated[Time | None, Field(description="Only while the status is FAILED, as is `failure`.")]
    failure: Failure | None
    pricing: Annotated[
        dict[str, Any] | None,
        Field(
            description="What the channel charges, in its own words; `null` if it did not say.",
            examples=[{"billable": True, "pricing_model": "PMP", "category": "utility"}],
        ),
    ] = None


class Counts(BaseModel):
    """Number of recipients by status."""

    ACCEPTED: Count
    SENT: Count
    DELIVERED: Count
    READ: Count
    FAILED: Count


class PersonsReaction(BaseModel):
    by: Annotated[Participant, Field(description="Who reacted: a user's id, or an address.")]
    emoji: Annotated[str, Field(examples=["👍"])]
    at: Time


def _of_kind(kind: str, example: dict[str, Any]) -> Any:
    return Field(description=f"Of the kind `{kind}` alone.", examples=[example])


class Message(_State):
    message_id: MessageId
    conversation_id: ConversationIdOf
    direction: Annotated[
        Literal["outbound", "inbound"], Field(description="`inbound`: written by a person on a channel.")
    ]
    kind: Annotated[
        str,
        Field(
            json_schema_extra={"enum": sorted(KINDS)},
            description="The kind's own object is the field of that name. `unsupported`: a kind that this release "
            "does not know, with the provider's word for it.",
        ),
    ]
    reply_to: Annotated[MessageId | None, Field(description="The message that it answers.")]
    template: Annotated[Part, _of_kind("template", {"name": "order_update", "language": "pt_BR"})] = None
    interactive: Annotated[
        Part,
        _of_kind("interactive", {"kind": "buttons", "buttons": [{"id": "yes", "title": "Yes"}]}),
    ] = None
    location: Annotated[Part, _of_kind("location", {"latitude": -23.55052, "longitude": -46.633308})] = None
    reaction: Annotated[
        Part, _of_kind("reaction", {"message_id": "019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d", "emoji": "👍"})
    ] = None
    contacts: Annotated[Part, _of_kind("contacts", {"contacts": [{"name": "Ana", "phones": ["+5511999990000"]}]})] = (
        None
    )
    sticker: Annotated[Part, _of_kind("sticker", {})] = None
    button_reply: Annotated[Part, _of_kind("button_reply", {"id": "yes", "title": "Yes"})] = None
    unsupported: Annotated[Part, _of_kind("unsupported", {"type": "order"})] = None
    sender_id: UserId
    sender: Party
    recipient_id: Annotated[Participant | None, Field(description="`null`: everyone in the conversation.")]
    recipient: Party | None
    content: Annotated[str, Field(examples=["See you at eight"])]
    file_id: Annotated[str | None, Field(examples=["019aaf33-1c2d-7e3f-8a4b-5c6d7e8f9a0b"])]
    file_metadata: FileMetadata | None
    timestamp: EpochMs
    accepted_at: Time
    account: Annotated[
        str | None,
        Field(
            description="Our account on the channel: the sender's choice, or the one that the person wrote to. `null`: "
            "the channel's default.",
            examples=["main"],
        ),
    ]
    expires_at: ExpiresAt
    priority: Literal["normal", "bulk"]
    reactions: Annotated[list[PersonsReaction], Field(description="Each person's last one, in the order of the log.")]
    counts: Annotated[
        Counts | None,
        Field(
            description="Of a message to several. `status` is the least word of those for whom it did not fail, so one"
            " that is READ may have failed for all but one."
        ),
    ] = None


class Delivery(_State):
    recipient_id: Participant
    recipient: Party
    channel: Annotated[str, Field(examples=["whatsapp"])]


class MessageWithDeliveries(Message):
    deliveries: Annotated[list[Delivery], Field(description="One for each recipient of a message to several.")] = []
    as_of: Annotated[Time | None, Field(description="Of a past state alone: the moment asked for.")] = None
    known_at: Annotated[Time | None, Field(description="Of a past state alone: the moment asked for.")] = None


class Read(BaseModel):
    message_id: MessageId
    conversation_id: ConversationIdOf
    status: Literal[Status.READ]
    read_at: Annotated[Time, Field(description="Time of the first read.")]
    timestamp: EpochMs


class TraceEvent(BaseModel):
    event: Annotated[
        Status | Literal["QUEUED", "WAITING", "ATTEMPT", "LOOK-UP", "RECEIPT"],
        Field(
            description="A status; QUEUED: it is in the channel's queue; WAITING, with `reason`; ATTEMPT: a call to"
            " the channel; LOOK-UP: a question about an unknown outcome; RECEIPT: the channel's report, as it came."
        ),
    ]
    at: Time
    timestamp: EpochMs
    topic: Annotated[str, Field(examples=["messages"])]
    partition: Count
    offset: Annotated[
        int | None,
        Field(description="`null` if the record is not among those that were looked at.", examples=[4711]),
    ]
    attempt: Annotated[int | None, Field(description="`null` for receipts.", examples=[1])]
    provider_status: Annotated[str | None, Field(description="Its code of the failure, or its HTTP status.")]
    account: Annotated[str, Field(examples=["main"])] = ""
    outcome: Annotated[str, Field(description="`sent`, `refused`, `not-now`, `unknown`; a receipt's status.")] = ""
    reason: Annotated[str, Field(examples=["throttled"])] = ""
    duration_ms: Annotated[int, Field(ge=0, description="Of the call, or of the planned wait.")] = 0
    connect_ms: Annotated[int, Field(ge=0)] = 0
    first_byte_ms: Annotated[int, Field(ge=0)] = 0
    answer: Annotated[str, Field(max_length=MOST_ANSWER, description="The provider's, without secrets.")] = ""
    recipient_id: Participant = ""
    recipient: Party | None = None
    channel: Annotated[str, Field(examples=["whatsapp"])] = ""


class Trace(BaseModel):
    message_id: MessageId
    conversation_id: ConversationIdOf
    status: Status
    events: Annotated[list[TraceEvent], Field(description="Ordered by time.")]
    counts: Annotated[Counts | None, Field(description="Of a message to several.")] = None


class Messages(BaseModel):
    conversation_id: ConversationIdOf
    messages: list[Message]
    pagination: Pagination


class BatchAccepted(BaseModel):
    index: Annotated[int, Field(ge=0, examples=[0])]
    status: Literal[202]
    message: Accepted


class BatchRefused(BaseModel):
    index: Annotated[int, Field(ge=0, examples=[1])]
    status: Annotated[int, Field(ge=400, le=599, examples=[400])]
    problem: Problem


class Batch(BaseModel):
    accepted: Count
    refused: Annotated[int, Field(ge=0, examples=[0])]
    results: Annotated[
        list[BatchAccepted | BatchRefused], Field(description="One for each message, in the request's order.")
    ]
