"""The readings of a process (CPU, memory, files, disk), under the names of Prometheus' client libraries."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psutil

_process = psutil.Process()


def _started_at_seconds() -> float:
    return float(_process.create_time())


def free_ratio(folder: Path) -> float | None:
    """Return which share of the disk under ``folder`` is free for us, from 0 to 1; ``None`` if it cannot be asked."""
    while not folder.exists() and folder != folder.parent:  # it is made with the first file
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return round(usage.free / usage.total, 4) if usage.total else None


# name → help and reading; each is read at a scrape
PROCESS_READINGS: dict[str, tuple[str, Callable[[], float]]] = {
    "process_resident_memory_bytes": ("Resident memory.", lambda: float(_process.memory_info().rss)),
    "process_cpu_seconds_total": ("Processor time used, user and system.", time.process_time),
    "process_open_fds": ("Open file descriptors.", lambda: float(_process.num_fds())),
    "process_start_time_seconds": ("Start of the process, Unix time.", _started_at_seconds),
}
