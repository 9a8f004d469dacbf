"""The acts of an operator on a delivery: send a failed one again, cancel one that waits, release an unknown outcome."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import decode
from domain.attempts import Outcome, QueuedDelivery, Reason, Stage
from domain.delivery_policy import Failure, Wait
from domain.records import DeliveryRequested, delivery_key
from tables import queue as rows

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.chains import Head
    from agents.dispatcher import Dispatcher
    from app.kafka.pending_batches import PendingBatch
    from domain.attempts import Attempt

log = logging.getLogger(__name__)

CANCELLED = "cancelled"


class Interventions:
    """Each one returns its writes: nothing if the delivery is not in the state that it is for."""

    def __init__(self, dispatcher: Dispatcher, choice: AccountChoice) -> None:
        self._dispatcher = dispatcher
        self._queue = dispatcher.queue
        self._choice = choice

    def redrive(
        self, partition: int, offset: int, request: DeliveryRequested, value: bytes, command_id: str
    ) -> list[PendingBatch]:
        """Send a failed message again, by an operator's command; return the writes.

        Nothing happens if it was sent, or waits already, or if its outcome is not on record any more: then nothing
        tells that it was not sent. Nor while its failure is being reported: its row goes at the end of that, and a new
        one in its place would go with it. The trace of the message tells the operator which it is.
        """
        name = delivery_key(request)
        known = self._queue.outcome_of(partition, name)
        if fault := self._fault(partition, request, known):
            log.warning("redrive of %s: %s", name, fault)
            self._dispatcher.traces.redriven(partition, offset, request, request.account, command_id, fault)
            return []
        assert known is not None
        now = now_ms()
        waiting = QueuedDelivery.of(request, offset, now, now + self._dispatcher.expires_ms)
        row = replace(waiting, attempt=known.number)
        account, forgotten = known.account or self._choice.default, self._queue.forget_outcome(partition, name)
        writes = [self._queue.add(partition, account, request, value, row), forgotten]
        chain = rows.chain_prefix(account, request.conversation_id, request.recipient_id)
        self._queue.rouse(partition, account, chain)
        self._dispatcher.traces.redriven(partition, offset, request, account, command_id, "")
        return writes

    def _fault(self, partition: int, request: DeliveryRequested, known: Attempt | None) -> str:
        """Return why the message is not sent again, nothing if it can be."""
        if known is not None and known.outcome != Outcome.FAILED:
            return "it was sent"
        found = self._queue.find(partition, request.conversation_id, delivery_key(request))
        if known is None:
            return "it waits in the queue already" if found is not None else "no failure is on record any more"
        is_reported = found is None or not self._dispatcher.settlement.is_under_way(partition, found[0])
        return "" if is_reported else "its failure is being reported; try again"

    def cancel(self, partition: int, conversation_id: str, name: str, by: str) -> list[PendingBatch]:
        """Fail a delivery that waits. One that was begun goes on."""
        found = self._queue.find(partition, conversation_id, name)
        if found is None or found[1].stage != Stage.WAITING or _is_in_hand(self._dispatcher, found[3]):
            return []
        key, row, value, head = found
        detail = f"cancelled by {by}" if by else "cancelled"
        if head is not None:
            return self._dispatcher.steps.apply(head, Failure(CANCELLED, detail))
        request, lane = decode(value, DeliveryRequested), self._choice.lane(self._queue.account_of(key))
        attempt = self._dispatcher.settlement.attempt(row, request, lane.account.name, Failure(CANCELLED, detail))
        writes = self._dispatcher.settlement.settle(lane, partition, key, row, request, attempt)
        self._queue.rouse(partition, lane.account.name, rows.chain_of(key))
        return writes

    def release(self, partition: int, conversation_id: str, name: str, by: str) -> list[PendingBatch]:
        """Send a delivery with an unknown outcome again: an operator says that the channel does not have it."""
        head = self._dispatcher.evidence.awaited(partition, name)
        if head is None or self._queue.conversation_of(head) != conversation_id:
            return []
        log.warning("%s is sent again by the word of %s", name, by or "an operator")
        self._dispatcher.evidence.forget(head)
        row = replace(head.row, stage=Stage.WAITING, not_before_ms=0, reason=Reason.RETRY)
        return self._dispatcher.steps.apply(head, Wait(row, "released"))


def _is_in_hand(dispatcher: Dispatcher, head: Head | None) -> bool:
    return head is not None and dispatcher.calls.has(head)
