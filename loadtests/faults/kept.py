"""A system whose processes come back at once after their end, and whose fault points a test can arm."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import time

from app.fault_points import CLOCK, VARIABLE
from app.settings import Settings
from loadtests.processes import Process
from loadtests.system import System

LOOK_SECONDS = 0.05
API_PROCESSES = 2


class KeptSystem(System):
    """``down``: names of processes that stay away. ``ends``: (epoch ms, name) of each process that ended by itself.

    A process starts again at once, as under the product's supervisor after a first crash: in a row of kills, its
    back-off would be measured instead of the system.
    """

    def __init__(self, settings: Settings, folder: Path, workers: Mapping[str, int], faults: Path) -> None:
        super().__init__(settings, folder, workers, api_processes=API_PROCESSES)
        self.faults = faults
        faults.mkdir()
        for process in self.processes:
            process.spec = replace(process.spec, environ={**process.spec.environ, VARIABLE: str(faults)})
        self.down: set[str] = set()
        self.ends: list[tuple[float, str]] = []
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start everything; from then on keep it alive."""
        await super().start()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        await super().stop()

    async def _keep(self) -> None:
        while True:
            for process in self.processes:
                if not process.is_running and process.name not in self.down:
                    self.ends.append((time() * 1000, process.name))
                    process.start()
            await asyncio.sleep(LOOK_SECONDS)

    def _check_alive(self) -> None:
        """Faults end processes on purpose."""

    def process(self, name: str) -> Process:
        """Return a process by its name, such as ``core-1`` or ``api-2``."""
        return next(process for process in self.processes if process.name == name)

    def arm(self, role: str, point: str, passes: int = 0) -> Path:
        """Let the process of ``role`` that next reaches ``point`` end there. The file goes when it does."""
        file = self.faults / f"{role}.{point}"
        written = self.faults / ".new"
        written.write_text(str(passes))
        return written.rename(file)

    def arm_successor(self, name: str, point: str) -> Path:
        """Let the next process of this name alone end at ``point``: not another of its role, which is faster on a busy
        machine. The file goes when it does; then ``disarm_successor``.
        """
        process = self.process(name)
        role, folder = name.rpartition("-")[0], self.faults / name
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(exist_ok=True)
        file = folder / f"{role}.{point}"
        file.write_text("0")
        process.spec = replace(process.spec, environ={**process.spec.environ, VARIABLE: str(folder)})
        return file

    def disarm_successor(self, name: str) -> None:
        """Let the processes of this name look at the faults of their role again, also one that has started since."""
        process = self.process(name)
        folder = self.faults / name
        shutil.rmtree(folder)
        folder.symlink_to(self.faults)
        process.spec = replace(process.spec, environ={**process.spec.environ, VARIABLE: str(self.faults)})

    def set_clock(self, role: str, offset_ms: int) -> None:
        """Let the clocks of a role's processes be wrong from their next step on; 0: right again."""
        file = self.faults / f"{role}.{CLOCK}"
        if offset_ms:
            file.write_text(str(offset_ms))
        else:
            file.unlink(missing_ok=True)
