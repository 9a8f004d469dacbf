"""Keeps the tables bounded: rows whose last change is older than the retention leave (the history is in Cassandra)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mode import Service

from app.clock import now_ms

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
LONGEST_PAUSE_SECONDS = 3600.0


class Retention(Service):  # type: ignore[misc]
    """Deletes expired rows of a table's partitions a few at a time, so its agent never waits long.

    ``last_change_ms`` returns the epoch time of a value's last change. A row is read and deleted between two awaits,
    so no write of the agent can come between.
    """

    def __init__(
        self, app: StreamApp, table: DurableTable, last_change_ms: Callable[[bytes], int], **kwargs: Any
    ) -> None:
        self._app = app
        self._table = table
        self._last_change_ms = last_change_ms
        self._retention_seconds = app.settings.state_retention_hours * 3600
        self._began_ms, self._began = now_ms(), time.monotonic()
        super().__init__(**kwargs)

    def _now_ms(self) -> int:
        """Return the time, but no more than has passed since this process began.

        A clock that is set forward must not make rows leave: a message whose attempt is forgotten may be sent twice.
        """
        return min(now_ms(), self._began_ms + int((time.monotonic() - self._began) * 1000))

    @Service.task  # type: ignore[untyped-decorator]
    async def _sweep(self) -> None:
        while not self.should_stop:
            await self.sleep(min(LONGEST_PAUSE_SECONDS, self._retention_seconds / 4))
            for partition in self._table.active_partitions():
                await self._sweep_partition(partition)

    async def _sweep_partition(self, partition: int) -> None:
        key, gone = b"", 0
        while not self.should_stop and not self._app.rebalancing and partition in self._table.active_partitions():
            rows = self._table.rows_after(partition, key, ROWS_AT_ONCE)
            if not rows:
                break
            oldest_ms = self._now_ms() - int(self._retention_seconds * 1000)
            writes = {
                self._table.put(partition, key, None) for key, value in rows if self._last_change_ms(value) < oldest_ms
            }
            gone += len(writes)
            key = rows[-1][0]
            for write in writes:
                await write
            await asyncio.sleep(0.01)
        if gone:
            log.info("rows of %s[%d] left after the retention", self._table.name, partition)
