"""Writes the direct conversations that messages begin, while the messages are on their way to the log.

Who takes part follows from the conversation's id, so nothing must be read before the message is accepted. The answer
waits for the row, so a request right after it finds the conversation, whichever process takes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from domain.errors import StoreUnavailable
from domain.ports import ConversationStore

logger = logging.getLogger(__name__)

MOST_WAITING = 2_000
WRITES_AT_ONCE = 32
RETRY_SECONDS = 1.0
# an answer waits for so long; the message is durable, and the mirror writes the conversation if this process does not
WAIT_SECONDS = 1.0


class Beginning(NamedTuple):
    """A direct conversation to write: its sides, who wrote first, and when (epoch ms)."""

    conversation_id: str
    user_id: str
    other: str
    at_ms: int


class DirectBeginnings:
    """``written`` is called with each conversation that is in the store.

    A conversation that is there is not written again. While the store is unavailable, at most ``MOST_WAITING`` wait,
    each is tried again every ``RETRY_SECONDS``, and no answer waits for them.
    """

    def __init__(
        self,
        store: ConversationStore,
        written: Callable[[Beginning], None],
        retry_seconds: float = RETRY_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._store = store
        self._written = written
        self._retry_seconds = retry_seconds
        self._wait_seconds = wait_seconds
        self._tasks: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._slots = asyncio.Semaphore(WRITES_AT_ONCE)
        self._is_away = False

    def __contains__(self, conversation_id: str) -> bool:
        """Return whether the conversation waits to be written."""
        return conversation_id in self._tasks

    def begin(self, beginning: Beginning) -> None:
        """Have the conversation written now. Raises ``StoreUnavailable`` if too many wait already."""
        conversation_id = beginning.conversation_id
        if conversation_id in self._tasks:
            return
        if len(self._tasks) >= MOST_WAITING:
            raise StoreUnavailable("too many new conversations wait for the store; retry")
        tried = asyncio.Event()
        task = asyncio.create_task(self._write(beginning, tried))
        self._tasks[conversation_id] = (task, tried)
        task.add_done_callback(lambda _: self._tasks.pop(conversation_id, None))

    async def wait(self, conversation_id: str) -> None:
        """Return once the conversation is in the store, or cannot be for now."""
        waiting = self._tasks.get(conversation_id)
        if waiting is not None and not self._is_away:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_seconds):
                    await waiting[1].wait()

    async def close(self, limit_seconds: float) -> None:
        """Write the waiting conversations, within ``limit_seconds``."""
        tasks = [task for task, _ in self._tasks.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=limit_seconds)
        for task in late:
            task.cancel()
        if late:
            logger.warning("%d direct conversations are left to the mirror", len(late))

    async def _write(self, beginning: Beginning, tried: asyncio.Event) -> None:
        try:
            while not await self._is_written(beginning):
                tried.set()
                await asyncio.sleep(self._retry_seconds)
            self._written(beginning)
        except Exception:  # the store refuses it for good; the next message tries again
            logger.exception("cannot write the conversation %s", beginning.conversation_id)
        finally:
            tried.set()

    async def _is_written(self, beginning: Beginning) -> bool:
        conversation_id, user_id, other, at_ms = beginning
        async with self._slots:
            try:
                if await self._store.get(conversation_id) is None:
                    await self._store.begin_direct(conversation_id, sorted({user_id, other}), at_ms, user_id)
                self._is_away = False
            except StoreUnavailable:
                self._is_away = True
                return False
        return True
