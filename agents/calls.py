"""Deliveries in the hands of a channel: the calls to its connectors, and their outcomes.

The row of a delivery becomes BEGUN; the channel is called once that is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeGuard

from agents.delivery import Delivery
from agents.opt_outs import tell_opt_out
from agents.sending import outcome_of
from agents.traced_calls import in_its_trace
from agents.traces import word_of
from app.clock import now_ms
from app.fault_points import reach
from app.kafka.codec import decode
from domain.attempts import Reason
from domain.delivery_policy import Decision, DeliveryRules, Failure, without_evidence
from domain.outcomes import NotNow, Refusal, Refused, SendOutcome, Sent, Unknown, cause_of
from domain.ports import Attachment
from domain.records import DeliveryRequested
from domain.status import Status

if TYPE_CHECKING:
    from agents.account_lane import AccountLane
    from agents.attachments import Attachments
    from agents.chains import Head
    from agents.delivery_queue import DeliveryQueue
    from agents.holds import Holds
    from agents.preparation import Preparation
    from agents.traces import Traces
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch
    from domain.records import ReceiptReported

QUESTIONS = 100  # look-ups of a worker at a time
TRACED_WAIT_SECONDS = 1.0  # a wait for the account that a trace shows


class Calls:
    """``decide`` returns the next step for an outcome; ``apply`` writes it. ``released``: a slot is free again.

    ``attachments``: by the account's name. ``receipts_of`` returns the parked receipts of a delivery.
    """

    def __init__(
        self,
        app: StreamApp,
        channel: str,
        queue: DeliveryQueue,
        preparation: Preparation,
        attachments: Mapping[str, Attachments],
        rules: DeliveryRules,
        traces: Traces,
        decide: Callable[[Head, SendOutcome], Decision],
        apply: Callable[[Head, Decision, Delivery], list[PendingBatch]],
        released: Callable[[AccountLane], None],
        holds: Holds,
        receipts_of: Callable[[int, str], Sequence[ReceiptReported]],
    ) -> None:
        self._app = app
        self._channel = channel
        self._queue = queue
        self._preparation = preparation
        self._attachments = attachments
        self._rules = rules
        self._traces = traces
        self._decide = decide
        self._apply = apply
        self._released = released
        self._holds = holds
        self._receipts_of = receipts_of
        self._in_hand: dict[Head, Delivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._questions = asyncio.Semaphore(QUESTIONS)
        self.generation = 0

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks under way."""
        return list(self._tasks)

    def has(self, head: Head) -> bool:
        """Return whether the head is at the channel, or about to be."""
        return head in self._in_hand

    async def drain(self) -> None:
        """Let the calls to the channel end; roll back attempts begun without a call."""
        try:
            for delivery in self._in_hand.values():
                if not delivery.is_called and delivery.task is not None:
                    delivery.task.cancel()
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self.generation += 1  # what ends later belongs to the partition's next owner
            self._in_hand.clear()

    def start(self, lane: AccountLane, head: Head) -> None:
        """Send the delivery: its turn has come, and its account may send.

        A receipt proves an earlier attempt successful, despite its answer: then it is not sent again.
        """
        delivery = self._take(lane, head)
        if head.row.attempt and (proof := _proof(self._receipts_of(head.partition, head.row.name))) is not None:
            self._run(delivery, self._end(delivery, proof))
            return
        prepared = self._preparation.prepare(lane, head.partition, delivery.request)
        if isinstance(prepared, Failure):
            self._run(delivery, self._end(delivery, prepared))
            return
        delivery.outgoing = prepared
        if (waited := monotonic() - head.ready_at) >= TRACED_WAIT_SECONDS:
            self._traces.waited(head, delivery.request, lane.blocked_by or Reason.IN_FLIGHT, waited)
        if prepared.file_id is None:
            delivery.gate = self._queue.update(head, head.row.begun(), delivery.value)
        self._run(delivery, self._deliver(delivery))

    def look_up(self, lane: AccountLane, head: Head) -> None:
        """Ask the channel about an unknown outcome."""
        delivery = self._take(lane, head)
        delivery.is_called = delivery.is_look_up = True
        self._run(delivery, self._ask(delivery))

    def _take(self, lane: AccountLane, head: Head) -> Delivery:
        value = self._queue.load(head)
        request = head.decoded or decode(value, DeliveryRequested)
        delivery = Delivery(lane, head, request, value, self.generation)
        self._in_hand[head] = delivery
        return delivery

    def _run(self, delivery: Delivery, work: Coroutine[Any, Any, None]) -> None:
        delivery.task = task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._over, delivery))

    def _over(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        """Clean up after the task, also if it was cancelled before its first step."""
        self._tasks.discard(task)
        head, lane = delivery.head, delivery.lane
        if self._in_hand.get(head) is delivery:
            del self._in_hand[head]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._app.abort(f"deliver_{self._channel}", error)  # not durable, or a fault of ours
        if delivery.is_look_up:
            return
        if not delivery.is_called:
            lane.breaker.forget_probe()
            if task.cancelled() and delivery.gate is not None and delivery.generation == self.generation:
                self._queue.update(head, delivery.before, delivery.value)  # the channel was not called
        lane.end(head)
        self._released(lane)

    async def _deliver(self, delivery: Delivery) -> None:
        head, lane, seconds = delivery.head, delivery.lane, self._app.settings.send_seconds
        connector = lane.connector
        assert connector is not None
        if delivery.gate is None:
            if head.attachment is None:
                attachments = self._attachments[lane.account.name]
                prepared = await attachments.prepare(delivery.outgoing, head.row, self._rules, head.partition)
                if not isinstance(prepared, Attachment):
                    await self._end(delivery, prepared)
                    return
                head.attachment = prepared
            delivery.gate = self._queue.update(head, head.row.begun(), delivery.value)
        reach("begun")
        await asyncio.shield(delivery.gate.future)
        reach("begun-durable")
        delivery.is_called = True
        began, began_ms = monotonic(), now_ms()
        attachment = head.attachment if delivery.outgoing.file_id is not None else None
        call = partial(connector.send, delivery.outgoing, head.row.attempt, attachment)
        bounded = partial(outcome_of, self._app, connector, call, seconds)
        outcome = await in_its_trace(self._app.tracing, delivery, self._channel, bounded)
        reach("called")
        now = monotonic()
        if stopped_seconds := lane.count(cause_of(outcome), head, now, began):
            self._holds.tell(lane.account.name, stopped_seconds, lane.last_error)
        self._app.metrics.attempted(self._channel, lane.account.name, _metric_word(outcome), now - began)
        self._traces.attempt(delivery, outcome, began_ms, now - began)
        tell_opt_out(self._app, lane.account.name, delivery.outgoing, cause_of(outcome))
        if attachment is not None:
            outcome = self._with_file(delivery, attachment, outcome)
        await self._end(delivery, self._decide(head, outcome))

    def _with_file(self, delivery: Delivery, attachment: Attachment, outcome: SendOutcome) -> SendOutcome:
        """Return the outcome of a message with a file: a refused name may have expired."""
        if isinstance(outcome, Sent):
            self._app.metrics.carried(self._channel, attachment.plan.kind)
        elif _may_be_of_the_file(outcome) and attachment.is_remembered:
            account, head = delivery.lane.account.name, delivery.head
            self._attachments[account].forget_handle(head.partition, delivery.outgoing.file_id or "")
            head.attachment = None
            return NotNow(f"with the file as it was uploaded before: {outcome.code}: {outcome.detail}")
        return outcome

    async def _ask(self, delivery: Delivery) -> None:
        """Ask about an unknown outcome. A message unknown to the channel is sent again."""
        head, connector = delivery.head, delivery.lane.connector
        assert connector is not None
        async with self._questions:
            began, began_ms = monotonic(), now_ms()
            call = partial(connector.look_up, delivery.request, head.row.attempt)
            outcome = await outcome_of(self._app, connector, call, self._app.settings.send_seconds)
        self._traces.look_up(delivery, outcome, began_ms, monotonic() - began)
        if isinstance(outcome, Unknown):
            await self._end(delivery, without_evidence(outcome.detail))
        else:
            await self._end(delivery, self._decide(head, outcome))

    async def _end(self, delivery: Delivery, result: Decision) -> None:
        """Apply the next step, and wait until it is durable: only then another delivery gets the slot."""
        if self._in_hand.get(delivery.head) is delivery:
            del self._in_hand[delivery.head]
        if delivery.generation == self.generation:
            writes = self._apply(delivery.head, result, delivery)
            reach("outcome-written")
            for write in writes:
                await write
            reach("outcome-durable")


def _may_be_of_the_file(outcome: SendOutcome) -> TypeGuard[Refused]:
    """Return whether the file may be why. After a part was taken nothing begins anew."""
    return isinstance(outcome, Refused) and outcome.kind is Refusal.PERMANENT and outcome.cause is None


def _proof(parked: Iterable[ReceiptReported]) -> Sent | None:
    found = next((one for one in parked if one.status != Status.FAILED), None)
    return None if found is None else Sent(found.provider_id, found.at_ms)


def _metric_word(outcome: SendOutcome) -> str:
    return "throttled" if isinstance(outcome, NotNow) and outcome.is_throttling else word_of(outcome)
