"""Who works on an upload in this process: the request that came last.

A client whose connection died half-open comes back at once, while its old request still waits for bytes. So the newer
request tells the older one to stop, and waits until it has let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from domain.errors import Chat4AllError, Conflict, Unavailable
from web.errors import Locked

Stop = Callable[[Chat4AllError], None]

_RETRY_SECONDS = 2


class TakenOver(Conflict):
    """A newer request of the client goes on with this upload."""

    code = "upload-taken-over"


class NewestFirst:
    """One holder a key. ``timeout_seconds``: how long an older one, which may be busy with a store, is waited for."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._holders: dict[str, tuple[Stop, asyncio.Future[None]]] = {}
        self._is_over = False

    def is_held(self, key: str) -> bool:
        """Return whether somebody here has it."""
        return key in self._holders

    @asynccontextmanager
    async def hold(self, key: str, stop: Stop = lambda error: None) -> AsyncIterator[None]:
        """Hold ``key``; whoever has it, or comes to have it first, is told to stop. ``stop`` tells us.

        Raises ``Locked`` if the other does not let go in time.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while (older := self._holders.get(key)) is not None:
                    older[0](TakenOver("a newer request goes on with this upload"))
                    await asyncio.wait([older[1]])
        except TimeoutError:
            raise Locked("an earlier request is still at work on this upload; try again", _RETRY_SECONDS) from None
        if self._is_over:
            stop(_going_away())
        done = asyncio.get_running_loop().create_future()
        self._holders[key] = (stop, done)
        try:
            yield
        finally:
            del self._holders[key]
            done.set_result(None)

    def stop_all(self) -> None:
        """This process ends: tell all who hold something, and all who will."""
        self._is_over = True
        for stop, _ in list(self._holders.values()):
            stop(_going_away())


def _going_away() -> Unavailable:
    return Unavailable("this server stops; go on with the upload at another one", _RETRY_SECONDS)
