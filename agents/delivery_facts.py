"""Writes the facts of deliveries to ``status-updates``, and dead letters for operators."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.tracing import TRACEPARENT
from domain.attempts import Attempt, Outcome
from domain.fact_times import not_before_ms, plausible_ms
from domain.inbound import SentReported
from domain.records import DeadLetter, ReceiptReported, StatusChanged
from domain.routing import status_change
from domain.status import Status

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import Headers, PendingBatch
    from domain.attempts import QueuedDelivery
    from domain.records import DeliveryRequested

log = logging.getLogger(__name__)


class DeliveryFacts:
    """The facts of one channel."""

    def __init__(self, app: StreamApp, channel: str) -> None:
        self._app = app
        self._channel = channel

    def outcome(
        self, partition: int, conversation_id: str, name: str, attempt: Attempt, headers: Headers
    ) -> PendingBatch:
        """Write the fact of an outcome: SENT or FAILED."""
        status = Status.SENT if attempt.outcome == Outcome.SENT else Status.FAILED
        fact = self._fact(conversation_id, name, attempt, status, attempt.at_ms)
        return self._put(partition, fact, headers)

    def receipt(
        self, partition: int, conversation_id: str, name: str, attempt: Attempt, report: ReceiptReported
    ) -> PendingBatch:
        """Write the fact of a receipt: it belongs to the attempt on record."""
        status = Status(report.status)
        at_ms = not_before_ms(report.at_ms, attempt.at_ms)
        at_ms = self.plausible(f"{status} of {name}", at_ms, attempt.accepted_at_ms)
        fact = self._fact(
            conversation_id,
            name,
            attempt,
            status,
            at_ms,
            report.provider_id,
            report.failure_code,
            report.failure_detail,
            report.pricing,
        )
        headers = ((TRACEPARENT, attempt.traceparent.encode()),) if attempt.traceparent else ()
        return self._put(partition, fact, headers)

    def overtaken(self, partition: int, row: QueuedDelivery, request: DeliveryRequested, account: str) -> None:
        """Write the fact that later messages go before this one. No state changes, so nothing waits for it."""
        fact = status_change(request, self._channel, Status.ACCEPTED, request.accepted_at_ms, row.attempt)
        self._put(partition, replace(fact, account=account, overtaken_at_ms=now_ms()), row.headers)

    def letter(
        self, partition: int, conversation_id: str, row: QueuedDelivery, request: bytes, attempt: Attempt
    ) -> PendingBatch:
        """Write a dead letter about a failed delivery: an operator can send its request again."""
        topic, code = self._app.names.outbound(self._channel), attempt.failure_code or ""
        detail = f"{row.name}, attempt {attempt.number}: {attempt.failure_detail}"
        ids = {"message_id": row.name.partition(" ")[0], "conversation_id": conversation_id, "account": attempt.account}
        log.warning("dead letter: %s[%d]@%d: %s: %s", topic, partition, row.offset, code, detail, extra=ids)
        key = conversation_id.encode()
        letter = DeadLetter(topic, partition, row.offset, code, detail, key, request, now_ms(), attempt.number)
        self._app.metrics.dead_letter(topic, code)
        return self._app.batch_producer.enqueue(self._app.names.dead_letters, partition, key, encode(letter))

    def sent_report(
        self, address: str, conversation_id: str, name: str, attempt: Attempt, provider_id: str
    ) -> PendingBatch:
        """Report a send to the address book of the account, on the account's partition."""
        report = SentReported(
            attempt.account,
            provider_id,
            conversation_id,
            name,
            address,
            attempt.at_ms,
            attempt.to,
            attempt.part_ids,
        )
        key, topic = attempt.account.encode(), self._app.names.inbound(self._channel)
        partition = partition_for(key, self._app.settings.partitions)
        return self._app.batch_producer.enqueue(topic, partition, key, encode(report))

    def plausible(self, what: str, at_ms: int, accepted_at_ms: int) -> int:
        """Return the channel's time, or the corrected one if it is impossible."""
        possible_ms = plausible_ms(at_ms, accepted_at_ms, now_ms())
        if possible_ms != at_ms:
            self._app.impossible_times.add(what, at_ms, possible_ms)
        return possible_ms

    def _fact(
        self,
        conversation_id: str,
        name: str,
        attempt: Attempt,
        status: Status,
        at_ms: int,
        provider_id: str | None = None,
        failure_code: str | None = None,
        failure_detail: str | None = None,
        pricing: str = "",
    ) -> StatusChanged:
        message_id, _, address = name.partition(" ")
        has_failed = status is Status.FAILED
        return StatusChanged(
            message_id,
            conversation_id,
            str(status),
            at_ms,
            attempt.accepted_at_ms,
            attempt.position,
            self._channel,
            attempt.number,
            None if has_failed else attempt.provider_id or provider_id,  # a later part's receipt names its own
            (failure_code or attempt.failure_code) if has_failed else None,
            (failure_detail or attempt.failure_detail) if has_failed else None,
            address,
            attempt.recipient_count,
            attempt.account,
            pricing,
        )

    def _put(self, partition: int, fact: StatusChanged, headers: Headers) -> PendingBatch:
        key = fact.conversation_id.encode()
        return self._app.batch_producer.enqueue(self._app.names.status_updates, partition, key, encode(fact), headers)
