"""Marks people's messages as read, and confirms pressed buttons; its errors are only logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from domain.inbound import ReadMarked
from domain.ports import AcknowledgingConnector

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
        if mark_read is not None:
            self._run(mark.account, lambda: mark_read(mark.provider_id, mark.is_typing))

    def acknowledge(self, account: str, provider_id: str) -> None:
        """Confirm a pressed button to the channel, where the person waits for it."""
        connector = self._connector_of(account)
        if isinstance(connector, AcknowledgingConnector):
            self._run(account, lambda: connector.acknowledge(provider_id))

    def _run(self, account: str, courtesy: Callable[[], Awaitable[None]]) -> None:
        if len(self._tasks) >= MAX_UNDER_WAY:
            return
        task = asyncio.get_running_loop().create_task(_told(account, courtesy))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _told(account: str, courtesy: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(SECONDS):
            await courtesy()
    except Exception as error:  # noqa: BLE001
        log.info("account %s could not tell a person that their message arrived: %r", account, error)
