"""The state of a message is the join of the facts known of it; neither order nor repetition of facts matters.

    ACCEPTED < SENT < DELIVERED < READ, and FAILED beside them

* The earliest time wins for each word.
* READ and DELIVERED are receipts: either heals FAILED, whenever it comes (provider clocks are not ours, so times
  are not compared). SENT heals FAILED only if it belongs to a later attempt.
* A later word implies the earlier ones.

A message to several addresses has such a state for each of them (``SharedState``), and one word for all together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The words a client sees."""

    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    READ = "READ"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to a message. ``at_ms``: epoch milliseconds; ``attempt``: 0 before the first send.

    ``recipient_count``: to how many addresses the message goes. If to several, ``recipient_id`` is the one that this
    is about, empty for the message itself.
    """

    status: str
    at_ms: int
    attempt: int = 0
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None
    recipient_id: str = ""
    recipient_count: int = 1


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
    def overall(self) -> MessageState:
        """One state for the message, wherever it goes."""
        return self

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
_NAMES = tuple(f.name for f in fields(MessageState))
_WORDS = tuple(Status)


@dataclass(frozen=True, slots=True)
class SharedState(MessageState):
    """The join for a message to several addresses: the facts about itself, and a state for each address.

    ``deliveries`` has the addresses of which something is known; ``recipient_count`` says how many there are, so
    that READ by the first is not taken for READ by all.
    """

    deliveries: Mapping[str, MessageState] = field(default_factory=dict)
    recipient_count: int = 1
    # how many of `deliveries` have each word, in the order of `Status`: with 256 addresses nobody wants to count
    tally: tuple[int, ...] = (0, 0, 0, 0, 0)

    @property
    def own(self) -> MessageState:
        """What is known of the message itself: the facts that name no address."""
        return MessageState(**_own(self))

    @property
    def status(self) -> Status:
        """FAILED if it failed for all; else the least word of those for whom it did not."""
        _, sent, delivered, read, failed = self.tally
        if self.recipient_count <= len(self.deliveries) and not self.tally[0]:
            for count, word in ((sent, Status.SENT), (delivered, Status.DELIVERED), (read, Status.READ)):
                if count:
                    return word
            if failed:
                return Status.FAILED
        return Status.ACCEPTED

    @property
    def overall(self) -> MessageState:
        """A state with ``status`` as its word; each time is the latest of those for whom it did not fail."""
        word = self.status
        if word is Status.ACCEPTED:
            return MessageState(self.accepted_at_ms)
        if word is Status.FAILED:
            return self._failed()
        alive = [state for state in self.deliveries.values() if state.status is not Status.FAILED]
        return MessageState(
            self.accepted_at_ms,
            _latest(state.sent_at_ms for state in alive),
            None if word is Status.SENT else _latest(state.delivered_at_ms for state in alive),
            _latest(state.read_at_ms for state in alive) if word is Status.READ else None,
        )

    def _failed(self) -> MessageState:
        """The first failure by address stands for all."""
        _, first = min(self.deliveries.items())
        return MessageState(
            self.accepted_at_ms,
            failed_at_ms=_latest(state.failed_at_ms for state in self.deliveries.values()),
            failed_attempt=first.failed_attempt,
            failure_code=first.failure_code,
            failure_detail=first.failure_detail,
        )

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected of any address."""
        return len(self.deliveries) >= self.recipient_count and all(s.is_final for s in self.deliveries.values())

    @property
    def last_change_ms(self) -> int:
        """The latest time among the facts, 0 without any."""
        own = (self.accepted_at_ms, self.sent_at_ms, self.delivered_at_ms, self.read_at_ms, self.failed_at_ms)
        theirs = [state.last_change_ms for state in self.deliveries.values()]
        return max([*theirs, *(at for at in own if at is not None)], default=0)


def delivery_of(state: MessageState, address: str) -> MessageState:
    """Return what ``state`` knows of the delivery to ``address``, one of those that the message goes to."""
    return state.deliveries.get(address, UNKNOWN) if isinstance(state, SharedState) else state


def _latest(times: Iterable[int | None]) -> int | None:
    return max((at for at in times if at is not None), default=None)


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
    if fact.recipient_count > 1 or s.__class__ is SharedState:
        return _join_shared(s, fact)
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


def alone(fact: Fact) -> Fact:
    """Return ``fact`` as one about the only address there is: for the state of that address by itself."""
    return replace(fact, recipient_id="", recipient_count=1) if fact.recipient_count > 1 else fact


def _join_shared(s: MessageState, fact: Fact) -> SharedState:
    """A state that nobody knew to be one of several addresses becomes the message's own."""
    shared = s if isinstance(s, SharedState) else SharedState(**_own(s))
    own, count = shared.own, max(shared.recipient_count, fact.recipient_count)
    if fact.recipient_count == 1 or not fact.recipient_id:
        own = join(own, alone(fact))
        return SharedState(
            **_own(own), deliveries=shared.deliveries, recipient_count=count, tally=shared.tally
        )
    known = shared.deliveries.get(fact.recipient_id)
    delivery = join(known or UNKNOWN, alone(fact))
    tally = list(shared.tally)
    if known is not None:
        tally[_WORDS.index(known.status)] -= 1
    tally[_WORDS.index(delivery.status)] += 1
    deliveries = {**shared.deliveries, fact.recipient_id: delivery}
    return SharedState(**_own(own), deliveries=deliveries, recipient_count=count, tally=tuple(tally))


def _own(s: MessageState) -> dict[str, Any]:
    return {name: getattr(s, name) for name in _NAMES}


def fold(facts: Iterable[Fact], state: MessageState = UNKNOWN) -> MessageState:
    """Return the state that ``facts`` add up to, starting from ``state``."""
    for fact in facts:
        state = join(state, fact)
    return state
