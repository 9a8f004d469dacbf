"""One of our accounts on a channel, in one worker: its breaker, its allowance, and the deliveries that are ready."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from domain.allowance import Allowance
from domain.attempts import Reason
from domain.breaker import Breaker
from domain.delivery_policy import AUTHENTICATION_SECONDS, POLICY_SECONDS
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown
from domain.records import BULK

if TYPE_CHECKING:
    from agents.chains import Head
    from domain.accounts import Account
    from domain.ports import Connector

BULK_TURN = 8  # of so many deliveries one is of the bulk, even while others are ready
_STOPS = {Refusal.AUTHENTICATION: AUTHENTICATION_SECONDS, Refusal.POLICY: POLICY_SECONDS}  # the account, for so long


class AccountLane:
    """``connector`` is ``None`` for an account that accounts.toml does not name: its deliveries wait.

    ``paused_on``: the partitions whose table says that the account is paused. Times are in seconds of a clock that does
    not go back.
    """

    def __init__(self, account: Account, connector: Connector | None) -> None:
        self.account = account
        self.connector = connector
        self.breaker = Breaker(account.breaker)
        self.allowance = Allowance(account, 0.0)
        self.paused_on: set[int] = set()
        self.in_flight = 0
        self.in_flight_on: Counter[int] = Counter()  # by partition
        self.last_error = ""
        self.blocked_by: Reason | None = None  # why a delivery that was ready could not start, last time
        self.wakes_at = inf
        self._normal: deque[Head] = deque()
        self._bulk: deque[Head] = deque()
        self._turns = 0

    @property
    def may_repeat(self) -> bool:
        """Whether a second send of an unknown outcome is allowed."""
        return self.connector is not None and (self.connector.capabilities.repeatable or self.account.resend_unknown)

    def ready(self, head: Head) -> None:
        """Add a delivery that may start when the account may send."""
        head.is_ready, head.ready_at = True, monotonic()
        (self._bulk if head.row.priority == BULK else self._normal).append(head)

    def heads(self) -> Iterator[Head]:
        """Return the ready deliveries."""
        yield from self._normal
        yield from self._bulk

    def remove_expired(self, now_ms: int) -> list[Head]:
        """Take out and return the ready deliveries whose time has passed."""
        gone = [head for head in self.heads() if head.row.not_after_ms <= now_ms]
        for head in gone:
            head.is_ready = False
        if gone:
            self._normal = deque(head for head in self._normal if head.row.not_after_ms > now_ms)
            self._bulk = deque(head for head in self._bulk if head.row.not_after_ms > now_ms)
        return gone

    def next_ready(self) -> Head | None:
        """Return the ready delivery whose turn it is; ``None`` if none is ready."""
        ready = self._deque()
        return ready[0] if ready else None

    def take(self) -> Head:
        """Take out the delivery that ``next_ready`` returned."""
        head = self._deque().popleft()
        head.is_ready = False
        self._turns += 1
        return head

    def _deque(self) -> deque[Head]:
        if self._bulk and (not self._normal or self._turns % BULK_TURN == BULK_TURN - 1):
            return self._bulk
        return self._normal

    def clear(self) -> None:
        """Forget the ready heads: the partitions are going away."""
        self._normal.clear()
        self._bulk.clear()
        self.paused_on.clear()
        self.wakes_at = inf

    def blocked(self, now: float) -> tuple[Reason, float] | None:
        """Return why the account may not send at ``now``, and for how many seconds; ``None`` if it may.

        The time is infinite if only an event can end it: an answer, a command, a rebalance.
        """
        if self.connector is None:
            return Reason.NO_ACCOUNT, inf
        if self.paused_on:
            return Reason.PAUSED, inf
        if self.in_flight >= self.account.in_flight:
            return Reason.IN_FLIGHT, inf
        if wait := self.breaker.wait_seconds(now):
            return Reason.BREAKER, wait
        if wait := self.allowance.account_wait_seconds(now):
            return Reason.ALLOWANCE, wait
        return None

    def begin(self, now: float, head: Head) -> None:
        """Count a call that begins."""
        self.breaker.begin(now)
        self.allowance.take(now, head.address)
        self.in_flight += 1
        self.in_flight_on[head.partition] += 1

    def count(self, outcome: SendOutcome, head: Head, now: float, began: float) -> float:
        """Let the breaker and the allowance learn from the outcome of a call that began at ``began``.

        A throttling answer lowers the rate. An outage does not: the account has its whole rate after it. Return for how
        many seconds the channel's own word stops the account for every worker: a refused login, a broken rule, a named
        pause.
        """
        open_seconds = 0.0
        match outcome:
            case Sent():
                self.allowance.succeeded(now)
            case Refused(code, detail, kind) if kind in _STOPS:
                self.last_error = f"{code}: {detail}"
                self.breaker.open_for(now, _STOPS[kind])
                return _STOPS[kind]
            case NotNow(detail, after_seconds, Scope.ACCOUNT, is_throttling):
                self.last_error = detail
                if is_throttling:
                    self.allowance.throttled(now, after_seconds, None)
                else:
                    open_seconds = after_seconds or 0.0
            case NotNow(_, after_seconds, Scope.PAIR):
                self.allowance.throttled(now, after_seconds, head.address)
            case Unknown(detail):
                self.last_error = detail
        is_out_of_order = isinstance(outcome, Unknown) or (
            isinstance(outcome, NotNow) and outcome.scope is Scope.ACCOUNT and not outcome.is_throttling
        )
        self.breaker.record(now, not is_out_of_order, now - began)
        if open_seconds:
            self.breaker.open_for(now, open_seconds)
        return open_seconds

    def end(self, head: Head) -> None:
        """Count a call that ended."""
        self.in_flight -= 1
        self.in_flight_on[head.partition] -= 1
