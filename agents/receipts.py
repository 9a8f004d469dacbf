"""``receipts_<channel>``: receipts of the channel become facts about the attempts on record.

A channel echoes the token of a send: the ``delivery_key``. A receipt that comes before the outcome of its delivery is
parked in the table ``queue`` until the outcome is there. One that nobody claims becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from app.clock import now_ms
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode, encode
from app.tracing import traceparent_in
from domain.attempts import Attempt
from domain.errors import InvalidInput, MalformedRecord
from domain.outcomes import MOST_TEXT, shortened
from domain.records import DeadLetter, ReceiptReported
from domain.status import Status
from tables import queue as rows

if TYPE_CHECKING:
    from agents.delivery_facts import DeliveryFacts
    from app.faust.batches import RecordBatch
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

MOST_PARKED = 10_000  # in one worker
PARKED_SECONDS = 3_600.0
UNCLAIMED = "receipt-unclaimed"
_REPORTED = frozenset({Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED})


class Receipts:
    """Correlates receipts with attempts.

    ``outcome_of`` returns the outcome on record, ``outcome_write`` its write while that is not durable. ``settle``
    takes a receipt as the evidence of an unknown outcome and returns what it wrote, ``None`` if the delivery's outcome
    is not awaited. ``came`` is told each receipt.
    """

    def __init__(
        self,
        app: StreamApp,
        table: DurableTable,
        facts: DeliveryFacts,
        outcome_of: Callable[[int, str], Attempt | None],
        outcome_write: Callable[[int, str], PendingBatch | None],
        settle: Callable[[int, ReceiptReported], list[PendingBatch] | None],
    ) -> None:
        self._app = app
        self._table = table
        self._facts = facts
        self._outcome_of = outcome_of
        self._outcome_write = outcome_write
        self._settle = settle
        self._parked: dict[tuple[int, str], dict[str, tuple[ReceiptReported, float]]] = {}
        self._count = 0
        self.came: Callable[[int, str, str], None] = lambda partition, name, status: None

    def load(self, partitions: Iterable[int]) -> None:
        """Read the receipts parked by earlier owners of the partitions."""
        now = self._now()
        for partition in partitions:
            key = rows.RECEIPT
            while found := self._table.rows_after(partition, key, 100):
                for key, value in found:
                    if not key.startswith(rows.RECEIPT):
                        break
                    report = decode(value, ReceiptReported)
                    self._parked.setdefault((partition, report.token), {})[report.status] = report, now
                    self._count += 1
                else:
                    continue
                break

    def clear(self) -> None:
        """Forget the receipts in memory: the partitions are going away."""
        self._parked.clear()
        self._count = 0

    def take(self, batch: RecordBatch, record: Any, report: ReceiptReported) -> list[PendingBatch]:
        """Return the effects of a receipt. Raises ``MalformedRecord``."""
        if report.status not in _REPORTED:
            raise MalformedRecord(f"a channel reports no {shortened(report.status)!r}", "status")
        texts = report.provider_id, report.token, report.account
        if record.key is None or not report.token or any(len(text) > MOST_TEXT for text in texts):
            raise MalformedRecord("a receipt has a conversation as its key, a token, and texts of a usual length")
        partition, name = batch.partition, report.token
        report = _bounded(report)
        self.came(partition, name, report.status)
        attempt = self._outcome_of(partition, name)
        if attempt is not None:
            if self._app.tracing is not None and attempt.traceparent:
                self._trace(record, report, attempt.traceparent)
            fact = self._facts.receipt(partition, record.key.decode(), name, attempt, report)
            # a worker that dies before the outcome is durable leaves an unknown one, of which the receipt is evidence
            outcome = self._outcome_write(partition, name)
            return [fact] if outcome is None else [fact, outcome]
        if (writes := self._settle(partition, report)) is not None:
            return writes
        return [self._park(partition, record.key, report)]

    def _trace(self, record: Any, report: ReceiptReported, parent: str) -> None:
        """Span a receipt in the trace of its message, with a link to the trace in which it came."""
        assert self._app.tracing is not None
        about = {"chat4all.status": report.status, "chat4all.account": report.account}
        links = (traceparent_in(record.headers),)
        self._app.tracing.start(f"receipt {report.status}", "CONSUMER", parent, links=links, about=about).end()

    def parked(self, partition: int, name: str) -> list[ReceiptReported]:
        """Return the parked receipts of a delivery."""
        return [report for report, _ in self._parked.get((partition, name), {}).values()]

    def unpark(self, partition: int, name: str) -> None:
        """Delete the parked receipts of a delivery: their facts are durable."""
        for status in self._parked.pop((partition, name), {}):
            self._count -= 1
            self._table.put(partition, rows.receipt_row_key(name, status), None)

    def expire(self) -> None:
        """Turn receipts that were parked for too long into dead letters."""
        oldest = self._now() - PARKED_SECONDS
        for (partition, name), reports in tuple(self._parked.items()):
            if all(since < oldest for _, since in reports.values()):
                for report, _ in reports.values():
                    self._unclaimed(partition, None, report)
                self.unpark(partition, name)

    def _park(self, partition: int, key: bytes, report: ReceiptReported) -> PendingBatch:
        if self._count >= MOST_PARKED:
            return self._unclaimed(partition, key, report)
        known = self._parked.setdefault((partition, report.token), {})
        self._count += report.status not in known
        known[report.status] = report, self._now()
        return self._table.put(partition, rows.receipt_row_key(report.token, report.status), encode(report))

    def _unclaimed(self, partition: int, key: bytes | None, report: ReceiptReported) -> PendingBatch:
        topic = self._app.names.events(self._app.role)
        detail = f"{report.status} of {report.token}: no attempt to send it is on record"
        self._app.metrics.dead_letter(topic, UNCLAIMED)
        letter = DeadLetter(topic, partition, -1, UNCLAIMED, detail, key, encode(report), now_ms())
        return self._app.batch_producer.enqueue(self._app.names.dead_letters, partition, key, encode(letter))

    def _now(self) -> float:
        return now_ms() / 1000


def receive_batch(app: StreamApp, receipts: Receipts, batch: RecordBatch) -> list[PendingBatch]:
    """Correlate each receipt of ``batch``; return the writes."""
    writes: dict[PendingBatch, None] = {}
    for record in batch.records:
        try:
            for write in receipts.take(batch, record, decode(record.value, ReceiptReported)):
                writes[write] = None
        except (InvalidInput, UnicodeDecodeError) as error:
            fault = error if isinstance(error, InvalidInput) else MalformedRecord(str(error), "key")
            writes[dead_letter(app, batch, record, fault, now_ms())] = None
    return list(writes)


def _bounded(report: ReceiptReported) -> ReceiptReported:
    code, detail = report.failure_code, report.failure_detail
    if len(code or "") <= MOST_TEXT and len(detail or "") <= MOST_TEXT:
        return report
    return ReceiptReported(
        report.account,
        report.provider_id,
        report.token,
        report.status,
        report.at_ms,
        None if code is None else shortened(code),
        None if detail is None else shortened(detail),
        report.pricing,
    )
