"""Detects a suspended process: stopped, suspended with its machine, or starved of the processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mode import Service

LOOK_SECONDS = 0.5


class SessionExpired(Exception):
    """The process was suspended for so long that its partitions may have another owner."""


class SessionFence(Service):  # type: ignore[misc]
    """Ends a worker that was suspended for as long as a Kafka session lasts, before it writes anything more.

    Its session has expired and its partitions have another writer, unknown to the worker. A late write would overwrite
    newer values of its successor in the changelog. So ``check()`` runs before every write.
    """

    def __init__(
        self,
        limit_seconds: float,
        abort: Callable[[SessionExpired], None],
        clock: Callable[[], float] = time.monotonic,
        **kwargs: Any,
    ) -> None:
        """``abort`` ends the process. It is called after a pause of more than ``limit_seconds``."""
        self._limit_seconds = limit_seconds
        self._abort = abort
        self._clock = clock
        self._seen: float | None = None
        super().__init__(**kwargs)

    def check(self) -> None:
        """Call ``abort`` if the last check is more than ``limit_seconds`` ago."""
        now, before = self._clock(), self._seen
        self._seen = now
        if before is not None and now - before > self._limit_seconds and not self.should_stop:
            self._abort(SessionExpired(f"this process was suspended for {now - before:.1f} s"))

    @Service.task  # type: ignore[untyped-decorator]
    async def _look(self) -> None:
        while not self.should_stop:
            self.check()
            await self.sleep(LOOK_SECONDS)
