"""Defects to put into the engine, one at a time: a simulation that does not find them is worth nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agents.account_lane import AccountLane
from agents.calls import Calls
from agents.chains import Head
from agents.delivery_queue import DeliveryQueue
from agents.delivery_steps import DeliverySteps
from agents.queue_rows import QueueRows
from agents.receipts import Receipts
from agents.settlement import Settlement
from app.kafka.pending_batches import PendingBatch, Written
from domain.attempts import Attempt, QueuedDelivery, Stage
from domain.records import DeliveryRequested
from support.days.world import SimulatedWorld
from tables import queue as queue_rows


def _acknowledged() -> PendingBatch:
    write = PendingBatch(asyncio.get_running_loop())
    write.future.set_result(Written(0, -1))
    return write


def begun_after_the_call() -> None:
    """The channel is called before BEGUN is durable."""
    update = DeliveryQueue.update

    def not_awaited(self: DeliveryQueue, head: Head, row: QueuedDelivery, value: bytes) -> PendingBatch:
        write = update(self, head, row, value)
        return _acknowledged() if row.stage == Stage.BEGUN else write

    DeliveryQueue.update = not_awaited  # type: ignore[method-assign, assignment]


def committed_before_durable() -> None:
    """A batch is committed while its rows are on their way."""

    async def at_once(self: SimulatedWorld, writes: Sequence[PendingBatch]) -> None:
        """Wait for nothing."""

    SimulatedWorld._durable = at_once  # type: ignore[method-assign]


def unknown_is_sent_again() -> None:
    """An unknown outcome is another attempt."""
    AccountLane.may_repeat = property(lambda lane: True)  # type: ignore[assignment, method-assign]


def begun_is_sent_again() -> None:
    """A new owner takes BEGUN for WAITING."""
    found = DeliverySteps.found

    def forgetful(self: DeliverySteps, head: Head) -> None:
        if head.row.stage == Stage.BEGUN:
            head.row = replace(head.row, stage=Stage.WAITING)
        found(self, head)

    DeliverySteps.found = forgetful  # type: ignore[method-assign]


def row_goes_before_its_outcome() -> None:
    """The row goes while outcome and fact are on their way."""
    report = Settlement._report

    def hasty(
        self: Settlement,
        lane: AccountLane,
        partition: int,
        key: bytes,
        row: QueuedDelivery,
        request: DeliveryRequested,
        attempt: Attempt,
        writes: list[PendingBatch],
    ) -> list[PendingBatch]:
        reported = report(self, lane, partition, key, row, request, attempt, writes)
        self._remove(partition, key, self._generation)
        return reported

    Settlement._report = hasty  # type: ignore[method-assign]


def early_receipts_are_dropped() -> None:
    """A receipt before its outcome is forgotten."""
    Receipts._park = lambda self, partition, key, report: _acknowledged()  # type: ignore[method-assign]


def each_message_is_a_chain() -> None:
    """Messages of a conversation do not wait for each other."""
    prefix = queue_rows.chain_prefix

    def of_its_own(account: str, conversation_id: str, recipient_id: str) -> bytes:
        of_its_own.count += 1  # type: ignore[attr-defined]
        return prefix(account, f"{conversation_id}-{of_its_own.count}", recipient_id)  # type: ignore[attr-defined]

    of_its_own.count = 0  # type: ignore[attr-defined]
    queue_rows.chain_prefix = of_its_own  # type: ignore[assignment]


def outcomes_are_forgotten() -> None:
    """A request that comes again is sent again, whatever is on record."""
    DeliveryQueue.on_record = lambda self, partition, name: None  # type: ignore[method-assign]


def parked_receipts_go_before_their_facts() -> None:
    """A parked receipt is deleted while its fact is on its way."""
    report = Settlement._report

    def hasty(
        self: Settlement,
        lane: AccountLane,
        partition: int,
        key: bytes,
        row: QueuedDelivery,
        request: DeliveryRequested,
        attempt: Attempt,
        writes: list[PendingBatch],
    ) -> list[PendingBatch]:
        reported = report(self, lane, partition, key, row, request, attempt, writes)
        self.receipts.unpark(partition, row.name)
        return reported

    Settlement._report = hasty  # type: ignore[method-assign]


def a_row_goes_from_its_store_at_once() -> None:
    """A row is deleted while that is on its way to the changelog."""
    QueueRows.remove = lambda self, partition, key: self._table.put(partition, key, None)  # type: ignore[method-assign]


def an_outcome_stays_in_its_store() -> None:
    """An outcome that the next owner finds in its own store is reported, and not written again."""

    def at_rest(self: QueueRows, partition: int, name: str, attempt: Attempt) -> PendingBatch:
        return record(self, partition, name, attempt) if self.on_record(partition, name) is None else _acknowledged()

    record = QueueRows.record_outcome
    QueueRows.record_outcome = at_rest  # type: ignore[method-assign]


def a_stop_takes_back_what_was_called() -> None:
    """A graceful stop does not wait for the calls to the channel, and lets their rows wait again."""
    drain = Calls.drain

    async def impatient(self: Calls) -> None:
        for delivery in self._in_hand.values():
            delivery.is_called = False
        await drain(self)

    Calls.drain = impatient  # type: ignore[method-assign]


DEFECTS: Mapping[str, Callable[[], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        begun_after_the_call,
        committed_before_durable,
        unknown_is_sent_again,
        begun_is_sent_again,
        row_goes_before_its_outcome,
        early_receipts_are_dropped,
        each_message_is_a_chain,
        outcomes_are_forgotten,
        parked_receipts_go_before_their_facts,
        a_row_goes_from_its_store_at_once,
        an_outcome_stays_in_its_store,
        a_stop_takes_back_what_was_called,
    )
}
