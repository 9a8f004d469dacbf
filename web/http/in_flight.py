"""Requests under way, so that stopping can wait for them.

aiohttp's own shutdown marks every connection closed first and then drops what still arrives on it, including the rest
of a body that a handler is reading. So the requests are waited for before aiohttp is told to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web


class InFlightRequests:
    """``is_stopping``: every answer from now on closes its connection."""

    def __init__(self) -> None:
        self.count = 0
        self.is_stopping = False
        self._none_left = asyncio.Event()

    def end(self) -> None:
        """Count one request less."""
        self.count -= 1
        if self.is_stopping and not self.count:
            self._none_left.set()

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        """Do not count this request meanwhile: it became a WebSocket, which stays for hours and is closed otherwise."""
        self.end()
        try:
            yield
        finally:
            self.count += 1

    async def wait_until_drained(self, timeout_seconds: float) -> bool:
        """Return ``True`` once no request is under way, ``False`` if some still are when the time is over."""
        self.is_stopping = True
        if not self.count:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._none_left.wait()
        except TimeoutError:
            return False
        return True


IN_FLIGHT = web.AppKey("requests", InFlightRequests)
