"""What responses hold, as schemas for the API's description.

``web/contract/response_bodies.py`` and the handlers make responses. ``tests/support/contract.py`` checks every response
of every functional test against these.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from domain.conversations import MAX_MEMBERS
from domain.recipients import CHANNELS
from domain.status import Status

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


Party = UserParty | AddressParty
ParticipantDetails = Annotated[list[Party], Field(description="The participants with their names, ordered by id.")]


class User(BaseModel):
    user_id: UserId
    username: Annotated[str, Field(examples=["maria"])]
    email: Annotated[str | None, Field(examples=["maria@example.org"])]
    created_at: Time


class Session(BaseModel):
    access_token: Annotated[str, Field(description="A JWT: send it as `Authorization: Bearer …`.", examples=["eyJ…"])]
    token: Annotated[str, Field(description="Same as `access_token`, for older clients.", examples=["eyJ…"])]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(ge=0, description="Lifetime of the access token in seconds.", examples=[3600])]
    user_id: UserId
    username: Username
    refresh_token: Annotated[
        str, Field(description="Valid for one refresh; the response contains the next one.", examples=["rt_…"])
    ]
    refresh_expires_in: Annotated[
        int, Field(ge=0, description="Lifetime of the refresh token in seconds.", examples=[2592000])
    ]


class Identity(BaseModel):
    user_id: UserId
    username: Username
    platform: Platform
    value: Annotated[str, Field(description="Normalised.", examples=["+5511999990000"])]
    verified: Annotated[
        bool,
        Field(
            description="Whether the user has proven that the address is theirs. Nothing proves it yet, so it is "
            "false: the link is the user's own claim, and others may claim the same address."
        ),
    ]
    contested: Annotated[
        bool,
        Field(
            description="Whether another user links this address too. While it is so, messages to the user do not go "
            "there, but to their next link, else inside the system."
        ),
    ]
    linked_at: Time


class Identities(BaseModel):
    user_id: UserId
    username: Username
    identities: list[Identity]


class UnlinkedIdentity(BaseModel):
    user_id: UserId
    username: Username
    platform: Platform
    value: Annotated[str, Field(examples=["+5511999990000"])]


class Accepted(BaseModel):
    """The message is durable. A request with the same `Idempotency-Key` and body gets the same response."""

    message_id: MessageId
    conversation_id: ConversationIdOf
    status: Literal[Status.ACCEPTED]
    timestamp: EpochMs
    accepted_at: Time


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


class FileMetadata(BaseModel):
    filename: Annotated[str, Field(examples=["photo.jpg"])]
    size_bytes: Annotated[int, Field(ge=0, examples=[182044])]
    mimetype: Annotated[str, Field(description="Detected from the bytes.", examples=["image/jpeg"])]
    checksum: Annotated[
        str,
        Field(
            pattern=r"^sha256:[0-9a-f]{64}$",
            examples=["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        ),
    ]


class Counts(BaseModel):
    """Number of recipients by status."""

    ACCEPTED: Count
    SENT: Count
    DELIVERED: Count
    READ: Count
    FAILED: Count


class Message(_State):
    message_id: MessageId
    conversation_id: ConversationIdOf
    sender_id: UserId
    sender: Party
    recipient_id: Annotated[Participant | None, Field(description="`null`: everyone in the conversation.")]
    recipient: Party | None
    content: Annotated[str, Field(examples=["See you at eight"])]
    file_id: Annotated[str | None, Field(examples=["019aaf33-1c2d-7e3f-8a4b-5c6d7e8f9a0b"])]
    file_metadata: FileMetadata | None
    timestamp: EpochMs
    accepted_at: Time
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


class Read(BaseModel):
    message_id: MessageId
    conversation_id: ConversationIdOf
    status: Literal[Status.READ]
    read_at: Annotated[Time, Field(description="Time of the first read.")]
    timestamp: EpochMs


class TraceEvent(BaseModel):
    event: Status
    at: Time
    timestamp: EpochMs
    topic: Annotated[str, Field(examples=["messages"])]
    partition: Count
    offset: Annotated[int | None, Field(description="Only for the acceptance.", examples=[4711])]
    attempt: Annotated[int | None, Field(description="`null` for receipts.", examples=[1])]
    provider_status: str | None
    recipient_id: Participant = ""
    recipient: Party | None = None
    channel: Annotated[str, Field(examples=["whatsapp"])] = ""


class Trace(BaseModel):
    message_id: MessageId
    conversation_id: ConversationIdOf
    status: Status
    events: Annotated[list[TraceEvent], Field(description="Ordered by time.")]


class Pagination(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100, examples=[50])]
    offset: Annotated[int, Field(ge=0, examples=[0])]
    returned: Count
    has_more: bool
    next_cursor: Annotated[str | None, Field(description="Pass it as `cursor` to get the next page.")]


class Messages(BaseModel):
    conversation_id: ConversationIdOf
    messages: list[Message]
    pagination: Pagination


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


class Liveness(BaseModel):
    status: Literal["UP"]


class Component(BaseModel):
    status: Literal["UP", "DOWN"]
    latency_ms: Annotated[float, Field(ge=0, examples=[1.4])]


class File(FileMetadata):
    file_id: FileId
    conversation_id: ConversationIdOf
    uploader_id: UserId
    uploader: Party
    storage_path: Annotated[
        str, Field(description="Key of the object in the store.", examples=["family/0193f2a0-….jpg"])
    ]
    uploaded_at: Time


class Download(File):
    download_url: Annotated[str, Field(description="Needs no token; valid until `expires_at`.")]
    expires_at: Time


class Readiness(BaseModel):
    status: Literal["UP", "DOWN"]
    components: dict[str, Component]


class FieldProblem(BaseModel):
    field: Annotated[
        str,
        Field(description="Name of the field as the caller wrote it; empty for the whole body.", examples=["content"]),
    ]
    detail: Annotated[str, Field(examples=["must not be empty"])]


class Problem(BaseModel):
    """RFC 9457."""

    type: Annotated[
        str, Field(examples=["urn:chat4all:problem:invalid-input"], description="Stable identifier of the problem.")
    ]
    title: Annotated[str, Field(examples=["Bad Request"])]
    status: Annotated[int, Field(ge=400, le=599, examples=[400])]
    detail: Annotated[str, Field(examples=["content: must not be empty"])]
    instance: Annotated[str, Field(description="The requested path.", examples=["/v1/messages"])]
    request_id: Annotated[str, Field(examples=["5f0c2d7e9b1a4c3d8e6f7a8b9c0d1e2f"])]
    error: Annotated[str, Field(description="Same as `detail`, for older clients.", examples=["content: …"])]
    errors: Annotated[list[FieldProblem], Field(description="All invalid fields.")] = []
    message_id: Annotated[
        str,
        Field(
            examples=["019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d"],
            description="Message that may have been accepted despite a 503: check `GET /v1/messages/{message_id}`.",
        ),
    ] = ""
    may_have_been_accepted: Annotated[
        bool,
        Field(
            examples=[True],
            description="`true` beside `message_id`; a 503 without it accepted nothing. A repetition with the same "
            "`Idempotency-Key` is the same message; without a key it is another one.",
        ),
    ] = False


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
