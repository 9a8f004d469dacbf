"""The ledger of one partition number: accepted − sent − failed − dead − waiting, which is 0 while nothing is lost.

The unit is a delivery: one message to one address. A delivery without an outcome is *open*. Three places may hold an
open delivery: ``messages`` behind the commit of core, ``<channel>-outbound`` behind the commit of the channel, and the
channel's queue. An open delivery that none of them holds is *missing*. Memory grows with the open deliveries alone.

The caller takes a ``Cut`` and feeds the records in this order, or deliveries would seem to be missing for a moment:
commits, then the queue up to an end, then facts and dead letters up to an end taken later, and messages up to an end
taken last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

MOST_OPEN = 200_000
MOST_UNSUCCESSFUL = 50_000  # failed and dead deliveries of a partition that a later receipt may heal
MOST_REPEATABLE = 50_000  # messages with an idempotency key that may come twice
SHOWN_MISSING = 20


class Outcome(StrEnum):
    """Where a delivery without a future is booked."""

    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"


_OF_FACT = {"SENT": Outcome.SENT, "DELIVERED": Outcome.SENT, "READ": Outcome.SENT, "FAILED": Outcome.FAILED}


@dataclass(frozen=True, slots=True)
class Opened:
    """An open delivery. ``position``: the offset of its message; ``channel``: empty if nobody but us is involved."""

    position: int
    channel: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The workers' committed offsets, and the queue after them.

    ``routed_to``: the first offset of ``messages`` that core has not committed. ``queued_to``: by channel, the message
    position from which requests may not be in the queue yet. ``queued``: the names of the deliveries in the queues.
    """

    routed_to: int
    queued_to: Mapping[str, int] = field(default_factory=dict)
    queued: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Balance:
    """Numbers of deliveries. ``missing``: names of some that have no outcome and wait nowhere.

    ``passed_over``: deliveries that are in no other number, because too many were open.
    """

    accepted: int = 0
    sent: int = 0
    failed: int = 0
    dead: int = 0
    unrouted: int = 0
    requested: int = 0
    queued: int = 0
    missing: tuple[str, ...] = ()
    passed_over: int = 0

    @property
    def waiting(self) -> int:
        """Deliveries without an outcome, found in one of the three places."""
        return self.unrouted + self.requested + self.queued

    @property
    def difference(self) -> int:
        """0 while nothing is lost."""
        return self.accepted - self.sent - self.failed - self.dead - self.waiting

    def __add__(self, other: Balance) -> Balance:
        return Balance(
            self.accepted + other.accepted,
            self.sent + other.sent,
            self.failed + other.failed,
            self.dead + other.dead,
            self.unrouted + other.unrouted,
            self.requested + other.requested,
            self.queued + other.queued,
            (self.missing + other.missing)[:SHOWN_MISSING],
            self.passed_over + other.passed_over,
        )


def total(balances: Iterable[Balance]) -> Balance:
    """Return the sum over partitions."""
    return sum(balances, start=Balance())


class Books:
    """The books of one partition number. A name is a ``domain.records.delivery_key``.

    ``most_open``: with more open deliveries, further messages are passed over.
    """

    def __init__(self, most_open: int = MOST_OPEN) -> None:
        self.most_open = most_open
        self.passed_over = 0
        self.accepted = 0
        self.counts = dict.fromkeys(Outcome, 0)
        self.open: dict[str, Opened] = {}
        self.unsuccessful: OrderedDict[str, Outcome] = OrderedDict()
        self.repeatable: OrderedDict[str, None] = OrderedDict()

    def accept(self, message_id: str, deliveries: Mapping[str, str], position: int, *, may_repeat: bool) -> None:
        """Book a message of the log. ``deliveries``: name → channel.

        ``may_repeat``: a second record with this id may follow, which has no effect.
        """
        if may_repeat:
            if message_id in self.repeatable:
                return
            _remember(self.repeatable, message_id, None, MOST_REPEATABLE)
        if len(self.open) >= self.most_open:
            self.passed_over += len(deliveries)
            return
        for name, channel in deliveries.items():
            self.open[name] = Opened(position, channel)
        self.accepted += len(deliveries)

    def fact(self, name: str, status: str) -> None:
        """Book a fact of ``status-updates``. Repeated facts, and those of unknown deliveries, change nothing."""
        outcome = _OF_FACT.get(status)
        if outcome is None:
            return
        if self.open.pop(name, None) is not None:
            self._book(name, outcome)
        elif outcome is Outcome.SENT and (before := self.unsuccessful.pop(name, None)) is not None:
            self.counts[before] -= 1
            self.counts[outcome] += 1

    def dead_request(self, name: str) -> None:
        """Book a dead letter about a delivery. If it failed, the fact counts."""
        if self.open.pop(name, None) is not None:
            self._book(name, Outcome.DEAD)

    def dead_message(self, position: int) -> None:
        """Book a dead letter about the record of ``messages`` at ``position``."""
        for name in [name for name, opened in self.open.items() if opened.position == position]:
            self.dead_request(name)

    def unreadable_message(self) -> None:
        """Book a record of ``messages`` that cannot be read: route puts it on ``dead-letters``."""
        self.accepted += 1
        self.counts[Outcome.DEAD] += 1

    def _book(self, name: str, outcome: Outcome) -> None:
        self.counts[outcome] += 1
        if outcome is not Outcome.SENT:
            _remember(self.unsuccessful, name, outcome, MOST_UNSUCCESSFUL)

    def balance(self, cut: Cut) -> Balance:
        """Return the balance of the records booked so far."""
        unrouted = requested = queued = 0
        missing: list[str] = []
        for name, opened in self.open.items():
            if opened.position >= cut.routed_to:
                unrouted += 1
            elif opened.position >= cut.queued_to.get(opened.channel, cut.routed_to):
                requested += 1
            elif name in cut.queued:
                queued += 1
            elif len(missing) < SHOWN_MISSING:
                missing.append(name)
        counts = self.counts
        return Balance(
            self.accepted,
            counts[Outcome.SENT],
            counts[Outcome.FAILED],
            counts[Outcome.DEAD],
            unrouted,
            requested,
            queued,
            tuple(missing),
            self.passed_over,
        )


def _remember(kept: OrderedDict[str, T], key: str, value: T, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)
