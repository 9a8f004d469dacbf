"""Departures in common: what is ready in a short time leaves together."""

from __future__ import annotations

import asyncio
from math import inf


class Beat:
    """Lets those who wait go on together, at least ``seconds`` after the last ones did; at once after a quiet time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._went_at = -inf
        self._next: asyncio.Event | None = None

    async def turn(self) -> None:
        """Return when it is time to go."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            now = loop.time()
            if now - self._went_at >= self._seconds:
                self._went_at = now
                return
            self._next = asyncio.Event()
            loop.call_at(self._went_at + self._seconds, self._go, self._next)
        await self._next.wait()

    def _go(self, waiting: asyncio.Event) -> None:
        self._went_at, self._next = asyncio.get_running_loop().time(), None
        waiting.set()
