"""The timer of the sweep, in every API process: each does it, at times of its own, and none needs the others."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from app.file_sweep import Sweep, SweepReport
from app.settings import Settings
from domain.ports import FileRecords, FileStore

log = logging.getLogger(__name__)

_HOUR_MS = 3_600_000
# After a start orphans are looked for within an hour, so that processes which live shorter than a day do it, too.
_FIRST_ORPHANS_SECONDS = 3600.0
_LOGGED_FAILURES = 3


class FileSweeper:
    """Sweeps uploads every ``files_sweep_seconds``, and orphans every ``files_orphans_hours``; 0: never.

    Failures are logged and tried again next time. ``observe`` is given the report of each sweep. ``sleep`` waits so
    many seconds.
    """

    def __init__(
        self,
        records: FileRecords,
        store: FileStore,
        settings: Settings,
        clock_ms: Callable[[], int],
        observe: Callable[[SweepReport], None] = lambda report: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._records = records
        self._store = store
        self._settings = settings
        self._clock_ms = clock_ms
        self._observe = observe
        self._sleep = sleep

    async def run(self) -> None:
        """Sweep until cancelled."""
        uploads_every = self._settings.files_sweep_seconds
        orphans_every = self._settings.files_orphans_hours * 3600
        async with asyncio.TaskGroup() as loops:
            if uploads_every > 0:
                loops.create_task(self._every(uploads_every, uploads_every, Sweep.uploads))
            if orphans_every > 0:
                first = min(orphans_every, _FIRST_ORPHANS_SECONDS)
                loops.create_task(self._every(first, orphans_every, Sweep.orphans))
            loops.create_task(asyncio.Event().wait())  # a task of the API must not end

    async def _every(self, first_seconds: float, seconds: float, work: Callable[[Sweep], Awaitable[None]]) -> None:
        # Each process begins somewhere in its period and strays from there, so that they do not meet for long.
        await self._sleep(first_seconds * random.random())
        while True:
            await self._sweep(work)
            await self._sleep(seconds * random.uniform(0.8, 1.2))

    async def _sweep(self, work: Callable[[Sweep], Awaitable[None]]) -> None:
        grace_ms = int(self._settings.files_grace_hours * _HOUR_MS)
        sweep = Sweep(self._records, self._store, self._clock_ms, grace_ms=grace_ms)
        report = sweep.report
        try:
            await work(sweep)
        except Exception as error:
            # the API runs on without a sweep
            log.exception("the sweep of files failed")
            report.failures.append(repr(error))
        if report.uploads_swept or report.objects_swept:
            log.info(
                "swept %d unfinished uploads, %d objects without a file",
                report.uploads_swept,
                report.objects_swept,
            )
        for failure in report.failures[:_LOGGED_FAILURES]:
            log.warning("sweeping files: %s", failure)
        self._observe(report)
