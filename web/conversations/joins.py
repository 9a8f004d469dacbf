"""Writes the addresses that join conversations to the store, after the messages to them were accepted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from domain.errors import StoreUnavailable
from domain.ports import ConversationStore, NewParticipant

logger = logging.getLogger(__name__)

MOST_WAITING = 2_000
ROWS_AT_ONCE = 50
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0

Join = tuple[str, str]  # conversation id, address


class JoinWriter:
    """Writes joins in the background, gathered: a statement costs the driver 0.3 ms, however many rows it has.

    One batch of at most ``ROWS_AT_ONCE`` rows is under way at a time. The first starts at once, the next at least
    ``GATHER_SECONDS`` later. While the store is unavailable a batch is repeated every ``RETRY_SECONDS``; at most
    ``MOST_WAITING`` joins wait. A killed process loses the joins in hand. The next message to the address repeats them,
    and so does a message to everyone through a process that read of them. ``written`` is called with each join that is
    on record.
    """

    def __init__(
        self,
        store: ConversationStore,
        clock_ms: Callable[[], int],
        written: Callable[[str, str], None] = lambda conversation_id, address: None,
        gather_seconds: float = GATHER_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._clock_ms = clock_ms
        self._written = written
        self._gather_seconds = gather_seconds
        self._retry_seconds = retry_seconds
        self._waiting: dict[Join, int] = {}  # when they joined, epoch ms
        self._task: asyncio.Task[None] | None = None

    def __contains__(self, join: Join) -> bool:
        """Return whether a join waits to be written."""
        return join in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, conversation_id: str, address: str) -> bool:
        """Have a join written soon; return ``False`` if too many wait already."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.setdefault((conversation_id, address), self._clock_ms())
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())
        return True

    async def close(self, limit_seconds: float) -> None:
        """Write the waiting joins, within ``limit_seconds``."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=limit_seconds)
        if self._task is not None:
            self._task.cancel()
        if self._waiting:
            logger.warning("%d addresses have not joined their conversations", len(self._waiting))

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = list(self._waiting.items())[:ROWS_AT_ONCE]
                if await self._is_done(batch):
                    for join, _ in batch:
                        del self._waiting[join]
                    await asyncio.sleep(self._gather_seconds)
                else:
                    await asyncio.sleep(self._retry_seconds)
        finally:
            self._task = None

    async def _is_done(self, batch: list[tuple[Join, int]]) -> bool:
        rows = [NewParticipant(conversation_id, address, at_ms) for (conversation_id, address), at_ms in batch]
        try:
            await self._store.join(rows)
        except StoreUnavailable:
            return False
        except Exception:  # the store refuses these rows for good; the next message to each address adds it again
            logger.exception("cannot write %d joins", len(rows))
            return True
        for row in rows:
            self._written(row.conversation_id, row.participant_id)
        return True
