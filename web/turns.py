"""Who may work on a key now: one at a time, the others wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from domain.errors import Unavailable


class Turns:
    """One holder a key, within this process. Whoever waits holds nothing, so nobody waits in a circle."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._held: dict[str, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._held)

    @asynccontextmanager
    async def hold(self, keys: Collection[str]) -> AsyncIterator[None]:
        """Hold all ``keys`` together. Raises ``Unavailable`` if others keep some of them for too long."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while busy := {self._held[key] for key in keys if key in self._held}:
                    await asyncio.wait(busy)
        except TimeoutError:
            raise Unavailable("another request with this Idempotency-Key is still under way; try again") from None
        turn = asyncio.get_running_loop().create_future()
        self._held.update(dict.fromkeys(keys, turn))
        try:
            yield
        finally:
            for key in keys:
                del self._held[key]
            turn.set_result(None)
