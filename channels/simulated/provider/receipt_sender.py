"""Reports receipts when they are due, until the other side has them."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable

from channels.simulated.chaos.receipts import PlannedReceipt
from channels.simulated.provider.books import Books, Taken
from domain.errors import Unavailable
from domain.records import ReceiptReported

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
RETRY_SECONDS = 0.5

_Due = tuple[float, int, Taken, PlannedReceipt]
# of channel, conversation and receipt; returns once the receipt is durable, or raises ``Unavailable``
Report = Callable[[str, str, ReceiptReported], Awaitable[None]]


class ReceiptSender:
    """Holds the receipts that are due later: at most a few for each message in ``Books``, which are bounded."""

    def __init__(self, books: Books, report: Report) -> None:
        self._books = books
        self._report = report
        self._due: list[_Due] = []
        self._numbers = itertools.count()
        self._more = asyncio.Event()
        self._sending = 0

    @property
    def waiting(self) -> int:
        """How many receipts are not reported yet."""
        return len(self._due) + self._sending

    def add(self, taken: Taken, planned: Iterable[PlannedReceipt]) -> None:
        """Report the receipts of ``taken`` when they are due, counted from now."""
        now = asyncio.get_running_loop().time()
        for each in planned:
            heapq.heappush(self._due, (now + each.after_seconds, next(self._numbers), taken, each))
        self._more.set()

    async def report(self, taken: Taken, planned: PlannedReceipt) -> None:
        """Report one receipt now, or put it back for ``RETRY_SECONDS`` if it cannot be written."""
        receipt = ReceiptReported(
            taken.account,
            taken.provider_id,
            taken.token if planned.with_token else "",
            planned.status,
            planned.at_ms,
            planned.failure_code,
            "the phone did not take the message" if planned.failure_code else None,
        )
        self._sending += 1
        try:
            await self._report(taken.channel, taken.conversation, receipt)
        except Unavailable as error:
            log.warning("a receipt of %s is reported again: %s", taken.provider_id, error)
            due = asyncio.get_running_loop().time() + RETRY_SECONDS
            heapq.heappush(self._due, (due, next(self._numbers), taken, planned))
        else:
            self._books.give(taken, planned.status, planned.at_ms)
        finally:
            self._sending -= 1

    async def run(self) -> None:
        """Send due receipts, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            batch: list[_Due] = []
            while self._due and self._due[0][0] <= now and len(batch) < MOST_AT_ONCE:
                batch.append(heapq.heappop(self._due))
            if batch:
                await asyncio.gather(*(self.report(taken, planned) for _, _, taken, planned in batch))
                continue
            self._more.clear()
            wait_seconds = self._due[0][0] - now if self._due else None
            try:
                await asyncio.wait_for(self._more.wait(), wait_seconds)
            except TimeoutError:
                continue
