"""A lock for each key: one holder at a time, the others wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from domain.errors import Unavailable


class KeyedLock:
    """One holder a key, within this process. A waiting task holds no key, so there is no deadlock."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._locked: dict[str, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._locked)

    @asynccontextmanager
    async def acquire(self, keys: Collection[str]) -> AsyncIterator[None]:
        """Acquire all ``keys`` together. Raises ``Unavailable`` after ``timeout_seconds``."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while busy := {self._locked[key] for key in keys if key in self._locked}:
                    await asyncio.wait(busy)
        except TimeoutError:
            raise Unavailable("another request with this Idempotency-Key is in progress; retry") from None
        released = asyncio.get_running_loop().create_future()
        self._locked.update(dict.fromkeys(keys, released))
        try:
            yield
        finally:
            for key in keys:
                del self._locked[key]
            released.set_result(None)
