"""The state of a message is the join of the facts known of it; neither order nor repetition of facts matters.

    ACCEPTED < SENT < DELIVERED < READ, and FAILED beside them

* The earliest time wins for each word.
* READ and DELIVERED are receipts: either heals FAILED, whenever it comes (provider clocks are not ours, so times
  are not compared). SENT heals FAILED only if it belongs to a later attempt.
* A later word implies the earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Status(StrEnum):
    """The words a client sees."""

    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    READ = "READ"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to a message. ``at_ms``: epoch milliseconds; ``attempt``: 0 before the first send."""

    status: str
    at_ms: int
    attempt: int = 0
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None


@dataclass(frozen=True, slots=True)
class MessageState:
    """The join. Times are epoch milliseconds, ``None`` while unknown."""

    accepted_at_ms: int | None = None
    sent_at_ms: int | None = None
    delivered_at_ms: int | None = None
    read_at_ms: int | None = None
    failed_at_ms: int | None = None
    sent_attempt: int = 0
    failed_attempt: int = 0
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None

    @property
    def status(self) -> Status:
        """The word that the known facts add up to."""
        if self.read_at_ms is not None:
            return Status.READ
        if self.delivered_at_ms is not None:
            return Status.DELIVERED
        if self.failed_at_ms is not None and (self.sent_at_ms is None or self.failed_attempt >= self.sent_attempt):
            return Status.FAILED
        return Status.SENT if self.sent_at_ms is not None else Status.ACCEPTED

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected (a receipt may still come after FAILED)."""
        return self.status in (Status.READ, Status.FAILED)

    @property
    def last_change_ms(self) -> int:
        """The latest time among the facts, 0 without any."""
        times = (self.accepted_at_ms, self.sent_at_ms, self.delivered_at_ms, self.read_at_ms, self.failed_at_ms)
        return max((at for at in times if at is not None), default=0)


UNKNOWN = MessageState()


def _earliest(known: int | None, new: int) -> int:
    return new if known is None or new < known else known


def _smallest(known: str | None, new: str | None) -> str | None:
    """A join for words that should never differ; if they do, the choice must not depend on the order."""
    if known is None or new is None:
        return known if new is None else new
    return min(known, new)


def _join_failure(state: MessageState, fact: Fact) -> MessageState:
    failed_at = _earliest(state.failed_at_ms, fact.at_ms)
    mine = (-state.failed_attempt, state.failure_code or "", state.failure_detail or "")
    theirs = (-fact.attempt, fact.failure_code or "", fact.failure_detail or "")
    if state.failed_at_ms is not None and mine <= theirs:
        return replace(state, failed_at_ms=failed_at)
    return replace(
        state,
        failed_at_ms=failed_at,
        failed_attempt=fact.attempt,
        failure_code=fact.failure_code,
        failure_detail=fact.failure_detail,
    )


def join(state: MessageState, fact: Fact) -> MessageState:
    """Return ``state`` with ``fact`` added. Commutative and idempotent. Raises ``ValueError`` for an unknown word."""
    match fact.status:
        case Status.ACCEPTED:
            return replace(state, accepted_at_ms=_earliest(state.accepted_at_ms, fact.at_ms))
        case Status.SENT:
            return replace(
                state,
                sent_at_ms=_earliest(state.sent_at_ms, fact.at_ms),
                sent_attempt=max(state.sent_attempt, fact.attempt),
                provider_id=_smallest(state.provider_id, fact.provider_id),
            )
        case Status.DELIVERED:
            delivered_at = _earliest(state.delivered_at_ms, fact.at_ms)
            provider_id = _smallest(state.provider_id, fact.provider_id)
            return replace(state, delivered_at_ms=delivered_at, provider_id=provider_id)
        case Status.READ:
            read_at = _earliest(state.read_at_ms, fact.at_ms)
            provider_id = _smallest(state.provider_id, fact.provider_id)
            return replace(state, read_at_ms=read_at, provider_id=provider_id)
        case Status.FAILED:
            return _join_failure(state, fact)
        case word:
            raise ValueError(f"unknown status {word!r}")


def fold(facts: Iterable[Fact], state: MessageState = UNKNOWN) -> MessageState:
    """Return the state that ``facts`` add up to, starting from ``state``."""
    for fact in facts:
        state = join(state, fact)
    return state
