"""Daemons: start them, recognise them later, stop them.

A pid alone proves nothing, because the system reuses numbers. A process is ours when its pid and its
creation time are those we wrote down and our folder is in its command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

# psutil derives the creation time from the clock at boot, which time synchronisation may shift.
_CLOCK_SHIFT_SECONDS = 5.0
_KILL_TIMEOUT_SECONDS = 10.0


def start(command: Sequence[str], folder: Path, output_file: Path, environment: Mapping[str, str]) -> psutil.Process:
    """Start a daemon in a process group of its own; its stdout and stderr go to a file."""
    with output_file.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # in the session of who starts it, so that niceness counts between the processes of both
        )
    process = psutil.Process(child.pid)
    # Popen warns when it is forgotten while its process runs, which is what a daemon is for.
    child.returncode = 0
    return process


def record(process: psutil.Process, ports: Mapping[str, int], file: Path) -> None:
    """Record the process's identity and its ports by name.

    {"pid": 4711, "create_time": 1700000000.12, "ports": {"kafka_port": 9092}}
    """
    noted = {"pid": process.pid, "create_time": process.create_time(), "ports": dict(ports)}
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(noted))
    temporary.replace(file)


def recorded_ports(file: Path) -> dict[str, int]:
    """The ports written by `record`; empty without any."""
    try:
        return dict(json.loads(file.read_text())["ports"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def find(file: Path, marker: str) -> psutil.Process | None:
    """The process recorded in `file` if it is alive and still the same one, else None."""
    try:
        noted = json.loads(file.read_text())
        process = psutil.Process(int(noted["pid"]))
        same_age = abs(process.create_time() - float(noted["create_time"])) < _CLOCK_SHIFT_SECONDS
        if not same_age or not is_alive(process):
            return None
        return process if any(marker in argument for argument in process.cmdline()) else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None  # never recorded, unreadable, or gone


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs. A zombie does not; ours are reaped here."""
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return bool(process.is_running())
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(timeout=0)
    return False


def end(process: psutil.Process, patience_seconds: float | None) -> bool:
    """SIGTERM, wait that long, then SIGKILL; SIGKILL at once for None. Returns True once the process is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if patience_seconds is not None:
            process.terminate()
            if _gone(process, patience_seconds):
                return True
        process.kill()
    return _gone(process, _KILL_TIMEOUT_SECONDS)


def _gone(process: psutil.Process, timeout_seconds: float) -> bool:
    try:
        process.wait(timeout=timeout_seconds)
    except psutil.TimeoutExpired:
        return not is_alive(process)
    except psutil.NoSuchProcess:
        pass
    return True


def minimal_environment() -> dict[str, str]:
    """The environment of a daemon: none of the caller's Java options, and UTF-8 file names."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def no_leftover(process: psutil.Process) -> Iterator[None]:
    """Kill the process if the block fails."""
    try:
        yield
    except Exception:
        end(process, patience_seconds=None)
        raise
