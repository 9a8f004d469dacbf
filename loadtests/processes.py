"""Processes of a harness: start, kill, end. None outlives the harness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from cli.supervisor import ProcessSpec

ROOT = Path(__file__).parent.parent
_DIE_WITH_PARENT = ROOT / "cli" / "die_with_parent.py"


class Process:
    """One process of the system. Its output is appended to ``log_file``."""

    def __init__(self, spec: ProcessSpec, folder: Path) -> None:
        self.spec = spec
        self.name = spec.name
        self.log_file = folder / f"{spec.name}.log"
        self._popen: subprocess.Popen[bytes] | None = None
        self._cpu_before = 0.0

    def start(self) -> None:
        """Start it, or start it again."""
        with self.log_file.open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid()), *self.spec.command],
                cwd=ROOT,
                env={**os.environ, **self.spec.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # as the supervisor of `chat4all run` does; in the same session niceness counts
            )

    @property
    def pid(self) -> int:
        """The process's number, 0 before its first start."""
        return self._popen.pid if self._popen else 0

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def kill(self) -> None:
        """End it as a crash would."""
        self.send(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()

    def send(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self._popen is not None and self.is_running:
            self._popen.send_signal(number)

    def end(self, patience_seconds: float) -> None:
        """Wait for its end after a SIGTERM, then kill it."""
        if self._popen is not None:
            try:
                self._popen.wait(max(0.1, patience_seconds))
            except subprocess.TimeoutExpired:
                self.kill()

    def log_text(self) -> str:
        """Return its whole output."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, user and system; 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        times = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
    except psutil.Error:
        return 0.0
    return sum(float(t.user + t.system) for t in times)
