"""The same system under the product's supervisor (``chat4all worker``), with restarts."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from app.roles import ROLES
from app.settings import Settings
from cli.supervisor import ProcessSpec
from loadtests.processes import Process
from loadtests.system import System


def supervisor(settings: Settings, folder: Path, counts: Mapping[str, int], name: str = "supervisor") -> Process:
    """Return ``chat4all worker`` for so many workers of each role; start it."""
    numbers = [option for role in ROLES for option in ("-n", f"{role}={counts.get(role, 0)}")]
    command = (sys.executable, "-m", "chat4all", "worker", *numbers)
    return Process(ProcessSpec(name, command, replace(settings, role="worker").to_environ()), folder)


class Child(Process):
    """A worker of the supervisor, recognised by its port (stable over restarts)."""

    def __init__(self, spec: ProcessSpec, folder: Path, parent: Process) -> None:
        super().__init__(spec, folder)
        self._parent = parent
        self.log_file = parent.log_file

    @property
    def pid(self) -> int:
        port = self.spec.environ["CHAT4ALL_METRICS_PORT"]
        with suppress(psutil.Error):
            for child in psutil.Process(self._parent.pid).children():
                with suppress(psutil.Error):
                    if child.cmdline()[-2:] == ["--web-port", port]:
                        return child.pid
        return 0

    @property
    def is_running(self) -> bool:
        return self.pid != 0

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def send(self, number: int) -> None:
        if pid := self.pid:
            os.kill(pid, number)


class SupervisedSystem(System):
    """Ended or killed workers come back."""

    def __init__(self, settings: Settings, folder: Path, workers: Mapping[str, int]) -> None:
        super().__init__(settings, folder, workers)
        self.supervisor = supervisor(settings, folder, workers)
        self.workers = [Child(process.spec, folder, self.supervisor) for process in self.workers]

    @property
    def stages(self) -> tuple[Sequence[Process], ...]:
        return [self.supervisor], self.apis
