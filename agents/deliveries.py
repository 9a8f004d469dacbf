"""The deliveries in a worker's hands: order within a conversation, attempts on record, a bound on their number."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.codec import encode
from domain.attempts import MAX_ATTEMPTS, Attempt, Outcome, Step, backoff_seconds, next_step
from domain.errors import DeliveryFailed, Unavailable
from domain.ports import Connector, Sent
from domain.records import DeadLetter, DeliveryRequested
from domain.routing import fact_of
from domain.status import Status
from tables import attempts

if TYPE_CHECKING:
    from app.batches import RecordBatch
    from app.durable_table import DurableTable
    from app.outbox import Flight, Headers
    from app.stream_app import StreamApp

log = logging.getLogger(__name__)


class _Delivery:
    """One message on its way to the channel."""

    __slots__ = ("attempt", "batch", "flights", "gate", "headers", "key", "request", "round", "step", "turn")

    def __init__(
        self, batch: RecordBatch, key: bytes | None, request: DeliveryRequested, headers: Headers, flights: set[Flight]
    ) -> None:
        self.batch = batch
        self.key = key
        self.request = request
        self.headers = headers
        self.flights = flights
        self.step = Step.SEND
        self.attempt = Attempt(1, Outcome.BEGUN, 0)
        self.gate: Flight | None = None
        self.round = 0
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Deliveries:
    """Runs deliveries on ``connector``. ``table`` is the role's ``attempts`` table; nobody else writes it."""

    def __init__(self, app: StreamApp, connector: Connector, table: DurableTable) -> None:
        self._app = app
        self._connector = connector
        self._table = table
        self._slots = asyncio.Semaphore(app.settings.in_flight_per_worker)
        self._last_turn: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._finishing: set[asyncio.Task[None]] = set()
        self._round = 0
        app.on_drain(self.drain)

    async def start(
        self, batch: RecordBatch, key: bytes | None, request: DeliveryRequested, headers: Headers, flights: set[Flight]
    ) -> asyncio.Task[None] | None:
        """Begin one delivery and return its task, or ``None`` if the worker is giving its partitions up.

        The attempt is on record (or on its way there: the task waits for it) before this returns.
        """
        current = self._round
        await self._slots.acquire()
        if current != self._round:
            self._slots.release()
            return None
        delivery = _Delivery(batch, key, request, headers, flights)
        delivery.round = current
        known = attempts.load(self._table.get_bytes(batch.partition, request.message_id.encode()))
        delivery.step = next_step(known, repeatable=self._connector.repeatable)
        if known is not None:
            delivery.attempt = known
        if delivery.step is Step.SEND:
            number = 1 if known is None else known.number + 1
            delivery.gate = self._record(delivery, Attempt(number, Outcome.BEGUN, now_ms()))
        previous = self._last_turn.get(request.conversation_id)
        self._last_turn[request.conversation_id] = delivery.turn
        task = asyncio.get_running_loop().create_task(self._run(delivery, previous))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def finish(self, batch: RecordBatch, tasks: list[asyncio.Task[None]], flights: set[Flight]) -> None:
        """Complete ``batch`` when its ``tasks`` are through and all they wrote is durable."""
        task = asyncio.get_running_loop().create_task(self._finish(batch, tasks, flights, self._round))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def drain(self) -> None:
        """Let the sends that have begun come to their outcome; take back those that have not."""
        self._round += 1
        self._last_turn.clear()
        for task in self._tasks - self._sending:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._finishing:
            await asyncio.wait(self._finishing)

    async def _finish(
        self, batch: RecordBatch, tasks: list[asyncio.Task[None]], flights: set[Flight], current: int
    ) -> None:
        try:
            if tasks:
                await asyncio.wait(tasks)
            for flight in flights:
                await flight.future
        except Exception as error:  # noqa: BLE001  not durable: the worker must not go on
            self._app.die(f"deliver_{self._connector.channel}", error)
        if current == self._round:
            self._app.consumer.complete(batch)
            self._app.metrics.completed(f"deliver_{self._connector.channel}", batch)
            self._app.metrics.in_flight(len(self._tasks))

    async def _run(self, delivery: _Delivery, previous: asyncio.Future[None] | None) -> None:
        conversation_id = delivery.request.conversation_id
        try:
            if previous is not None and not previous.done():
                await previous
            sent = await self._to_outcome(delivery)
            delivery.turn.set_result(None)
            if self._last_turn.get(conversation_id) is delivery.turn:
                del self._last_turn[conversation_id]
            if sent is not None and delivery.round == self._round:
                await self._follow(delivery, sent)
        except asyncio.CancelledError:
            pass  # the partitions go: whoever gets them continues from the attempt on record
        except Exception as error:  # noqa: BLE001
            self._app.die(f"deliver_{self._connector.channel}", error)
        finally:
            if not delivery.turn.done():
                delivery.turn.cancel()
            self._slots.release()

    async def _to_outcome(self, delivery: _Delivery) -> Sent | None:
        """Return the channel's acceptance, new or on record; ``None`` if there is none."""
        known = delivery.attempt
        match delivery.step:
            case Step.FOLLOW:
                self._report(delivery, Status.SENT, known.at_ms, provider_id=known.provider_id)
                return Sent(known.provider_id or "", known.at_ms)
            case Step.REPORT_FAILURE:
                self._report_failure(delivery)
                return None
            case Step.HOLD:
                self._hold(delivery)
                return None
            case _:
                return await self._send(delivery)

    async def _send(self, delivery: _Delivery) -> Sent | None:
        task = asyncio.current_task()
        assert task is not None
        while True:
            number = delivery.attempt.number
            try:
                assert delivery.gate is not None
                await asyncio.shield(delivery.gate.future)
            except asyncio.CancelledError:
                self._take_back(delivery)
                raise
            self._sending.add(task)
            try:
                sent = await self._connector.send(delivery.request, number)
            except DeliveryFailed as error:
                self._record(delivery, Attempt(number, Outcome.FAILED, now_ms(), None, error.reason, str(error)))
                self._report_failure(delivery)
                return None
            except Unavailable as error:
                if number >= MAX_ATTEMPTS:
                    self._record(delivery, Attempt(number, Outcome.FAILED, now_ms(), None, error.code, str(error)))
                    self._report_failure(delivery)
                    return None
            else:
                self._record(delivery, Attempt(number, Outcome.SENT, sent.at_ms, sent.provider_id))
                self._report(delivery, Status.SENT, sent.at_ms, provider_id=sent.provider_id)
                return sent
            finally:
                self._sending.discard(task)
            self._take_back(delivery)
            if delivery.round != self._round:
                raise asyncio.CancelledError
            await asyncio.sleep(backoff_seconds(number))
            delivery.gate = self._record(delivery, Attempt(number + 1, Outcome.BEGUN, now_ms()))

    async def _follow(self, delivery: _Delivery, sent: Sent) -> None:
        async for receipt in self._connector.receipts(delivery.request, sent):
            self._report(delivery, receipt.status, receipt.at_ms, provider_id=sent.provider_id)

    def _record(self, delivery: _Delivery, attempt: Attempt) -> Flight:
        delivery.attempt = attempt
        flight = self._table.put(delivery.batch.partition, delivery.request.message_id.encode(), attempts.dump(attempt))
        delivery.flights.add(flight)
        return flight

    def _take_back(self, delivery: _Delivery) -> None:
        """The attempt that is on record as begun was not made: there is nothing unknown about it."""
        delivery.flights.add(self._table.put(delivery.batch.partition, delivery.request.message_id.encode(), None))

    def _report(self, delivery: _Delivery, status: Status, at_ms: int, *, provider_id: str | None) -> None:
        fact = fact_of(delivery.request, self._connector.channel, status, at_ms, delivery.attempt.number, provider_id)
        self._put(delivery, self._app.names.status_updates, encode(fact))
        if status is Status.SENT:
            self._app.metrics.sent(self._connector.channel, "success")

    def _report_failure(self, delivery: _Delivery) -> None:
        failed = delivery.attempt
        fact = fact_of(
            delivery.request, self._connector.channel, Status.FAILED, failed.at_ms, failed.number, None,
            failed.failure_code, failed.failure_detail,
        )  # fmt: skip
        self._put(delivery, self._app.names.status_updates, encode(fact))
        self._app.metrics.sent(self._connector.channel, "failure")

    def _hold(self, delivery: _Delivery) -> None:
        """Nobody knows whether the channel has it, and asking again may deliver it twice: leave it to a person."""
        batch, request = delivery.batch, delivery.request
        detail = f"attempt {delivery.attempt.number} of {request.message_id} was begun and its outcome is not known"
        log.warning("held back: %s", detail)
        letter = DeadLetter(
            batch.tp.topic, batch.partition, batch.start, "unknown-outcome", detail, delivery.key, encode(request),
            now_ms(), delivery.attempt.number,
        )  # fmt: skip
        self._put(delivery, self._app.names.dead_letters, encode(letter))

    def _put(self, delivery: _Delivery, topic: str, value: bytes) -> None:
        flight = self._app.outbox.put(topic, delivery.batch.partition, delivery.key, value, delivery.headers)
        delivery.flights.add(flight)
