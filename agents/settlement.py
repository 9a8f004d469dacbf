"""Puts outcomes of deliveries on record with their facts; then the rows of the queue go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from agents.delivery_facts import DeliveryFacts
from agents.durable import when_durable
from agents.promised_receipts import PromisedReceipts
from app.clock import now_ms
from app.tracing import traceparent_in
from domain.attempts import Attempt, Outcome
from domain.delivery_policy import Failure
from domain.outcomes import Sent, shortened
from domain.records import ReceiptReported

if TYPE_CHECKING:
    from agents.account_lane import AccountLane
    from agents.delivery_queue import DeliveryQueue
    from agents.lost_receipts import LostReceipts
    from agents.receipts import Receipts
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch
    from domain.attempts import QueuedDelivery
    from domain.records import DeliveryRequested


class Settlement:
    """``receipts`` is set by the dispatcher, which receives evidence from it. ``lost``: asks for receipts that are
    missing; ``None``: nothing does."""

    receipts: Receipts
    lost: LostReceipts | None = None

    def __init__(self, app: StreamApp, channel: str, queue: DeliveryQueue) -> None:
        self._app = app
        self._channel = channel
        self._queue = queue
        self.facts = DeliveryFacts(app, channel)
        self.promised = PromisedReceipts(app, channel)
        self._finishing: set[tuple[int, bytes]] = set()
        self._generation = 0

    def is_under_way(self, partition: int, key: bytes) -> bool:
        """Return whether a row's outcome is on record, and its facts or the row's removal are not durable yet."""
        return (partition, key) in self._finishing

    def clear(self) -> None:
        """Forget the settlements under way: the partitions are going away, and their next owner finds the rows."""
        self._generation += 1
        self._finishing.clear()
        self.promised.clear()
        if self.lost is not None:
            self.lost.clear()

    def attempt(self, row: QueuedDelivery, request: DeliveryRequested, account: str, result: Sent | Failure) -> Attempt:
        """Return the outcome as it goes on record."""
        now = at_ms = now_ms()
        if isinstance(result, Sent):
            at_ms = self.facts.plausible(f"SENT of {row.name}", result.at_ms, request.accepted_at_ms)
        return Attempt(
            row.attempt,
            Outcome.SENT if isinstance(result, Sent) else Outcome.FAILED,
            at_ms,
            result.provider_id if isinstance(result, Sent) else None,
            None if isinstance(result, Sent) else shortened(result.code),
            None if isinstance(result, Sent) else shortened(result.detail),
            now,
            request.accepted_at_ms,
            request.position,
            request.recipient_count,
            account,
            result.to if isinstance(result, Sent) else "",
            result.part_ids if isinstance(result, Sent) else (),
            traceparent_in(row.headers) if self._app.tracing is not None else "",
        )

    def settle(
        self,
        lane: AccountLane,
        partition: int,
        key: bytes,
        row: QueuedDelivery,
        request: DeliveryRequested,
        attempt: Attempt,
        letter: bytes | None = None,
    ) -> list[PendingBatch]:
        """Put the outcome on record; return the writes. ``letter``: the request, if an operator has to look at it."""
        writes = [self._queue.record_outcome(partition, row.name, attempt)]
        if letter is not None:
            writes.append(self.facts.letter(partition, request.conversation_id, row, letter, attempt))
        is_sent = attempt.outcome == Outcome.SENT
        after_ms = attempt.recorded_at_ms - request.accepted_at_ms if is_sent else None
        self._app.metrics.sent(self._channel, "success" if is_sent else "failure", after_ms=after_ms)
        return self._report(lane, partition, key, row, request, attempt, writes)

    def again(
        self, lane: AccountLane, partition: int, key: bytes, row: QueuedDelivery, request: DeliveryRequested, a: Attempt
    ) -> None:
        """Report an outcome that an earlier owner of the partition put on record, and let the row go.

        The outcome is written again: after a crash it may be in the local store alone, ahead of its changelog.
        """
        if (partition, key) not in self._finishing:
            self._report(lane, partition, key, row, request, a, [self._queue.record_outcome(partition, row.name, a)])

    def _report(
        self,
        lane: AccountLane,
        partition: int,
        key: bytes,
        row: QueuedDelivery,
        request: DeliveryRequested,
        attempt: Attempt,
        writes: list[PendingBatch],
    ) -> list[PendingBatch]:
        conversation_id = request.conversation_id
        if attempt.provider_id and lane.connector is not None and lane.connector.capabilities.reports_sends:
            address = request.recipient_id
            writes.append(self.facts.sent_report(address, conversation_id, row.name, attempt, attempt.provider_id))
        writes.append(self.facts.outcome(partition, conversation_id, row.name, attempt, row.headers))
        for report in self.receipts.parked(partition, row.name):
            writes.append(self.facts.receipt(partition, conversation_id, row.name, attempt, report))
        if self.lost is not None and attempt.outcome == Outcome.SENT:
            self.lost.taken(partition, conversation_id, row.name, attempt)
            for report in self.receipts.parked(partition, row.name):
                self.lost.came(partition, row.name, report.status)
        self._finishing.add((partition, key))
        promised = _promised(lane, request, row.name, attempt)
        when_durable(
            self._app,
            writes,
            partial(self._reported, partition, key, row.name, conversation_id, promised, self._generation),
        )
        return writes

    def _reported(
        self,
        partition: int,
        key: bytes,
        name: str,
        conversation_id: str,
        promised: Sequence[ReceiptReported],
        generation: int,
    ) -> None:
        if generation != self._generation:
            return
        self.receipts.unpark(partition, name)
        done = partial(self._remove, partition, key, generation)
        if promised:
            self.promised.follow(partition, conversation_id, promised, done)
        else:
            done()

    def _remove(self, partition: int, key: bytes, generation: int) -> None:
        if generation == self._generation:
            write = self._queue.remove(partition, key)
            when_durable(self._app, [write], partial(self._removed, partition, key, generation))

    def _removed(self, partition: int, key: bytes, generation: int) -> None:
        if generation == self._generation:
            self._finishing.discard((partition, key))
            self._queue.removed(partition, key)


def _promised(lane: AccountLane, request: DeliveryRequested, name: str, attempt: Attempt) -> list[ReceiptReported]:
    """Return the receipts that the connector, simulated in this process, will give."""
    if lane.connector is None or attempt.outcome != Outcome.SENT or attempt.provider_id is None:
        return []
    sent = Sent(attempt.provider_id, attempt.at_ms)
    return [
        ReceiptReported(lane.account.name, attempt.provider_id, name, str(receipt.status), receipt.at_ms)
        for receipt in lane.connector.promised_receipts(request, sent)
    ]
