"""One message on its way to its channel, and the publisher of its facts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import encode
from domain.attempts import Attempt, Outcome, Step
from domain.records import DeadLetter, DeliveryRequested, delivery_key
from domain.routing import status_change
from domain.status import Status

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.batch_producer import Headers, PendingBatch

log = logging.getLogger(__name__)

UNKNOWN_OUTCOME_LETTER = "unknown-outcome"


class MessageGroup:
    """A message's position in the order of its conversation, with the number of its deliveries in hand (``open``).

    They run concurrently. ``done`` resolves when each has its outcome; then the conversation's next message may be
    sent.
    """

    __slots__ = ("before", "done", "message_id", "open")

    def __init__(self, message_id: str, before: asyncio.Future[None] | None) -> None:
        self.message_id = message_id
        self.before = before
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open = 0


class Delivery:
    """One message on its way to one address. ``name``: its key in the ``attempts`` table.

    ``begun``: an attempt is on record and the channel was not called yet. ``settled``: it has an outcome.
    """

    __slots__ = (
        "attempt",
        "batch",
        "begun",
        "gate",
        "generation",
        "group",
        "headers",
        "key",
        "name",
        "offset",
        "request",
        "settled",
        "step",
        "writes",
    )

    def __init__(
        self,
        batch: RecordBatch,
        offset: int,
        key: bytes | None,
        request: DeliveryRequested,
        headers: Headers,
        writes: set[PendingBatch],
    ) -> None:
        self.batch = batch
        self.offset = offset
        self.key = key
        self.request = request
        self.name = delivery_key(request)
        self.headers = headers
        self.writes = writes
        self.step: Step | None = None
        self.attempt = Attempt(0, Outcome.BEGUN, 0)
        self.begun = False
        self.gate: PendingBatch | None = None
        self.generation = 0
        self.settled = False
        self.group: MessageGroup


class StatusPublisher:
    """Publishes facts about deliveries on ``status-updates``, and unknown outcomes on ``dead-letters``."""

    def __init__(self, app: StreamApp, channel: str) -> None:
        self._app = app
        self._channel = channel

    def publish(self, delivery: Delivery, status: Status, at_ms: int, *, provider_id: str | None) -> None:
        fact = status_change(delivery.request, self._channel, status, at_ms, delivery.attempt.number, provider_id)
        self._put(delivery, self._app.names.status_updates, encode(fact))

    def publish_failure(self, delivery: Delivery) -> None:
        failed = delivery.attempt
        fact = status_change(
            delivery.request,
            self._channel,
            Status.FAILED,
            failed.at_ms,
            failed.number,
            None,
            failed.failure_code,
            failed.failure_detail,
        )
        self._put(delivery, self._app.names.status_updates, encode(fact))

    def set_aside(self, delivery: Delivery, detail: str) -> None:
        """Write a dead letter: a person has to find out whether the channel has the message. A second send may reach
        the recipient twice, so none is made."""
        topic = delivery.batch.tp.topic
        log.warning("%s[%d]@%d: %s", topic, delivery.batch.partition, delivery.offset, detail)
        letter = DeadLetter(
            topic,
            delivery.batch.partition,
            delivery.offset,
            UNKNOWN_OUTCOME_LETTER,
            detail,
            delivery.key,
            encode(delivery.request),
            now_ms(),
            delivery.attempt.number,
        )
        self._app.metrics.dead_letter(topic, UNKNOWN_OUTCOME_LETTER)
        self._put(delivery, self._app.names.dead_letters, encode(letter))

    def _put(self, delivery: Delivery, topic: str, value: bytes) -> None:
        write = self._app.batch_producer.enqueue(topic, delivery.batch.partition, delivery.key, value, delivery.headers)
        delivery.writes.add(write)
