"""Faust's worker for our application, with a shutdown that lasts no longer than the work it has to finish."""

from __future__ import annotations

import asyncio
import logging
import signal

import faust

log = logging.getLogger(__name__)

LAST_TASKS_SECONDS = 1.0


class StreamWorker(faust.Worker):  # type: ignore[misc]
    """Runs a ``StreamApp``. Once that has stopped, everything is durable and committed, so the process ends at once."""

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        self.app.pulse.stop()  # from here on the shutdown has its own bounds
        super()._schedule_shutdown(number)

    def _gather_all(self) -> None:
        """End what still runs. Mode waits up to a second for it to end by itself, and partitions wait as long."""
        if left := asyncio.all_tasks(self.loop):
            for task in left:
                task.cancel()
            done, _ = self.loop.run_until_complete(asyncio.wait(left, timeout=LAST_TASKS_SECONDS))
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.warning("at the end, %s: %r", task.get_name(), error)

    async def _sentinel_task(self) -> None:
        """Close the loop without the second that Mode sleeps before that."""
