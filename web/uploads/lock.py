"""Locks for uploads within this process: the newest request preempts the older one.

A client whose connection died half-open sends a new request while the old one still waits for bytes. The new request
asks the old one to unlock, and waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from domain.errors import Chat4AllError, Conflict, Unavailable
from web.errors import Locked

UnlockRequest = Callable[[Chat4AllError], None]

_RETRY_SECONDS = 2


class Preempted(Conflict):
    """A newer request of the client goes on with this upload."""

    code = "upload-taken-over"


class UploadLocks:
    """One lock for each upload. ``timeout_seconds``: the longest wait for a holder busy with a store."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._holders: dict[str, tuple[UnlockRequest, asyncio.Future[None]]] = {}
        self._is_over = False

    def is_held(self, key: str) -> bool:
        """Return whether a request of this process has the lock."""
        return key in self._holders

    @asynccontextmanager
    async def acquire(self, key: str, request_unlock: UnlockRequest = lambda error: None) -> AsyncIterator[None]:
        """Acquire the lock of ``key``, and ask its present holder, if there is one, to unlock.

        ``request_unlock`` is called with the reason when a later request wants the lock. Raises ``Locked`` if the
        present holder does not unlock within ``timeout_seconds``.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while (older := self._holders.get(key)) is not None:
                    older[0](Preempted("a newer request has taken this upload over"))
                    await asyncio.wait([older[1]])
        except TimeoutError:
            raise Locked("an earlier request is still using this upload; retry", _RETRY_SECONDS) from None
        if self._is_over:
            request_unlock(_going_away())
        done = asyncio.get_running_loop().create_future()
        self._holders[key] = (request_unlock, done)
        try:
            yield
        finally:
            del self._holders[key]
            done.set_result(None)

    def preempt_all(self) -> None:
        """Ask all present and future holders to unlock: this process stops."""
        self._is_over = True
        for request_unlock, _ in list(self._holders.values()):
            request_unlock(_going_away())


def _going_away() -> Unavailable:
    return Unavailable("this server is stopping; resume the upload at another one", _RETRY_SECONDS)
