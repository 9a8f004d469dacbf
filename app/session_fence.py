"""Notices that this process was away: stopped, suspended with its machine, or without a turn on the processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mode import Service

if TYPE_CHECKING:
    from app.stream_app import StreamApp

LOOK_SECONDS = 0.5


class SessionExpired(Exception):
    """The process was away for so long that its partitions may have another owner."""


class SessionFence(Service):  # type: ignore[misc]
    """Ends a worker that was away for as long as a session lasts, before it writes anything more.

    Its session is over and its partitions have another writer, but it does not know yet: what it has in hand would
    come into the changelog after the newer values of its successor. So ``check()`` is called before every write.
    """

    def __init__(self, app: StreamApp, clock: Callable[[], float] = time.monotonic, **kwargs: Any) -> None:
        self.app = app
        self._clock = clock
        # the last heartbeat may have been sent one interval before
        self._limit_seconds = app.settings.session_timeout_seconds - app.settings.heartbeat_seconds
        self._seen: float | None = None
        super().__init__(**kwargs)

    def check(self) -> None:
        """End the worker if nobody has called this for too long."""
        now, before = self._clock(), self._seen
        self._seen = now
        if before is not None and now - before > self._limit_seconds and not self.should_stop:
            self.app.abort("the session fence", SessionExpired(f"this process was away for {now - before:.1f} s"))

    @Service.task  # type: ignore[untyped-decorator]
    async def _look(self) -> None:
        while not self.should_stop:
            self.check()
            await self.sleep(LOOK_SECONDS)
