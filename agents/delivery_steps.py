"""Decides the next step of each delivery of one channel in one worker, and takes it.

The row of a delivery is WAITING. When its turn has come and its account may send, the row becomes BEGUN; the channel
is called once that is durable. The outcome and its fact leave together, and the row goes when both are durable. A
worker that dies leaves behind one of these:

1. WAITING: the channel does not have the message. It is sent.
2. BEGUN or UNKNOWN: the channel may have it. Evidence is awaited, unless a repetition is allowed.
3. An outcome and a row: the fact is written again, and the row goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import decode
from domain.attempts import Attempt, QueuedDelivery, Reason, Stage
from domain.delivery_policy import Decision, DeliveryRules, Failure, Wait, decide, expired, without_evidence
from domain.outcomes import SendOutcome, Unknown
from domain.records import DeliveryRequested

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.account_lane import AccountLane
    from agents.calls import Calls
    from agents.chains import Head
    from agents.delivery import Delivery
    from agents.delivery_queue import DeliveryQueue
    from agents.evidence import Evidence
    from agents.receipts import Receipts
    from agents.scheduler import Scheduler
    from agents.settlement import Settlement
    from agents.traces import Traces
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)

CRASHED = "the worker ended during the call to the channel"
OVERTAKEN = "overtaken"
NO_EVIDENCE = "no evidence tells whether the channel has the message"
_HOLDING = (Reason.RETRY, Reason.FILE_STORE)  # waits of one message; what stops its pair or account stops the next, too


class DeliverySteps:
    """``choice`` has the accounts. ``chance`` returns a number from 0 to 1.

    The collaborators below call it back, so the dispatcher, which makes all of them, sets them afterwards.
    """

    queue: DeliveryQueue
    scheduler: Scheduler
    calls: Calls
    settlement: Settlement
    evidence: Evidence
    receipts: Receipts
    traces: Traces

    def __init__(
        self, app: StreamApp, channel: str, choice: AccountChoice, rules: DeliveryRules, chance: Callable[[], float]
    ) -> None:
        self._app = app
        self._channel = channel
        self._choice = choice
        self._rules = rules
        self._chance = chance
        self._overtake_ms = int(app.settings.overtake_minutes * 60_000)

    def found(self, head: Head) -> None:
        """Decide on the new head of a chain."""
        row = head.row
        if row.stage == Stage.WAITING:
            self.due(head)
        elif parked := self.receipts.parked(head.partition, row.name):
            self.evidence.settle_by(head, parked[0])
        elif row.stage == Stage.BEGUN:
            self.apply(head, self.decide(head, Unknown(CRASHED)))
        else:
            self.evidence.wait_for(head)

    def found_settled(self, partition: int, key: bytes, row: QueuedDelivery, value: bytes, attempt: Attempt) -> None:
        """Write the consequences of an outcome on record again: its row is still there."""
        self.settlement.again(
            self._choice.lane(attempt.account), partition, key, row, decode(value, DeliveryRequested), attempt
        )

    def due(self, head: Head) -> None:
        """Take the next step for the head of a chain. A late timer may come for a head that has moved on."""
        if head.is_gone or head.is_ready or self.calls.has(head):
            return
        row, now = head.row, now_ms()
        if row.not_before_ms > now and row.not_after_ms > now:
            self._wait(head, now)
        elif row.stage != Stage.WAITING:
            self._look_up(head)
        elif row.not_after_ms <= now:
            self.apply(head, expired(row))
        else:
            self.scheduler.offer(self._lane(head), head)

    def _wait(self, head: Head, now: int) -> None:
        """Wait for the head's time; those behind it wait no longer than ``overtake_minutes`` for it."""
        row, due_ms = head.row, head.row.not_before_ms
        if row.held_since_ms and not row.is_overtaken and self._overtake_ms:
            overtaken_ms = row.held_since_ms + self._overtake_ms
            if overtaken_ms > now:
                due_ms = min(due_ms, overtaken_ms)
            elif self.queue.may_overtake(head):
                self._overtake(head)
        if self._overtake_ms or row.stage != Stage.WAITING or not self.queue.let_sleep(head, due_ms):
            self.scheduler.wake_at(head, due_ms)

    def _overtake(self, head: Head) -> None:
        value, account = self.queue.load(head), head.chain.backlog.account
        request = decode(value, DeliveryRequested)
        self.queue.update(head, replace(head.row, is_overtaken=True), value)
        log.warning("%s waits for too long (%s): the next ones go before it", head.row.name, head.row.reason)
        self._app.metrics.overtaken(self._channel, account)
        self.settlement.facts.overtaken(head.partition, head.row, request, account)
        self.traces.waiting(head, request, OVERTAKEN, f"it held the next messages since {head.row.held_since_ms}")
        if (following := self.queue.overtake(head)) is not None:
            asyncio.get_running_loop().call_soon(self._go_on, following, self.calls.generation)

    def more(self, head: Head) -> None:
        """Another delivery came behind the head: it may go before it."""
        if self._overtake_ms and head.row.held_since_ms:
            self.due(head)

    def _lane(self, head: Head) -> AccountLane:
        return self._choice.lane(head.chain.backlog.account)

    def _look_up(self, head: Head) -> None:
        """Ask the channel about an unknown outcome if it can be asked; else the wait for evidence is over."""
        lane = self._lane(head)
        if lane.connector is None or not lane.connector.capabilities.can_look_up:
            self.apply(head, without_evidence(NO_EVIDENCE))
        else:
            self.calls.look_up(lane, head)

    def decide(self, head: Head, outcome: SendOutcome) -> Decision:
        """Return what follows from the outcome of a call."""
        rules = replace(self._rules, may_repeat=True) if self._lane(head).may_repeat else self._rules
        return decide(outcome, head.row, rules, now_ms(), self._chance())

    def apply(self, head: Head, result: Decision, delivery: Delivery | None = None) -> list[PendingBatch]:
        """Write the consequences of an outcome, and go on with the chain."""
        value = delivery.value if delivery is not None else self.queue.load(head)
        if head.write is None:  # the batch of its request may be completed once the row is durable
            self.queue.update(head, head.row, value)
        if isinstance(result, Wait):
            row = result.row
            if self._overtake_ms and row.reason in _HOLDING and not row.held_since_ms:
                row = replace(row, held_since_ms=now_ms())
            write = self.queue.update(head, row, value)
            request = delivery.request if delivery is not None else decode(value, DeliveryRequested)
            self.traces.waiting(head, request, row.reason, result.detail)
            if row.stage == Stage.UNKNOWN:
                self.evidence.wait_for(head)
            else:
                self.due(head)
            return [write]
        request = delivery.request if delivery is not None else decode(value, DeliveryRequested)
        letter = value if isinstance(result, Failure) and result.needs_operator else None
        attempt = self.settlement.attempt(head.row, request, head.chain.backlog.account, result)
        lane = self._lane(head)
        writes = self.settlement.settle(lane, head.partition, head.key, head.row, request, attempt, letter)
        self.evidence.forget(head)
        if self.scheduler.is_open and (following := self.queue.settled(head)) is not None:
            # not from here: a chain of ten thousand expired messages would be as deep a recursion
            asyncio.get_running_loop().call_soon(self._go_on, following, self.calls.generation)
        return writes

    def _go_on(self, head: Head, generation: int) -> None:
        if generation == self.calls.generation and self.scheduler.is_open:
            self.found(head)
