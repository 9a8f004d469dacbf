"""The deliveries of one channel in one worker: puts them into the queue, and makes those who bring them to an outcome.

What happens to a delivery after that, and after a worker has died, is in ``agents/delivery_steps.py``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from agents.calls import Calls
from agents.contacts import Contacts
from agents.delivery_queue import HEADS_PER_BACKLOG, DeliveryQueue
from agents.delivery_steps import DeliverySteps
from agents.durable import when_durable
from agents.evidence import Evidence
from agents.holds import Holds
from agents.preparation import Preparation
from agents.receipts import Receipts
from agents.scheduler import Scheduler
from agents.settlement import Settlement
from agents.traces import Traces
from app.clock import now_ms
from domain.attempts import QueuedDelivery
from domain.delivery_policy import DeliveryRules
from domain.expiry import last_start_ms
from domain.records import DeliveryRequested, delivery_key

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.attachments import Attachments
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import Headers, PendingBatch


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
        self._choice = choice
        self._tables = queue, attempts
        rules = DeliveryRules(settings.delivery_attempts, settings.evidence_seconds)
        self.expires_ms = int(settings.expires_hours * 3_600_000)
        fail = partial(app.abort, f"deliver_{channel}")
        self.steps = steps = DeliverySteps(app, channel, choice, rules, chance)
        self.queue = steps.queue = DeliveryQueue(
            queue, attempts, steps.found, steps.found_settled, fail, steps.more, most_heads
        )
        self.settlement = steps.settlement = Settlement(app, channel, self.queue)
        promised = self.settlement.promised
        self.traces = steps.traces = Traces(app, channel)
        self.contacts = Contacts(app, choice, queue)
        self.scheduler = steps.scheduler = Scheduler(
            choice.lanes,
            settings.in_flight_per_worker,
            lambda lane, head: self.calls.start(lane, head),
            steps.due,
            fail,
            lambda: promised.is_full,
            self.queue.wake_sleepers,
        )
        self.holds = Holds(app, channel)
        self.calls = steps.calls = Calls(
            app,
            channel,
            self.queue,
            Preparation(channel, self.queue, self.contacts),
            attachments,
            rules,
            self.traces,
            steps.decide,
            steps.apply,
            self.scheduler.released,
            self.holds,
            lambda partition, name: self.receipts.parked(partition, name),
        )
        promised.on_room = self.scheduler.start_all
        self.evidence = steps.evidence = Evidence(
            self.queue, self.scheduler, self.settlement, self.calls.has, steps.apply
        )
        self.receipts = steps.receipts = Receipts(
            app, queue, self.settlement.facts, self.queue.outcome_of, self.queue.outcome_write, self.evidence.settle
        )
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
