"""Deliveries with an unknown outcome, and the receipts that are the evidence of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from domain.delivery_policy import Decision, Failure
from domain.outcomes import Sent
from domain.status import Status

if TYPE_CHECKING:
    from agents.chains import Head
    from agents.delivery_queue import DeliveryQueue
    from agents.scheduler import Scheduler
    from agents.settlement import Settlement
    from app.kafka.pending_batches import PendingBatch
    from domain.records import ReceiptReported


class Evidence:
    """The heads of this worker whose outcome is unknown, by partition and name.

    ``is_in_hand``: whether a head is being called; ``apply`` writes a decision about it.
    """

    def __init__(
        self,
        queue: DeliveryQueue,
        scheduler: Scheduler,
        settlement: Settlement,
        is_in_hand: Callable[[Head], bool],
        apply: Callable[[Head, Decision], list[PendingBatch]],
    ) -> None:
        self._is_in_hand = is_in_hand
        self._apply = apply
        self._queue = queue
        self._scheduler = scheduler
        self._settlement = settlement
        self._awaited: dict[tuple[int, str], Head] = {}

    def clear(self) -> None:
        """Forget all: the partitions are going away."""
        self._awaited.clear()

    def forget(self, head: Head) -> None:
        """The head has its outcome, or is sent again."""
        self._awaited.pop((head.partition, head.row.name), None)

    def wait_for(self, head: Head) -> None:
        """Wait for a receipt until the head's ``not_before_ms``. A parked one settles it."""
        if parked := self._settlement.receipts.parked(head.partition, head.row.name):
            self.settle_by(head, parked[0])
            return
        self._awaited[head.partition, head.row.name] = head
        self._scheduler.wake_at(head, head.row.not_before_ms)

    def awaited(self, partition: int, name: str) -> Head | None:
        """Return the head, ``None`` if its outcome is not awaited, or if the channel is being asked."""
        head = self._awaited.get((partition, name))
        return None if head is None or self._is_in_hand(head) else head

    def settle(self, partition: int, report: ReceiptReported) -> list[PendingBatch] | None:
        """Take a receipt as evidence; return the writes, ``None`` if it is of no awaited outcome."""
        head = self.awaited(partition, report.token)
        if head is None:
            return None
        writes = self.settle_by(head, report)
        if report.status in (Status.DELIVERED, Status.READ):
            attempt = self._queue.outcome_of(partition, report.token)
            assert attempt is not None
            conversation_id = self._queue.conversation_of(head)
            writes.append(self._settlement.facts.receipt(partition, conversation_id, report.token, attempt, report))
        return writes

    def settle_by(self, head: Head, report: ReceiptReported) -> list[PendingBatch]:
        """Settle the head as the receipt says: the channel took the message, or it failed."""
        if report.status == Status.FAILED:
            code, detail = report.failure_code or "failed", report.failure_detail or "the channel reported a failure"
            return self._apply(head, Failure(code, detail))
        return self._apply(head, Sent(report.provider_id, report.at_ms))
