"""The rows of a role's queue and of its outcomes: read, written, found."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from tables import attempts as attempt_rows
from tables import queue as rows

if TYPE_CHECKING:
    from agents.chains import Backlog, Head
    from app.faust.durable_table import DurableTable
    from app.kafka.pending_batches import PendingBatch
    from domain.attempts import Attempt, QueuedDelivery

_READ_AT_ONCE = 200
_COUNTED_AT_ONCE = 2_000
_REMEMBERED = 10_000


class QueueRows:
    """``queue`` and ``attempts``: the role's tables."""

    def __init__(self, queue: DurableTable, attempts: DurableTable) -> None:
        self._table = queue
        self._attempts = attempts
        self.backlogs: dict[tuple[int, str], Backlog] = {}
        self._outcomes: OrderedDict[tuple[int, str], Attempt] = OrderedDict()  # put on record by this worker, the last
        self._unwritten: OrderedDict[tuple[int, str], PendingBatch] = OrderedDict()  # those that were not durable

    def outcome_of(self, partition: int, name: str) -> Attempt | None:
        """Return the outcome on record, or ``None``."""
        attempt = self.on_record(partition, name)
        return attempt if attempt is not None and attempt.is_final else None

    def on_record(self, partition: int, name: str) -> Attempt | None:
        """Return the outcome on record; or the attempt that a release without a queue began, of unknown outcome."""
        known = self._outcomes.get((partition, name))
        return known or attempt_rows.load(self._attempts.get_bytes(partition, name.encode()))

    def outcome_write(self, partition: int, name: str) -> PendingBatch | None:
        """Return the write of an outcome that this worker put on record, ``None`` if it is durable or forgotten."""
        self._forget_written()
        write = self._unwritten.get((partition, name))
        return None if write is None or write.future.done() else write

    def _forget_written(self) -> None:
        """A write holds all records of its batch: it goes once it is durable."""
        while self._unwritten and next(iter(self._unwritten.values())).future.done():
            self._unwritten.popitem(last=False)

    def record_outcome(self, partition: int, name: str, attempt: Attempt) -> PendingBatch:
        """Put the outcome on record. Its receipts come soon, so it is remembered."""
        self._outcomes[partition, name] = attempt
        if len(self._outcomes) > _REMEMBERED:
            self._outcomes.popitem(last=False)
        write = self._unwritten[partition, name] = self._attempts.put(
            partition, name.encode(), attempt_rows.dump(attempt)
        )
        self._forget_written()
        return write

    def forget_outcome(self, partition: int, name: str) -> PendingBatch:
        """Take the outcome off the record: an operator sends the message again."""
        self._outcomes.pop((partition, name), None)
        return self._attempts.put(partition, name.encode(), None)

    def load(self, head: Head) -> bytes:
        """Return the request of the head as it was on the topic."""
        if head.request is not None:
            return head.request
        value = self._table.get_bytes(head.partition, head.key)
        assert value is not None, f"the row of {head.row.name} is gone"
        return rows.load(value)[1]

    def conversation_of(self, head: Head) -> str:
        """Return the conversation of the head."""
        return rows.parts_of(head.chain.prefix)[0]

    def account_of(self, key: bytes) -> str:
        """Return the account of a row."""
        return rows.account_of(key)

    def find(
        self, partition: int, conversation_id: str, name: str
    ) -> tuple[bytes, QueuedDelivery, bytes, Head | None] | None:
        """Return the key, the row and the request of a delivery in the queue, and its head if it is one in memory."""
        for account in [account for number, account in self.backlogs if number == partition]:
            prefix = key = rows.conversation_prefix(account, conversation_id)
            while found := self._table.rows_after(partition, key, _READ_AT_ONCE):
                for key, value in found:
                    if not key.startswith(prefix):
                        break
                    row, request = rows.load(value)
                    if row.name == name:
                        chain = self.backlogs[partition, account].chains.get(rows.chain_of(key))
                        return key, row, request, None if chain is None else chain.head_at(key)
                else:
                    continue
                break
        return None

    def update(self, head: Head, row: QueuedDelivery, request: bytes) -> PendingBatch:
        """Write the head's new state."""
        head.row = row
        head.write = self._table.put(head.partition, head.key, rows.dump(row, request))
        return head.write

    def remove(self, partition: int, key: bytes) -> PendingBatch:
        """Delete the row of a delivery whose outcome is durable. It can be read until that is durable, too."""
        return self._table.remove(partition, key)

    def removed(self, partition: int, key: bytes) -> None:
        """Count a row that is gone."""
        backlog = self.backlogs.get((partition, rows.account_of(key)))
        if backlog is not None and (backlog.counted_to is None or key <= backlog.counted_to):
            backlog.size -= 1

    async def count(self, backlog: Backlog, is_current: Callable[[], bool]) -> None:
        """Count the rows of ``backlog`` that were there before, a few at a time."""
        prefix = rows.account_prefix(backlog.account)
        while is_current() and backlog.counted_to is not None:
            found = self._table.rows_after(backlog.partition, backlog.counted_to, _COUNTED_AT_ONCE)
            mine = [key for key, _ in found if key.startswith(prefix)]
            backlog.size += len(mine)
            backlog.counted_to = mine[-1] if len(mine) == _COUNTED_AT_ONCE else None
            await asyncio.sleep(0.01)
