"""The queue of deliveries of a worker: rows on disk, and the heads of its chains in memory.

A *chain*: the deliveries of one conversation to one address, on one account. Its *head*: the oldest delivery without
an outcome. The others wait as rows of the table ``queue`` (``tables/queue.py``). Invariants:

1. A delivery's row is durable before its batch is completed, and it stays until its outcome is durable.
2. Of a chain the head alone is in a channel's hands, besides those that it overtook.
3. A backlog (partition, account) has at most ``most_heads`` heads in memory. While chains of it are on disk only,
   ``cursor`` is not ``None``: each chain with a greater key will be found by the scan. For a chain with a smaller key
   ``missed`` says that another scan is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from agents.chains import Backlog, Chain, Head
from agents.queue_rows import QueueRows
from agents.sleeping_chains import LEAST_SECONDS, Sleepers
from app.clock import now_ms
from domain.attempts import Attempt, QueuedDelivery
from tables import queue as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.kafka.pending_batches import PendingBatch
    from domain.records import DeliveryRequested

HEADS_PER_BACKLOG = 5_000
MOST_OVERTAKEN = 20  # of a chain
_SCANNED_AT_ONCE = 200  # chains between two turns of the event loop


class DeliveryQueue(QueueRows):
    """``on_head`` is called with each new head, ``on_more`` with a head behind which another delivery comes,
    ``on_settled`` with each row whose outcome is on record already.

    ``fail`` is called with an error of the work in the background.
    """

    def __init__(
        self,
        queue: DurableTable,
        attempts: DurableTable,
        on_head: Callable[[Head], None],
        on_settled: Callable[[int, bytes, QueuedDelivery, bytes, Attempt], None],
        fail: Callable[[BaseException], None],
        on_more: Callable[[Head], None],
        most_heads: int = HEADS_PER_BACKLOG,
    ) -> None:
        super().__init__(queue, attempts)
        self._on_head = on_head
        self._on_settled = on_settled
        self._fail = fail
        self._on_more = on_more
        self._most_heads = most_heads
        self._generation = 0
        self._adopted: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sleepers = Sleepers()

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
        if chain is not None and chain.head is not None:
            chain.has_older = chain.has_older or key < chain.head.key
            had_more, chain.has_more = chain.has_more, True
            write = self._table.put(partition, key, rows.dump(row, value))
            if not had_more:
                self._on_more(chain.head)
            return write
        if chain is not None or (
            partition in self._adopted and prefix not in backlog.sleeping and self._has_room(backlog, prefix)
        ):
            chain = chain or backlog.chains.setdefault(prefix, Chain(backlog, prefix))
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
        """Return the next head of the chain of ``head``, which has its outcome.

        ``None`` if the chain is at its end, or if another delivery is its head.
        """
        chain, head.is_gone = head.chain, True
        if chain.overtaken.pop(head.key, None) is not None:
            chain.backlog.overtaken -= 1
            self._forget_empty(chain)
            return None
        return self._move_to_next(chain, head.key)

    def _move_to_next(self, chain: Chain, key: bytes) -> Head | None:
        """Make the row after ``key`` the head of the chain, and return it."""
        key, chain.has_older = (chain.prefix if chain.has_older else key), False
        chain.head = following = self._head_after(chain, key) if chain.has_more else None
        if following is None:
            chain.has_more = False
            self._forget_empty(chain)
        return following

    def _forget_empty(self, chain: Chain) -> None:
        if not any(chain.heads()):
            chain.backlog.chains.pop(chain.prefix, None)
            self._refill(chain.backlog)

    def overtake(self, head: Head) -> Head | None:
        """Let the next delivery of the chain go before ``head``, whose row says so; return it, the new head."""
        chain, backlog = head.chain, head.chain.backlog
        chain.overtaken[head.key] = head
        backlog.overtaken += 1
        return self._move_to_next(chain, head.key)

    def may_overtake(self, head: Head) -> bool:
        """Return whether ``head`` holds other deliveries, and is not one of too many that were overtaken."""
        chain = head.chain
        has_room = len(chain.overtaken) < MOST_OVERTAKEN and chain.backlog.overtaken < self._most_heads
        return chain.head is head and chain.has_more and has_room

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
                if not row.is_overtaken:
                    return Head(chain, partition, key, row, rows.parts_of(chain.prefix)[1])
                if key not in chain.overtaken:
                    self._take_beside(Head(chain, partition, key, row, rows.parts_of(chain.prefix)[1]))
                continue
            self._on_settled(partition, key, row, request, attempt)
        return None

    def _take_beside(self, head: Head) -> None:
        """Take up a delivery that was overtaken before the partition was assigned."""
        head.chain.overtaken[head.key] = head
        head.chain.backlog.overtaken += 1
        asyncio.get_running_loop().call_soon(self._tell, head, self._generation)

    def _tell(self, head: Head, generation: int) -> None:
        if generation == self._generation and not head.is_gone:
            self._on_head(head)

    # Waiting for long ----------------------------------------------------------------------------------------------

    def let_sleep(self, head: Head, due_ms: int) -> bool:
        """Drop ``head``, which waits until ``due_ms`` (epoch ms), if memory is short; return whether it left it."""
        chain, backlog = head.chain, head.chain.backlog
        is_worth_it = due_ms - now_ms() >= LEAST_SECONDS * 1000 and len(backlog.chains) > self._most_heads // 2
        if not is_worth_it or chain.head is not head or chain.overtaken or self._sleepers.is_full:
            return False
        head.is_gone = True
        backlog.chains.pop(chain.prefix, None)
        self._sleepers.add(backlog, chain.prefix, due_ms, head.row.reason)
        self._refill(backlog)
        return True

    def wake_sleepers(self) -> None:
        """Take the chains up again that are due."""
        for backlog, prefix in self._sleepers.awake(now_ms()):
            self._wake(backlog, prefix)

    def rouse(self, partition: int, account: str, prefix: bytes) -> None:
        """Take a chain up again if it sleeps: its first delivery is another one now."""
        backlog = self.backlogs.get((partition, account))
        if backlog is not None and backlog.sleeping.pop(prefix, None) is not None:
            self._wake(backlog, prefix)

    def _wake(self, backlog: Backlog, prefix: bytes) -> None:
        if self._has_room(backlog, prefix):
            self._take_up(backlog, prefix)
        else:
            self._refill(backlog)

    # Assignment ----------------------------------------------------------------------------------------------------

    def adopt(self, partitions: list[int]) -> None:
        """Find the heads of all rows of ``partitions``, in the background.

        Each backlog on disk is known before the first delivery is added, so none overtakes an older one of its chain.
        """
        generation = self._generation
        self._outcomes.clear()  # another worker may have written others
        self._unwritten.clear()
        for partition in partitions:
            self._adopted.add(partition)
            key = rows.DELIVERY
            while (found := self._table.rows_after(partition, key, 1)) and found[0][0].startswith(rows.DELIVERY):
                account = rows.account_of(found[0][0])
                backlog = self._backlog(partition, account)
                backlog.cursor = backlog.counted_to = rows.account_prefix(account)
                backlog.size = 0
                self._refill(backlog)
                self._spawn(self.count(backlog, lambda: generation == self._generation))
                key = rows.account_prefix(account)[:-1] + b"\x01"

    def drop(self) -> None:
        """Forget the rows in memory: the partitions are going away."""
        self._generation += 1
        self._adopted.clear()
        self.backlogs.clear()
        self._outcomes.clear()
        self._unwritten.clear()
        self._sleepers.clear()
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
                if chain_prefix not in backlog.chains and chain_prefix not in backlog.sleeping:
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
        if any(chain.heads()):
            backlog.chains[prefix] = chain
        if chain.head is not None:
            self._on_head(chain.head)
