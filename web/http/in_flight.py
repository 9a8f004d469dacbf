"""Requests in flight, so stopping can wait for them.

aiohttp's own shutdown first marks every connection closed and then drops the bytes still arriving on it, including
the rest of a body in use by a handler. So the process waits for the requests before it stops aiohttp.
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
        """Exclude this request meanwhile: it became a WebSocket, stays for hours and is closed separately."""
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
