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


def _with_failure(s: MessageState, fact: Fact) -> MessageState:
    failed_at = _earliest(s.failed_at_ms, fact.at_ms)
    mine = (-s.failed_attempt, s.failure_code or "", s.failure_detail or "")
    theirs = (-fact.attempt, fact.failure_code or "", fact.failure_detail or "")
    if s.failed_at_ms is not None and mine <= theirs:
        return replace(s, failed_at_ms=failed_at)
    return replace(
        s,
        failed_at_ms=failed_at,
        failed_attempt=fact.attempt,
        failure_code=fact.failure_code,
        failure_detail=fact.failure_detail,
    )


def join(s: MessageState, fact: Fact) -> MessageState:
    """Return state ``s`` with ``fact`` added. Commutative and idempotent. Raises ``ValueError`` for an unknown word."""
    accepted, sent, delivered, read = s.accepted_at_ms, s.sent_at_ms, s.delivered_at_ms, s.read_at_ms
    attempt, provider_id = s.sent_attempt, s.provider_id
    match fact.status:
        case Status.ACCEPTED:
            accepted = _earliest(accepted, fact.at_ms)
        case Status.SENT:
            sent = _earliest(sent, fact.at_ms)
            attempt = max(attempt, fact.attempt)
            provider_id = _smallest(provider_id, fact.provider_id)
        case Status.DELIVERED:
            delivered = _earliest(delivered, fact.at_ms)
            provider_id = _smallest(provider_id, fact.provider_id)
        case Status.READ:
            read = _earliest(read, fact.at_ms)
            provider_id = _smallest(provider_id, fact.provider_id)
        case Status.FAILED:
            return _with_failure(s, fact)
        case word:
            raise ValueError(f"unknown status {word!r}")
    # positional and without dataclasses.replace: this runs for every fact, in workers, API and mirror
    return MessageState(
        accepted, sent, delivered, read, s.failed_at_ms, attempt, s.failed_attempt, provider_id,
        s.failure_code, s.failure_detail,
    )  # fmt: skip


def fold(facts: Iterable[Fact], state: MessageState = UNKNOWN) -> MessageState:
    """Return the state that ``facts`` add up to, starting from ``state``."""
    for fact in facts:
        state = join(state, fact)
    return state
