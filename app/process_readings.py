"""The readings of a process (CPU, memory, files), under the names of Prometheus' client libraries."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

_process = psutil.Process()


def _started_at_seconds() -> float:
    return float(_process.create_time())


# name → help and reading; each is read at a scrape
PROCESS_READINGS: dict[str, tuple[str, Callable[[], float]]] = {
    "process_resident_memory_bytes": ("Resident memory.", lambda: float(_process.memory_info().rss)),
    "process_cpu_seconds_total": ("Processor time used, user and system.", time.process_time),
    "process_open_fds": ("Open file descriptors.", lambda: float(_process.num_fds())),
    "process_start_time_seconds": ("Start of the process, Unix time.", _started_at_seconds),
}
