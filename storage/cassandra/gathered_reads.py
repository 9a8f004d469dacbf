"""Reads many keys in few requests: a request costs both sides more than the row that it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

MOST_KEYS = 32  # of one request
MOST_REQUESTS = 4

T = TypeVar("T")


class GatheredReads(Generic[T]):
    """``read`` returns the values of some keys. A key is read at once if no request is under way.

    While one is, the keys of other callers gather for the next one; a busy process so needs few requests and an idle
    one loses no time. At most ``most_requests`` are under way, and full ones leave beside the first.
    """

    def __init__(
        self,
        read: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]],
        most_keys: int = MOST_KEYS,
        most_requests: int = MOST_REQUESTS,
    ) -> None:
        self._read = read
        self._most_keys = most_keys
        self._most_requests = most_requests
        self._waiting: dict[str, asyncio.Future[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def of(self, key: str) -> T:
        """Return the value of ``key``. Raises the errors of ``read``."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._start()
        return await asyncio.shield(future)  # others may wait for the same key

    def _start(self) -> None:
        while self._waiting and (not self._tasks or self._has_full_request()):
            keys = list(self._waiting)[: self._most_keys]
            futures = {key: self._waiting.pop(key) for key in keys}
            task = asyncio.get_running_loop().create_task(self._answer(futures))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _has_full_request(self) -> bool:
        return len(self._waiting) >= self._most_keys and len(self._tasks) < self._most_requests

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start()

    async def _answer(self, futures: Mapping[str, asyncio.Future[T]]) -> None:
        try:
            found = await self._read(list(futures))
        except BaseException as error:
            for future in futures.values():
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                    future.exception()  # a caller that gave up no longer looks
            if not isinstance(error, Exception):
                raise
            return
        for key, future in futures.items():
            if not future.done():
                future.set_result(found[key])
