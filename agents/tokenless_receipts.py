"""Receipts without our token: tied to their messages by the provider's ids, of sends that were reported.

A receipt that comes before its send was reported is parked in the table ``people`` for a bounded time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import decode, encode
from domain.inbound import InboundEvent
from tables import people as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.kafka.pending_batches import PendingBatch

PARKED_MS = 3_600_000
MOST_PARKED = 10_000  # in one worker
_ROWS_AT_ONCE = 500


class ParkedReceipts:
    """The receipts of messages that are not known yet, on the partitions of ``table``."""

    def __init__(self, table: DurableTable) -> None:
        self._table = table
        self._count = 0

    def begin(self, partitions: Iterable[int]) -> None:
        """Count the receipts parked by former owners."""
        self._count = sum(1 for partition in partitions for _ in self._rows(partition))

    def park(self, partition: int, event: InboundEvent) -> PendingBatch | None:
        """Park a receipt; ``None`` if there are too many."""
        key = rows.row_key(rows.RECEIPT, event.account, f"{event.target_id}\0{event.status}")
        if self._table.get_bytes(partition, key) is None:
            if self._count >= MOST_PARKED:
                return None
            self._count += 1
        return self._table.put(partition, key, rows.dump_aging(now_ms(), encode(event)))

    def claim(self, partition: int, account: str, provider_id: str) -> tuple[list[InboundEvent], list[PendingBatch]]:
        """Return the parked receipts of a message, and the writes that unpark them."""
        prefix = rows.row_key(rows.RECEIPT, account, f"{provider_id}\0")
        found = [row for row in self._table.rows_after(partition, prefix, 8) if row[0].startswith(prefix)]
        self._count -= len(found)
        writes = [self._table.put(partition, key, None) for key, _ in found]
        return [decode(rows.load_aging(value)[1], InboundEvent) for _, value in found], writes

    def expire(self, partitions: Iterable[int]) -> list[PendingBatch]:
        """Give up on receipts that were parked for too long; return the writes, one for each."""
        oldest_ms = now_ms() - PARKED_MS
        writes = []
        for partition in partitions:
            for key, value in list(self._rows(partition)):
                if rows.load_aging(value)[0] < oldest_ms:
                    writes.append(self._table.put(partition, key, None))
        self._count -= len(writes)
        return writes

    def _rows(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        key = rows.RECEIPT
        while found := self._table.rows_after(partition, key, _ROWS_AT_ONCE):
            for key, value in found:
                if not key.startswith(rows.RECEIPT):
                    return
                yield key, value
