"""The deliveries of one channel in one worker: from the queue to the channel, and to an outcome on record.

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
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agents.calls import Calls
from agents.chains import Head
from agents.contacts import Contacts
from agents.delivery import Delivery
from agents.delivery_queue import HEADS_PER_BACKLOG, DeliveryQueue
from agents.durable import when_durable
from agents.evidence import Evidence
from agents.holds import Holds
from agents.preparation import Preparation
from agents.receipts import Receipts
from agents.scheduler import Scheduler
from agents.settlement import Settlement
from agents.traces import Traces
from app.clock import now_ms
from app.kafka.codec import decode
from domain.attempts import Attempt, QueuedDelivery, Reason, Stage
from domain.delivery_policy import Decision, DeliveryRules, Failure, Wait, decide, expired, without_evidence
from domain.expiry import last_start_ms
from domain.outcomes import SendOutcome, Unknown
from domain.records import DeliveryRequested, delivery_key

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.account_lane import AccountLane
    from agents.attachments import Attachments
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import Headers, PendingBatch

log = logging.getLogger(__name__)

CRASHED = "the worker ended during the call to the channel"
OVERTAKEN = "overtaken"
_HOLDING = (Reason.RETRY, Reason.FILE_STORE)  # waits of one message; what stops its pair or account stops the next, too
NO_EVIDENCE = "no evidence tells whether the channel has the message"


class Dispatcher:
    """``choice`` has the accounts; ``attachments``: by the account's name. ``chance`` returns a number from 0 to 1."""

    def __init__(
        self,
        app: StreamApp,
        channel: str,
        choice: AccountChoice,
        queue: DurableTable,
        attempts: DurableTable,
        attachments: Mapping[str, Attachments],
        chance: Callable[[], float] = random.random,
        most_heads: int = HEADS_PER_BACKLOG,
    ) -> None:
        settings = app.settings
        self._app = app
        self._channel = channel
        self._choice = choice
        self._tables = queue, attempts
        self._chance = chance
        self._rules = DeliveryRules(settings.delivery_attempts, settings.evidence_seconds)
        self.expires_ms = int(settings.expires_hours * 3_600_000)
        fail = partial(app.abort, f"deliver_{channel}")
        self._overtake_ms = int(settings.overtake_minutes * 60_000)
        self.queue = DeliveryQueue(queue, attempts, self._found, self._found_settled, fail, self._more, most_heads)
        self.settlement = Settlement(app, channel, self.queue)
        promised = self.settlement.promised
        self.traces = Traces(app, channel)
        self.contacts = Contacts(app, choice, queue)
        self.scheduler = Scheduler(
            choice.lanes,
            settings.in_flight_per_worker,
            self._start,
            self._due,
            fail,
            lambda: promised.is_full,
            self.queue.wake_sleepers,
        )
        self.holds = Holds(app, channel)
        self.calls = Calls(
            app,
            channel,
            self.queue,
            Preparation(channel, self.queue, self.contacts),
            attachments,
            self._rules,
            self.traces,
            self._decide,
            self.apply,
            self.scheduler.released,
            self.holds,
            lambda partition, name: self.receipts.parked(partition, name),
        )
        promised.on_room = self.scheduler.start_all
        self.evidence = Evidence(self.queue, self.scheduler, self.settlement, self.is_in_hand, self.apply)
        self.receipts = Receipts(app, queue, self.settlement.facts, self.queue.outcome_of, self.evidence.settle)
        self.settlement.receipts = self.receipts
        self.partitions: list[int] = []
        app.metrics.watch_in_flight(lambda: self.scheduler.in_flight)
        app.on_assigned(self.begin)
        app.on_drain(self.drain)
        app.watch(self._stall)

    # Partitions ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take up the deliveries of the assigned partitions."""
        partitions = self.partitions = self._tables[0].active_partitions()
        claims = [table.claim(partition) for table in self._tables for partition in partitions]
        when_durable(self._app, claims, lambda: None)
        self._choice.load(partitions)
        self.receipts.load(partitions)
        for lane in self._choice.lanes.values():
            lane.allowance.share = len(partitions) / self._app.settings.partitions
        self.scheduler.open()
        self.queue.adopt(partitions)

    async def drain(self) -> None:
        """Let the calls to the channel end; roll back attempts begun without a call."""
        self.partitions = []
        self.scheduler.close()
        self.queue.drop()
        self.evidence.clear()
        try:
            await self.calls.drain()
        finally:
            self.settlement.clear()
            self.receipts.clear()

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks under way."""
        return self.calls.tasks()

    def _stall(self) -> str | None:
        if self.scheduler.stalled_seconds() > self._app.settings.watchdog_seconds:
            return "a delivery could have started and did not"
        return None

    # Into the queue ------------------------------------------------------------------------------------------------

    def enqueue(
        self, partition: int, offset: int, request: DeliveryRequested, value: bytes, headers: Headers
    ) -> list[PendingBatch]:
        """Put a request into the queue, and start it if nothing stands in its way. Return the writes to await."""
        name = delivery_key(request)
        if (known := self.queue.on_record(partition, name)) is not None and known.is_final:
            return [self.settlement.facts.outcome(partition, request.conversation_id, name, known, headers)]
        account, writes = self._choice.account_for(partition, request)
        settings = self._app.settings
        not_after_ms = last_start_ms(
            request.not_after_ms, request.accepted_at_ms, settings.expires_hours, settings.state_retention_hours
        )
        row = QueuedDelivery.of(request, offset, now_ms(), not_after_ms, headers)
        if known is not None:  # a release without a queue began it
            row = row.begun()
        return [*writes, self.queue.add(partition, account, request, value, row)]

    def is_in_hand(self, head: Head) -> bool:
        """Return whether the head is at the channel, or about to be."""
        return self.calls.has(head)

    def _found(self, head: Head) -> None:
        """Decide on the new head of a chain."""
        row = head.row
        if row.stage == Stage.WAITING:
            self._due(head)
        elif parked := self.receipts.parked(head.partition, row.name):
            self.evidence.settle_by(head, parked[0])
        elif row.stage == Stage.BEGUN:
            self.apply(head, self._decide(head, Unknown(CRASHED)))
        else:
            self.evidence.wait_for(head)

    def _found_settled(self, partition: int, key: bytes, row: QueuedDelivery, value: bytes, attempt: Attempt) -> None:
        self.settlement.again(
            self._choice.lane(attempt.account), partition, key, row, decode(value, DeliveryRequested), attempt
        )

    def _due(self, head: Head) -> None:
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

    def _more(self, head: Head) -> None:
        """Another delivery came behind the head: it may go before it."""
        if self._overtake_ms and head.row.held_since_ms:
            self._due(head)

    def _lane(self, head: Head) -> AccountLane:
        return self._choice.lane(head.chain.backlog.account)

    def _start(self, lane: AccountLane, head: Head) -> None:
        self.calls.start(lane, head)

    def _look_up(self, head: Head) -> None:
        """Ask the channel about an unknown outcome if it can be asked; else the wait for evidence is over."""
        lane = self._lane(head)
        if lane.connector is None or not lane.connector.capabilities.can_look_up:
            self.apply(head, without_evidence(NO_EVIDENCE))
        else:
            self.calls.look_up(lane, head)

    # Outcomes ------------------------------------------------------------------------------------------------------

    def _decide(self, head: Head, outcome: SendOutcome) -> Decision:
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
                self._due(head)
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
            self._found(head)
