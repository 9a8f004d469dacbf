"""The records of a channel's deliveries: those that wait, and the outcomes of the others.

The promise: no second send without evidence that the first one failed. An attempt is recorded as *begun* before the
channel is called, and its outcome after, so the next owner of the partition knows its state. *Begun* without an outcome
means: it is unknown whether the channel has the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from domain.records import NORMAL, DeliveryRequested, delivery_key


class Outcome(StrEnum):
    """``BEGUN`` is in rows of releases that had no queue: their outcome is unknown."""

    BEGUN = "begun"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of one delivery. ``number`` counts attempts from 1; 0: it failed without any.

    ``at_ms``: when, by the channel's clock; ``recorded_at_ms``: by the worker's. ``accepted_at_ms``, ``position``,
    ``recipient_count``: of the ``DeliveryRequested``, for facts about later receipts. ``to``, ``part_ids``: of the
    ``Sent``. ``traceparent``: of the message's trace, if there is one. All times are epoch milliseconds.
    """

    number: int
    outcome: str
    at_ms: int
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None
    recorded_at_ms: int = 0
    accepted_at_ms: int = 0
    position: int = 0
    recipient_count: int = 1
    account: str = ""
    to: str = ""
    part_ids: tuple[str, ...] = ()
    traceparent: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the outcome is known."""
        return self.outcome != Outcome.BEGUN


class Stage(StrEnum):
    """The state of a delivery in the queue."""

    WAITING = "waiting"  # the channel does not have it
    BEGUN = "begun"  # the channel was called, or is about to be
    UNKNOWN = "unknown"  # the channel may have it: evidence is awaited


class Reason(StrEnum):
    """Why a delivery waits."""

    TURN = "turn"  # another message of the conversation goes to the address first
    RETRY = "retry"
    THROTTLED = "throttled"
    EVIDENCE = "evidence"
    FILE_STORE = "file-store"
    BREAKER = "breaker"
    ALLOWANCE = "allowance"
    IN_FLIGHT = "in-flight"  # the account or the worker has enough calls in flight
    PAUSED = "paused"
    NO_ACCOUNT = "no-account"  # accounts.toml does not name its account


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedDelivery:
    """A delivery in the queue, without its request.

    ``name``: its ``delivery_key``. ``attempt``: the number of the newest attempt; ``tries``: how many attempts counted
    against the limit. ``offset``: of its request on ``<channel>-outbound``. ``not_before_ms``: the next step is due
    then. ``not_after_ms``: no attempt begins later. ``held_since_ms``: since then it has held those behind it, by its
    own wait. ``is_overtaken``: it holds them no more. All times are epoch milliseconds.
    """

    name: str
    enqueued_at_ms: int
    not_after_ms: int
    offset: int
    stage: str = Stage.WAITING
    attempt: int = 0
    tries: int = 0
    not_before_ms: int = 0
    reason: str = Reason.TURN
    priority: str = NORMAL
    headers: tuple[tuple[str, bytes], ...] = field(default=())
    held_since_ms: int = 0
    is_overtaken: bool = False

    @classmethod
    def of(
        cls,
        request: DeliveryRequested,
        offset: int,
        now_ms: int,
        not_after_ms: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Self:
        """Return the row of a request that waits."""
        return cls(
            name=delivery_key(request),
            enqueued_at_ms=now_ms,
            not_after_ms=not_after_ms,
            offset=offset,
            priority=request.priority,
            headers=tuple(headers),
        )

    def begun(self) -> Self:
        """Return it with one more attempt."""
        return type(self)(  # not by ``replace``, which takes three times as long: this is done for every message
            name=self.name,
            enqueued_at_ms=self.enqueued_at_ms,
            not_after_ms=self.not_after_ms,
            offset=self.offset,
            stage=Stage.BEGUN,
            attempt=self.attempt + 1,
            tries=self.tries + 1,
            reason=self.reason,
            priority=self.priority,
            headers=self.headers,
            held_since_ms=self.held_since_ms,
            is_overtaken=self.is_overtaken,
        )
