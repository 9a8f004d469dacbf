"""Tells people that we read their messages: a courtesy, so an error is logged and forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from domain.inbound import ReadMarked

if TYPE_CHECKING:
    from domain.ports import Connector

log = logging.getLogger(__name__)

MAX_UNDER_WAY = 100
SECONDS = 10.0


class ReadMarks:
    """``connector_of``: by the account's name."""

    def __init__(self, connector_of: Callable[[str], Connector | None]) -> None:
        self._connector_of = connector_of
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, mark: ReadMarked) -> None:
        """Mark a person's message as read at the channel, if it can be done now."""
        mark_read = getattr(self._connector_of(mark.account), "mark_read", None)
        if mark_read is None or len(self._tasks) >= MAX_UNDER_WAY:
            return
        task = asyncio.get_running_loop().create_task(_told(mark_read, mark))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _told(mark_read: Callable[[str, bool], Awaitable[None]], mark: ReadMarked) -> None:
    try:
        async with asyncio.timeout(SECONDS):
            await mark_read(mark.provider_id, False)
    except Exception as error:  # noqa: BLE001
        log.info("account %s could not mark a message as read: %r", mark.account, error)
