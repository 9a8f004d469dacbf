"""Schemas of responses about dead letters and the accounts of channels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from domain.status import Status
from web.contract.account_responses import Identity, Me
from web.contract.message_responses import Failure
from web.contract.response_fields import Count, Platform, Time

LetterId = Annotated[str, Field(pattern=r"^\d+-\d+$", examples=["3-1207"])]


class Resolution(BaseModel):
    """An operator's decision about a dead letter."""

    action: Literal["redriven", "discarded"]
    is_done: Annotated[bool, Field(description="`false` while the command is being written; then redrive it again.")]
    by: Annotated[str, Field(examples=["maria"], description="The admin's username.")]
    at: Time
    note: str
    resolution_id: Annotated[str, Field(examples=["6a0c0a8e-7b0e-4f5e-9d40-3f3a7a1b6f55"])]


class RedriveResult(BaseModel):
    """The result of a redrive."""

    outcome: Annotated[
        Literal["queued", "passed-over", "unknown"],
        Field(description="`passed-over`: nothing is sent, for `reason`; `unknown`: the worker has not told yet."),
    ]
    reason: Annotated[str | None, Field(examples=["it was sent"])]
    at: Time | None
    status: Annotated[Status | None, Field(description="Of the delivery now; `null` if it cannot be read.")]
    failure: Failure | None


class _Letter(BaseModel):
    id: LetterId
    topic: Annotated[str, Field(description="Where the record was.", examples=["whatsapp-outbound"])]
    partition: int
    offset: Annotated[int, Field(description="-1 for a record that an agent made.")]
    reason: Annotated[str, Field(examples=["expired"])]
    reason_text: Annotated[str, Field(examples=["The message was not sent within its time."])]
    detail: str
    attempts: int
    at: Time
    conversation_id: Annotated[str | None, Field(description="The record's key.", examples=["family"])]
    message_id: str | None
    size_bytes: Annotated[int, Field(ge=0, description="Size of the record's value.")]
    state: Literal["open", "redriven", "discarded"]
    resolution: Resolution | None


class LetterSummary(_Letter):
    """A dead letter without its bytes."""


class DeadLetter(_Letter):
    """A dead letter with the original record."""

    key_base64: str | None
    value_base64: str | None
    value_json: Annotated[Any, Field(description="The value as JSON; `null` if it is none.")]
    result: Annotated[RedriveResult | None, Field(description="Of a redriven letter, where one letter is shown.")] = (
        None
    )


class LetterPagination(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100)]
    returned: Count
    has_more: Annotated[bool, Field(description="A page may hold fewer letters than `limit`, or none, and have more.")]
    next_cursor: str | None


class DeadLetters(BaseModel):
    dead_letters: list[LetterSummary]
    pagination: LetterPagination


class Refusal(BaseModel):
    id: LetterId
    detail: str


class ResolvedLetters(BaseModel):
    """The results for up to 500 letters; with `dry_run`, a forecast."""

    action: Literal["redriven", "discarded"]
    dry_run: bool
    matched: Count
    resolved: Annotated[list[LetterId], Field(description="In the order of the log.")]
    already: Annotated[list[LetterId], Field(description="Resolved before; nothing was done.")]
    under_way: Annotated[list[LetterId], Field(description="Another request redrives these; ask again.")]
    refused: list[Refusal]
    has_more: bool
    next_cursor: Annotated[str | None, Field(description="Pass it as `cursor` to go on.")]


class AccountError(BaseModel):
    detail: str
    at: Time
    partition: int


class PartitionReport(BaseModel):
    """An account as the worker of one partition reports it."""

    partition: int
    breaker: str
    paused: bool
    waiting: Count
    in_flight: Count
    per_second: float
    at: Time


class ChannelAccount(BaseModel):
    """One of our accounts on a channel, over all partitions."""

    channel: Platform
    account: Annotated[str, Field(examples=["default"])]
    breaker: Annotated[
        Literal["closed", "open", "half-open"] | None,
        Field(description="The worst of its partitions; `null` before a worker has reported."),
    ]
    paused: bool
    waiting: Annotated[Count, Field(description="Deliveries that wait.")]
    waiting_by: Annotated[dict[str, int], Field(description="Conversations that wait, by reason.")]
    in_flight: Count
    per_second: Annotated[float, Field(description="Messages a second allowed now; 0: no limit.")]
    last_errors: list[AccountError]
    reported_at: Annotated[Time | None, Field(description="The newest report. Unchanged accounts are not reported.")]
    partitions: list[PartitionReport]


class Channels(BaseModel):
    as_of: Annotated[Time, Field(description="The reports written until then are in this answer.")]
    accounts: list[ChannelAccount]


class KnownUser(Me):
    identities: Annotated[list[Identity], Field(description="The addresses that the user links.")]


class AccountCommand(BaseModel):
    """A command to the workers, which obey when they have read it."""

    command: Literal["pause", "resume"]
    command_id: str
    channel: Platform
    account: str
    by: str
    at: Time
    note: str
