"""The deliveries in a worker's hands: order within a conversation, attempts on record, a bound on their number."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agents.attachments import Attachments
from agents.delivery import Delivery, MessageGroup, StatusPublisher
from app.clock import now_ms
from domain.attempts import MAX_ATTEMPTS, Attempt, Outcome, Step, next_step, retry_seconds
from domain.errors import DeliveryFailed, Unavailable
from domain.fact_times import plausible_ms
from domain.outcomes import (
    OUTCOME_UNKNOWN,
    NotNow,
    Refused,
    SendOutcome,
    Sent,
    Unknown,
    bounded,
    shortened,
)
from domain.ports import Attachment, Connector
from domain.records import DeliveryRequested
from domain.status import Status
from tables import attempts

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.batch_producer import Headers, PendingBatch

log = logging.getLogger(__name__)


class Dispatcher:
    """Runs deliveries on ``connector``. ``table`` is the role's ``attempts`` table, written by this class alone."""

    def __init__(
        self,
        app: StreamApp,
        connector: Connector,
        table: DurableTable,
        attachments: Attachments,
        retry: Callable[[int, float | None, float], float] = retry_seconds,
    ) -> None:
        self._app = app
        self._connector = connector
        self._publisher = StatusPublisher(app, connector.channel)
        self._table = table
        self._attachments = attachments
        self._retry_seconds = retry
        self._send_seconds = app.settings.send_seconds
        self._slots = asyncio.Semaphore(app.settings.in_flight_per_worker)
        self._last_group: dict[str, MessageGroup] = {}
        self._in_hand: dict[str, Delivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._finishing: set[asyncio.Task[None]] = set()
        self._generation = 0
        app.metrics.watch_in_flight(lambda: len(self._tasks))
        app.on_drain(self.drain)

    async def start(
        self,
        batch: RecordBatch,
        offset: int,
        key: bytes | None,
        request: DeliveryRequested,
        headers: Headers,
        writes: set[PendingBatch],
    ) -> asyncio.Task[None] | None:
        """Begin one delivery and return its task, or ``None`` if the worker is giving its partitions up.

        The attempt goes on record when the message is next in its conversation and its file, if it has one, is ready;
        the task waits until the record is durable. A waiting message has no attempt: after a crash it was not sent.
        """
        current = self._generation
        await self._slots.acquire()
        if current != self._generation:
            self._slots.release()
            return None
        delivery = Delivery(batch, offset, key, request, headers, writes)
        delivery.generation = current
        is_new = delivery.name not in self._in_hand
        delivery.group = self._group_of(request, is_new)
        if is_new:
            self._in_hand[delivery.name] = delivery
            if delivery.group.before is None or delivery.group.before.done():
                self._decide(delivery)
        task = asyncio.get_running_loop().create_task(self._run(delivery))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, delivery))
        return task

    def _group_of(self, request: DeliveryRequested, is_new: bool) -> MessageGroup:
        """Return the newest group of the conversation if it belongs to this message and another address; else a new
        one.
        """
        group = self._last_group.get(request.conversation_id)
        if group is None or group.message_id != request.message_id or not is_new or group.done.done():
            group = MessageGroup(request.message_id, None if group is None else group.done)
            self._last_group[request.conversation_id] = group
        group.open += 1
        return group

    def finish(self, batch: RecordBatch, tasks: list[asyncio.Task[None]], writes: set[PendingBatch]) -> None:
        """Complete ``batch`` when its ``tasks`` are through and all they wrote is durable."""
        task = asyncio.get_running_loop().create_task(self._finish(batch, tasks, writes, self._generation))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def drain(self) -> None:
        """Let begun sends finish; roll back the others."""
        self._generation += 1
        self._last_group.clear()
        for task in self._tasks - self._sending:
            task.cancel()
        for tasks in (self._tasks, self._finishing):
            if tasks:
                await asyncio.wait(tasks)

    async def _finish(
        self, batch: RecordBatch, tasks: list[asyncio.Task[None]], writes: set[PendingBatch], current: int
    ) -> None:
        try:
            if tasks:
                await asyncio.wait(tasks)
            for write in writes:
                await write
        except Exception as error:  # noqa: BLE001  not durable: the worker must not go on
            self._app.abort(f"deliver_{self._connector.channel}", error)
        if current == self._generation:
            self._app.consumer.complete(batch)
            self._app.metrics.completed(f"deliver_{self._connector.channel}", batch)

    def _decide(self, delivery: Delivery) -> None:
        """Look up where the message stands, and put the attempt on record if there is to be one."""
        known = attempts.load(self._table.get_bytes(delivery.batch.partition, delivery.name.encode()))
        if known is not None:
            delivery.attempt = known
        delivery.step = next_step(known, repeatable=self._connector.repeatable)
        if delivery.step is Step.SEND and delivery.request.file is None:
            self._begin(delivery)

    def _ended(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        """Clean up after the task, also if it was cancelled before its first step."""
        self._tasks.discard(task)
        self._slots.release()
        if self._in_hand.get(delivery.name) is delivery:
            del self._in_hand[delivery.name]
        if delivery.begun:
            self._roll_back(delivery)
        if not delivery.settled:
            delivery.group.done.cancel()

    async def _run(self, delivery: Delivery) -> None:
        previous = delivery.group.before
        try:
            if previous is not None and not previous.done():
                await asyncio.shield(previous)
            if delivery.step is None:  # it waited for its turn, or for another delivery of the same message
                self._decide(delivery)
            sent = await self._to_outcome(delivery)
            self._settle(delivery)
            if sent is not None and delivery.generation == self._generation:
                await self._report_receipts(delivery, sent)
        except asyncio.CancelledError:
            pass  # the partitions are revoked: their next owner continues from the attempt on record
        except Exception as error:  # noqa: BLE001
            self._app.abort(f"deliver_{self._connector.channel}", error)

    def _settle(self, delivery: Delivery) -> None:
        """It has its outcome; with the last one of its turn the next turn begins."""
        delivery.settled = True
        group, conversation_id = delivery.group, delivery.request.conversation_id
        group.open -= 1
        if group.open or group.done.done():
            return
        group.done.set_result(None)
        if self._last_group.get(conversation_id) is group:
            del self._last_group[conversation_id]

    async def _to_outcome(self, delivery: Delivery) -> Sent | None:
        """Return the channel's acceptance, new or on record; ``None`` if there is none."""
        known = delivery.attempt
        match delivery.step:
            case Step.FOLLOW:
                self._publisher.publish(delivery, Status.SENT, known.at_ms, provider_id=known.provider_id)
                return Sent(known.provider_id or "", known.at_ms)
            case Step.REPORT_FAILURE:
                self._publisher.publish_failure(delivery)
                return None
            case Step.HOLD:
                detail = f"attempt {known.number} of {delivery.name} was begun and its outcome is not known"
                self._fail_unknown(delivery, detail)
                return None
            case _:
                return await self._send(delivery)

    async def _send(self, delivery: Delivery) -> Sent | None:
        attachment = None
        if (file := delivery.request.file) is not None:
            # preparing has no visible effect, so it may be cancelled, and no attempt is on record yet
            try:
                attachment = await self._attachments.prepare(delivery.request, file)
            except DeliveryFailed as error:
                self._fail(delivery, error.reason, str(error))
                return None
            self._begin(delivery)
        elif delivery.request.file_id is not None:  # routed by a release that dropped it: not without the sender's file
            self._fail(delivery, "file-missing", "nothing is known of the message's file; send it again")
            return None
        while True:
            assert delivery.gate is not None
            await asyncio.shield(delivery.gate.future)
            number = delivery.attempt.number
            outcome = await self._call(delivery, attachment)
            match outcome:
                case Sent(provider_id, at_ms):
                    # retention deletes the attempt by this time; without it the message could be sent twice
                    sent = Sent(provider_id, self._plausible(delivery, Status.SENT, at_ms))
                    self._record(delivery, Attempt(number, Outcome.SENT, sent.at_ms, provider_id))
                    self._publisher.publish(delivery, Status.SENT, sent.at_ms, provider_id=provider_id)
                    self._app.metrics.sent(self._connector.channel, "success")
                    if attachment is not None:
                        self._app.metrics.carried(self._connector.channel, attachment.plan.kind)
                    return sent
                case Refused(code, detail):
                    self._fail(delivery, code, detail)
                    return None
                case Unknown(detail) if not self._connector.repeatable or number >= MAX_ATTEMPTS:
                    self._fail_unknown(delivery, detail)
                    return None
                case NotNow(detail) if number >= MAX_ATTEMPTS:
                    self._fail(delivery, Unavailable.code, detail)
                    return None
            if isinstance(outcome, NotNow):
                self._roll_back(delivery)  # the channel said that it does not have it
            if delivery.generation != self._generation:
                raise asyncio.CancelledError
            after_seconds = outcome.after_seconds if isinstance(outcome, NotNow) else None
            await asyncio.sleep(self._retry_seconds(number, after_seconds, random.random()))
            self._begin(delivery)

    async def _call(self, delivery: Delivery, attachment: Attachment | None) -> SendOutcome:
        """Call the channel and return its outcome; ``Unknown`` for every unforeseen error."""
        task = asyncio.current_task()
        assert task is not None
        delivery.begun = False
        self._sending.add(task)
        try:
            async with asyncio.timeout(self._send_seconds):
                return bounded(await self._connector.send(delivery.request, delivery.attempt.number, attachment))
        except TimeoutError:
            return Unknown(f"the channel gave no answer within {self._send_seconds:g} seconds")
        except asyncio.CancelledError:
            if task.cancelling():
                raise
            log.exception("the connector of %s was cancelled from inside", self._connector.channel)
            return Unknown("the call to the channel was cancelled")
        except Exception as error:
            log.exception("the connector of %s raised", self._connector.channel)
            return Unknown(shortened(f"the call to the channel failed: {error!r}"))
        finally:
            self._sending.discard(task)
            self._app.progress += 1

    async def _report_receipts(self, delivery: Delivery, sent: Sent) -> None:
        async for receipt in self._connector.receipts(delivery.request, sent):
            at_ms = self._plausible(delivery, receipt.status, receipt.at_ms)
            self._publisher.publish(delivery, receipt.status, at_ms, provider_id=sent.provider_id)

    def _plausible(self, delivery: Delivery, status: Status, at_ms: int) -> int:
        """Return the channel's time, or the corrected one if it is impossible."""
        possible_ms = plausible_ms(at_ms, delivery.request.accepted_at_ms, now_ms())
        if possible_ms != at_ms:
            self._app.impossible_times.add(f"{status} of {delivery.name}", at_ms, possible_ms)
        return possible_ms

    def _record(self, delivery: Delivery, attempt: Attempt) -> PendingBatch:
        delivery.attempt = attempt
        write = self._table.put(delivery.batch.partition, delivery.name.encode(), attempts.dump(attempt))
        delivery.writes.add(write)
        return write

    def _begin(self, delivery: Delivery) -> None:
        delivery.gate = self._record(delivery, Attempt(delivery.attempt.number + 1, Outcome.BEGUN, now_ms()))
        delivery.begun = True

    def _fail(self, delivery: Delivery, reason: str, detail: str) -> None:
        failed = Attempt(delivery.attempt.number, Outcome.FAILED, now_ms(), None, shortened(reason), shortened(detail))
        self._record(delivery, failed)
        self._publisher.publish_failure(delivery)
        self._app.metrics.sent(self._connector.channel, "failure")

    def _fail_unknown(self, delivery: Delivery, detail: str) -> None:
        """Report FAILED, which any receipt heals, and write a dead letter for an operator."""
        self._publisher.set_aside(delivery, detail)
        self._fail(delivery, OUTCOME_UNKNOWN, detail)

    def _roll_back(self, delivery: Delivery) -> None:
        """Delete the recorded attempt: it did not reach the channel, so its outcome is not unknown."""
        delivery.begun = False
        delivery.writes.add(self._table.put(delivery.batch.partition, delivery.name.encode(), None))
