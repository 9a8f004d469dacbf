"""The worker processes of one round."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

from loadtests.rounds.journal import seeks

_LOOK_SECONDS = 0.05
JOIN_SECONDS = 30.0
ROWS_SECONDS = 5.0


class Worker:
    """One worker. If it ends without being asked it is started again, as a supervisor would do."""

    def __init__(self, folder: Path, name: str, kafka: str, prefix: str) -> None:
        self.name = name
        self.deaths: list[str] = []
        self.journal = folder / f"{name}.journal"
        self._rows = folder / f"{name}.rows"
        self._log = folder / f"{name}.log"
        self._arguments = [str(folder), name, kafka, prefix]
        self._process: Process | None = None
        self._wanted = False
        self._seeks_before = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._wanted = True
        self._task = asyncio.create_task(self._keep())

    async def joined(self, times: int = 1) -> bool:
        """Wait for ``times`` rebalances. Return ``False`` on time-out."""
        deadline = asyncio.get_running_loop().time() + JOIN_SECONDS
        while seeks(self.journal) < times:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def end(self, number: int) -> None:
        """Send SIGTERM or SIGKILL; it is not started again."""
        self._wanted = False
        self.send(number)

    def send(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def gone(self) -> None:
        """Wait for its end."""
        if self._task is not None:
            await self._task

    async def rows(self) -> dict[bytes, int]:
        """Return the rows of its partitions; none before it joins, or without an answer."""
        if not self._wanted or seeks(self.journal) <= self._seeks_before:
            return {}
        self._rows.unlink(missing_ok=True)
        self.send(signal.SIGHUP)
        try:
            async with asyncio.timeout(ROWS_SECONDS):
                while not self._rows.exists():  # noqa: ASYNC110  another process makes it
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            return {}
        return {key.encode(): bits for key, bits in json.loads(self._rows.read_text()).items()}

    async def _keep(self) -> None:
        command = [sys.executable, "-m", "loadtests.rounds.worker", *self._arguments]
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with self._log.open("ab") as output:
            while self._wanted:
                self._seeks_before = seeks(self.journal)
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=DEVNULL, stdout=output, stderr=output, env=environ
                )
                code = await self._process.wait()
                if self._wanted:
                    self.deaths.append(f"{self.name} exit {code}")
                    await asyncio.sleep(0.5)


async def end_all(workers: list[Worker]) -> None:
    """Leave nobody behind."""
    for worker in workers:
        worker.end(signal.SIGKILL)
    for worker in workers:
        await worker.gone()
