"""Writes the hops of deliveries to ``traces``: what the facts on ``status-updates`` do not show.

A message that a simulated channel takes at once leaves none: its SENT says it all, and a record costs as much as a
fact. Nothing waits for these records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import encode
from domain.outcomes import MOST_ANSWER, Exchange, NotNow, SendOutcome, Sent
from domain.traces import TraceRecorded

if TYPE_CHECKING:
    from agents.chains import Head
    from agents.delivery import Delivery
    from app.faust.stream_app import StreamApp
    from domain.records import DeliveryRequested

ATTEMPT, LOOK_UP, WAITING, REDRIVE = "attempt", "look-up", "waiting", "redrive"
QUEUED, PASSED_OVER = "queued", "passed-over"
_NO_EXCHANGE = Exchange()


class Traces:
    """The traces of one channel."""

    def __init__(self, app: StreamApp, channel: str) -> None:
        self._app = app
        self._channel = channel
        self._outbound = app.names.outbound(channel)

    def attempt(self, delivery: Delivery, outcome: SendOutcome, began_ms: int, seconds: float) -> None:
        """Record a call to the channel."""
        if not isinstance(outcome, Sent) or outcome.exchange is not None:
            self._call(ATTEMPT, delivery, outcome, began_ms, seconds)

    def look_up(self, delivery: Delivery, outcome: SendOutcome, began_ms: int, seconds: float) -> None:
        """Record a question about an unknown outcome."""
        self._call(LOOK_UP, delivery, outcome, began_ms, seconds)

    def waiting(self, head: Head, request: DeliveryRequested, reason: str, detail: str) -> None:
        """Record that the delivery waits until its ``not_before_ms``, and why."""
        now = now_ms()
        self._write(head, request, WAITING, now, max(0, head.row.not_before_ms - now), reason=reason, answer=detail)

    def waited(self, head: Head, request: DeliveryRequested, reason: str, seconds: float) -> None:
        """Record that the delivery was ready and waited for its account until now."""
        milliseconds = int(seconds * 1000)
        self._write(head, request, WAITING, now_ms() - milliseconds, milliseconds, reason=reason)

    def redriven(
        self, partition: int, offset: int, request: DeliveryRequested, account: str, command_id: str, fault: str
    ) -> None:
        """Record the result of an operator's command to send again. ``fault``: why nothing is sent, empty if it is."""
        trace = TraceRecorded(
            message_id=request.message_id,
            conversation_id=request.conversation_id,
            event=REDRIVE,
            at_ms=now_ms(),
            channel=self._channel,
            recipient_id=request.recipient_id,
            account=account,
            topic=self._app.names.commands(self._channel),
            partition=partition,
            offset=offset,
            outcome=PASSED_OVER if fault else QUEUED,
            reason=f"{command_id}: {fault}" if fault else command_id,
        )
        key = request.conversation_id.encode()
        self._app.batch_producer.enqueue(self._app.names.traces, partition, key, encode(trace))

    def _call(self, event: str, delivery: Delivery, outcome: SendOutcome, began_ms: int, seconds: float) -> None:
        exchange = outcome.exchange or _NO_EXCHANGE
        self._write(
            delivery.head,
            delivery.request,
            event,
            began_ms,
            int(seconds * 1000) if exchange.duration_ms < 0 else exchange.duration_ms,
            word_of(outcome),
            "" if isinstance(outcome, Sent) else outcome.detail,
            exchange.answer,
            exchange,
        )

    def _write(
        self,
        head: Head,
        request: DeliveryRequested,
        event: str,
        at_ms: int,
        duration_ms: int,
        outcome: str = "",
        reason: str = "",
        answer: str = "",
        exchange: Exchange = _NO_EXCHANGE,
    ) -> None:
        trace = TraceRecorded(
            message_id=request.message_id,
            conversation_id=request.conversation_id,
            event=event,
            at_ms=at_ms,
            channel=self._channel,
            recipient_id=request.recipient_id,
            account=head.chain.backlog.account,
            topic=self._outbound,
            partition=head.partition,
            offset=head.row.offset,
            attempt=head.row.attempt,
            duration_ms=duration_ms,
            outcome=outcome,
            reason=reason,
            provider_status=exchange.status,
            answer=answer[:MOST_ANSWER],
            connect_ms=exchange.connect_ms,
            first_byte_ms=exchange.first_byte_ms,
        )
        key = request.conversation_id.encode()
        self._app.batch_producer.enqueue(self._app.names.traces, head.partition, key, encode(trace))


def word_of(outcome: SendOutcome) -> str:
    """Return the word for an outcome: sent, refused, not-now or unknown."""
    return "not-now" if isinstance(outcome, NotNow) else type(outcome).__name__.lower()
