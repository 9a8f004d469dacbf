"""The facts about a message, and their fold for one address. The rules are in ``domain/status.py``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from domain.records import StatusChanged


class Status(StrEnum):
    """The words a client sees."""

    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    READ = "READ"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of a message. ``at_ms``: epoch milliseconds; ``attempt``: 0 before the first send.

    ``recipient_count``: the number of addresses of the message. If there are several, ``recipient_id`` is the address
    of this fact, empty for the message itself. ``logged_ms``: the append time of its record (epoch milliseconds), 0 if
    unknown; it says when the log knew of the fact and is no part of it. ``pricing``: what the provider charges, JSON.
    """

    status: str
    at_ms: int
    attempt: int = 0
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None
    recipient_id: str = ""
    recipient_count: int = 1
    logged_ms: int = field(default=0, compare=False)
    pricing: str | None = None


def fact_in(change: StatusChanged, logged_ms: int = 0) -> Fact:
    """Return the fact in a record of ``status-updates``. An unknown status is not checked here."""
    return Fact(
        change.status,
        change.at_ms,
        change.attempt,
        change.provider_id,
        change.failure_code,
        change.failure_detail,
        change.recipient_id,
        change.recipient_count,
        logged_ms,
        change.pricing or None,
    )


@dataclass(frozen=True, slots=True)
class MessageState:
    """The join, for one address. Times are epoch milliseconds, ``None`` while unknown."""

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
    pricing: str | None = None

    @property
    def status(self) -> Status:
        """The status folded from the known facts."""
        if self.read_at_ms is not None:
            return Status.READ
        if self.delivered_at_ms is not None:
            return Status.DELIVERED
        if self.failed_at_ms is not None and (self.sent_at_ms is None or self.failed_attempt >= self.sent_attempt):
            return Status.FAILED
        return Status.SENT if self.sent_at_ms is not None else Status.ACCEPTED

    @property
    def overall(self) -> MessageState:
        """One state for the message, wherever it goes."""
        return self

    @property
    def last_change_ms(self) -> int:
        """The latest time among the facts, 0 without any."""
        times = (self.accepted_at_ms, self.sent_at_ms, self.delivered_at_ms, self.read_at_ms, self.failed_at_ms)
        return max((at for at in times if at is not None), default=0)


UNKNOWN = MessageState()


def _earliest(known: int | None, new: int) -> int:
    return new if known is None or new < known else known


def smallest(known: str | None, new: str | None) -> str | None:
    """Join values that should never differ; if they do, the choice must not depend on the order."""
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


def join_alone(s: MessageState, fact: Fact) -> MessageState:
    """Return ``s`` with ``fact`` added, as one about the only address there is. Raises ``ValueError``: unknown word."""
    # plain strings, positional, and without dataclasses.replace: this runs for every fact, in workers, API and mirror
    word = fact.status
    if word == "SENT":
        return MessageState(
            s.accepted_at_ms,
            _earliest(s.sent_at_ms, fact.at_ms),
            s.delivered_at_ms,
            s.read_at_ms,
            s.failed_at_ms,
            fact.attempt if fact.attempt > s.sent_attempt else s.sent_attempt,
            s.failed_attempt,
            smallest(s.provider_id, fact.provider_id),
            s.failure_code,
            s.failure_detail,
            smallest(s.pricing, fact.pricing),
        )
    accepted, delivered, read, provider_id = s.accepted_at_ms, s.delivered_at_ms, s.read_at_ms, s.provider_id
    if word == "ACCEPTED":
        accepted = _earliest(accepted, fact.at_ms)
    elif word == "DELIVERED":
        delivered = _earliest(delivered, fact.at_ms)
        provider_id = smallest(provider_id, fact.provider_id)
    elif word == "READ":
        read = _earliest(read, fact.at_ms)
        provider_id = smallest(provider_id, fact.provider_id)
    elif word == "FAILED":
        return _with_failure(s, fact)
    else:
        raise ValueError(f"unknown status {word!r}")
    return MessageState(
        accepted,
        s.sent_at_ms,
        delivered,
        read,
        s.failed_at_ms,
        s.sent_attempt,
        s.failed_attempt,
        provider_id,
        s.failure_code,
        s.failure_detail,
        smallest(s.pricing, fact.pricing),
    )


def alone(fact: Fact) -> Fact:
    """Return ``fact`` as one about an only address: for the state of that address by itself."""
    return replace(fact, recipient_id="", recipient_count=1) if fact.recipient_count > 1 else fact


def facts_of_alone(state: MessageState) -> list[Fact]:
    """Return facts whose fold is ``state``."""
    facts = []
    if (at_ms := state.accepted_at_ms) is not None:
        facts.append(Fact(Status.ACCEPTED, at_ms))
    if (at_ms := state.sent_at_ms) is not None:
        facts.append(Fact(Status.SENT, at_ms, state.sent_attempt, state.provider_id, pricing=state.pricing))
    if (at_ms := state.delivered_at_ms) is not None:
        facts.append(Fact(Status.DELIVERED, at_ms, 0, state.provider_id, pricing=state.pricing))
    if (at_ms := state.read_at_ms) is not None:
        facts.append(Fact(Status.READ, at_ms, 0, state.provider_id, pricing=state.pricing))
    if (at_ms := state.failed_at_ms) is not None:
        why = (state.failure_code, state.failure_detail)
        facts.append(Fact(Status.FAILED, at_ms, state.failed_attempt, None, *why))
    return facts


def joined_alone(one: MessageState, other: MessageState) -> MessageState:
    """Return the join of two states: every fact known to either."""
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    for fact in facts_of_alone(other):
        one = join_alone(one, fact)
    return one
