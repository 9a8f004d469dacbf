"""The one place where the driver's thread meets the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


class LoopBridge:
    """Carries finished requests from the driver's threads to ``loop``, with one wakeup for many of them.

    A wakeup writes to a socket and costs more than handing over a result. So results join the pending wakeup until
    the loop has handled it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._finished: deque[tuple[asyncio.Future[Any], Any, bool]] = deque()
        self._woken = False

    def succeeded(self, rows: Any, future: asyncio.Future[Any]) -> None:
        """Called by the driver's thread with the first page of rows, or ``None``."""
        self._finished.append((future, rows, True))
        self._wake()

    def failed(self, error: Exception, future: asyncio.Future[Any]) -> None:
        """Called by the driver's thread with the error."""
        self._finished.append((future, error, False))
        self._wake()

    def _wake(self) -> None:
        # `_drain` clears the flag before it looks, so a result appended before this check is never left behind.
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:  # the loop is closed, so no caller waits
            self._finished.clear()

    def _drain(self) -> None:
        self._woken = False
        while self._finished:
            future, outcome, good = self._finished.popleft()
            if future.done():  # its caller gave up
                continue
            if good:
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
