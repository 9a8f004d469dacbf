"""Schemas of the response about the flow."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from web.contract.response_fields import Count, Time


class FlowSecond(BaseModel):
    """Of all processes: the log is one. Each message counts once with each word."""

    at: Annotated[int, Field(description="Epoch seconds.", examples=[1763848800])]
    accepted: Count
    sent: Count
    delivered: Count
    read: Count
    failed: Count


class Delays(BaseModel):
    """Milliseconds from the acceptance until the log knew of it."""

    p50: Count
    p95: Count
    p99: Count


class TopicLag(BaseModel):
    role: Annotated[str, Field(examples=["core"])]
    topic: Annotated[str, Field(examples=["messages"])]
    records: Annotated[Count, Field(description="Written and not committed by the role yet.")]


class LedgerBalance(BaseModel):
    difference: Annotated[float, Field(description="Accepted less sent, failed, dead and waiting: 0 if none is lost.")]
    age_seconds: Annotated[float | None, Field(description="Since the balance was drawn.")]
    deliveries: Annotated[dict[str, float], Field(description="By state.", examples=[{"accepted": 12, "sent": 12}])]


class Flow(BaseModel):
    as_of: Time
    seconds: Annotated[list[FlowSecond], Field(description="Of the last five minutes, those with records.")]
    percentiles: Annotated[
        dict[str, Delays], Field(description="By status word, of the last minute.", examples=[{"SENT": {"p50": 40}}])
    ]
    lag: Annotated[list[TopicLag] | None, Field(description="`null` while Kafka does not tell.")]
    ledger: Annotated[LedgerBalance | None, Field(description="`null` unless `chat4all ledger` runs.")]
