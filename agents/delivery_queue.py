"""The queue of deliveries of a worker: rows on disk, and the heads of its chains in memory.

A *chain* is the deliveries of one conversation to one address, on one account. Its *head* is the oldest delivery
without an outcome. The others wait as rows of the table ``queue`` (``tables/queue.py``). Invariants:

1. A delivery's row is durable before its batch is completed, and it stays until its outcome is durable.
2. At most one delivery of a chain is in a channel's hands: the head.
3. A backlog (partition, account) has at most ``most_heads`` heads in memory. While chains of it are on disk only,
   ``cursor`` is not ``None``: each chain with a greater key will be found by the scan. For a chain with a smaller key
   ``missed`` says that another scan is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from agents.chains import Backlog, Chain, Head
from domain.attempts import Attempt, QueuedDelivery
from tables import attempts as attempt_rows
from tables import queue as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.kafka.batch_producer import PendingBatch
    from domain.records import DeliveryRequested

HEADS_PER_BACKLOG = 5_000
_SCANNED_AT_ONCE = 200  # chains between two turns of the event loop
_COUNTED_AT_ONCE = 2_000


class DeliveryQueue:
    """``on_head`` is called with each new head, ``on_settled`` with each row whose outcome is on record already.

    ``fail`` is called with an error of the work in the background.
    """

    def __init__(
        self,
        queue: DurableTable,
        attempts: DurableTable,
        on_head: Callable[[Head], None],
        on_settled: Callable[[int, bytes, QueuedDelivery, bytes, Attempt], None],
        fail: Callable[[BaseException], None],
        most_heads: int = HEADS_PER_BACKLOG,
    ) -> None:
        self._table = queue
        self._attempts = attempts
        self._on_head = on_head
        self._on_settled = on_settled
        self._fail = fail
        self._most_heads = most_heads
        self._generation = 0
        self._adopted: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.backlogs: dict[tuple[int, str], Backlog] = {}

    # Rows ----------------------------------------------------------------------------------------------------------

    def outcome_of(self, partition: int, name: str) -> Attempt | None:
        """Return the outcome on record, or ``None``."""
        attempt = self.on_record(partition, name)
        return attempt if attempt is not None and attempt.is_final else None

    def on_record(self, partition: int, name: str) -> Attempt | None:
        """Return the outcome on record; or the attempt that a release without a queue began, of unknown outcome."""
        return attempt_rows.load(self._attempts.get_bytes(partition, name.encode()))

    def record_outcome(self, partition: int, name: str, attempt: Attempt) -> PendingBatch:
        """Put the outcome on record."""
        return self._attempts.put(partition, name.encode(), attempt_rows.dump(attempt))

    def forget_outcome(self, partition: int, name: str) -> PendingBatch:
        """Take the outcome off the record: an operator sends the message again."""
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
            while found := self._table.rows_after(partition, key, _SCANNED_AT_ONCE):
                for key, value in found:
                    if not key.startswith(prefix):
                        break
                    row, request = rows.load(value)
                    if row.name == name:
                        chain = self.backlogs[partition, account].chains.get(rows.chain_of(key))
                        head = chain.head if chain is not None else None
                        return key, row, request, head if head is not None and head.key == key else None
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
        """Delete the row of a delivery whose outcome is durable."""
        backlog = self.backlogs.get((partition, rows.account_of(key)))
        if backlog is not None and (backlog.counted_to is None or key <= backlog.counted_to):
            backlog.size -= 1
        return self._table.put(partition, key, None)

    # Chains --------------------------------------------------------------------------------------------------------

    def add(
        self, partition: int, account: str, request: DeliveryRequested, value: bytes, row: QueuedDelivery
    ) -> PendingBatch:
        """Write a delivery's row, and return the write. ``on_head`` is called if it is the first of its chain.

        A head that starts at once is written once, as begun. A row that is there already stays as it is, and is written
        again: its first write may not be durable.
        """
        prefix = rows.chain_prefix(account, request.conversation_id, request.recipient_id)
        key = rows.delivery_row_key(prefix, request.position)
        backlog = self._backlog(partition, account)
        while (known := self._table.get_bytes(partition, key)) is not None:
            if rows.load(known)[0].name == row.name:
                return self._table.put(partition, key, known)
            # another message has the place: the log was made anew since. The next free place keeps both.
            key = rows.next_key(key)
        if backlog.counted_to is None or key <= backlog.counted_to:
            backlog.size += 1
        chain = backlog.chains.get(prefix)
        if chain is not None:
            chain.has_more = True
            chain.has_older = chain.has_older or (chain.head is not None and key < chain.head.key)
        elif partition in self._adopted and self._has_room(backlog, prefix):
            chain = backlog.chains[prefix] = Chain(backlog, prefix)
            head = chain.head = Head(chain, partition, key, row, request.recipient_id)
            head.request, head.decoded = value, request
            self._on_head(head)
            write = head.write or self.update(head, row, value)
            head.request = head.decoded = None  # what waits is on disk only
            return write
        return self._table.put(partition, key, rows.dump(row, value))

    def _has_room(self, backlog: Backlog, prefix: bytes) -> bool:
        """Return whether a new chain goes into memory. If not, the scan will find it."""
        if backlog.cursor is None and len(backlog.chains) < self._most_heads:
            return True
        if backlog.cursor is None:
            backlog.cursor = rows.account_prefix(backlog.account)
        elif prefix <= backlog.cursor:
            backlog.missed = True
        return False

    def settled(self, head: Head) -> Head | None:
        """Return the next head of the chain of ``head``, which has its outcome; ``None`` if the chain is at its end."""
        chain = head.chain
        key, chain.has_older = (chain.prefix if chain.has_older else head.key), False
        chain.head = following = self._head_after(chain, key) if chain.has_more else None
        if following is None:
            chain.backlog.chains.pop(chain.prefix, None)
            self._refill(chain.backlog)
        return following

    def _head_after(self, chain: Chain, key: bytes) -> Head | None:
        """Return the first row of the chain behind ``key`` that has no outcome."""
        partition = chain.backlog.partition
        end = rows.after_chain(chain.prefix)
        while found := self._table.rows_after(partition, key, 1):
            key, value = found[0]
            if not key.startswith(chain.prefix) or key >= end:
                return None
            row, request = rows.load(value)
            attempt = self.on_record(partition, row.name)
            if attempt is None or not attempt.is_final:
                row = row.begun() if attempt is not None and row.attempt == 0 else row
                return Head(chain, partition, key, row, rows.parts_of(chain.prefix)[1])
            self._on_settled(partition, key, row, request, attempt)
        return None

    # Assignment ----------------------------------------------------------------------------------------------------

    def adopt(self, partitions: list[int]) -> None:
        """Find the heads of all rows of ``partitions``, in the background.

        Each backlog on disk is known before the first delivery is added, so none overtakes an older one of its chain.
        """
        for partition in partitions:
            self._adopted.add(partition)
            key = rows.DELIVERY
            while (found := self._table.rows_after(partition, key, 1)) and found[0][0].startswith(rows.DELIVERY):
                account = rows.account_of(found[0][0])
                backlog = self._backlog(partition, account)
                backlog.cursor = backlog.counted_to = rows.account_prefix(account)
                backlog.size = 0
                self._refill(backlog)
                self._spawn(self._count(backlog, self._generation))
                key = rows.account_prefix(account)[:-1] + b"\x01"

    def drop(self) -> None:
        """Forget what is in memory: the partitions are going away."""
        self._generation += 1
        self._adopted.clear()
        self.backlogs.clear()
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _backlog(self, partition: int, account: str) -> Backlog:
        backlog = self.backlogs.get((partition, account))
        if backlog is None:
            backlog = self.backlogs[partition, account] = Backlog(partition, account)
        return backlog

    def _refill(self, backlog: Backlog) -> None:
        """Go on with the scan when half of the heads are gone."""
        if backlog.cursor is not None and not backlog.is_scanning and len(backlog.chains) <= self._most_heads // 2:
            backlog.is_scanning = True
            self._spawn(self._scan(backlog, self._generation))

    async def _scan(self, backlog: Backlog, generation: int) -> None:
        """Take heads into memory until there are ``most_heads``, or no other chains."""
        partition, prefix = backlog.partition, rows.account_prefix(backlog.account)
        seen = 0
        try:
            while len(backlog.chains) < self._most_heads:
                assert backlog.cursor is not None
                found = self._table.rows_after(partition, backlog.cursor, 1)
                if not found or not found[0][0].startswith(prefix):
                    if not backlog.missed:
                        backlog.cursor = None
                        return
                    backlog.cursor, backlog.missed = prefix, False
                    continue
                chain_prefix = rows.chain_of(found[0][0])
                backlog.cursor = rows.after_chain(chain_prefix)
                if chain_prefix not in backlog.chains:
                    self._take_up(backlog, chain_prefix)
                seen += 1
                if not seen % _SCANNED_AT_ONCE:
                    await asyncio.sleep(0)
                    if generation != self._generation:
                        return
        finally:
            backlog.is_scanning = False

    def _take_up(self, backlog: Backlog, prefix: bytes) -> None:
        chain = Chain(backlog, prefix)
        chain.has_more = True
        chain.head = self._head_after(chain, prefix)
        if chain.head is not None:
            backlog.chains[prefix] = chain
            self._on_head(chain.head)

    async def _count(self, backlog: Backlog, generation: int) -> None:
        prefix = rows.account_prefix(backlog.account)
        while generation == self._generation and backlog.counted_to is not None:
            found = self._table.rows_after(backlog.partition, backlog.counted_to, _COUNTED_AT_ONCE)
            mine = [key for key, _ in found if key.startswith(prefix)]
            backlog.size += len(mine)
            backlog.counted_to = mine[-1] if len(mine) == _COUNTED_AT_ONCE else None
            await asyncio.sleep(0.01)
