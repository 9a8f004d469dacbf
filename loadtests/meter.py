"""Processor time by process, over a stretch of work."""

from __future__ import annotations

import os
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from devstack.ports import owner_pid
from loadtests.processes import Process, cpu_seconds
from loadtests.system import Servers

GENERATOR = "load generator"


class Meter:
    """Processor time of ``processes`` and their servers, by kind of process (``core``, not ``core-1``).

    ``others``: the processes besides, by name.
    """

    def __init__(self, processes: Sequence[Process], servers: Servers, others: Mapping[str, int] | None = None) -> None:
        self._pids = {process.name: process.pid for process in processes} | dict(others or {})
        for title, port in (
            ("Kafka", int(servers.kafka_bootstrap.rpartition(":")[2])),
            ("Cassandra", servers.cassandra_port),
        ):
            pid = owner_pid(port)
            if pid is not None:
                self._pids[title] = pid
        self._before: dict[str, float] = {}
        self._busy_before = self._began = 0.0
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._before, self._busy_before, self._began = self._now(), _busy_seconds(), time.monotonic()

    def used_ms(self) -> dict[str, float]:
        """Return the milliseconds of processor time used since ``begin``."""
        sums: defaultdict[str, float] = defaultdict(float)
        for name, seconds in self._now().items():
            kind, dash, number = name.rpartition("-")
            sums[kind if dash and number.isdigit() else name] += (seconds - self._before[name]) * 1000
        return dict(sums)

    def other_cores(self) -> float:
        """Return how many cores all else on this machine kept busy since ``begin``: 0 is a quiet machine."""
        ours = sum(self.used_ms().values()) / 1000
        busy = _busy_seconds() - self._busy_before
        return max(0.0, (busy - ours) / (time.monotonic() - self._began))

    def _now(self) -> dict[str, float]:
        return {**{name: cpu_seconds(pid) for name, pid in self._pids.items()}, GENERATOR: time.process_time()}


def _busy_seconds() -> float:
    """Return the processor time used on this machine, and the time stolen by its host."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a measurement was made, as far as it matters to a reader elsewhere."""

    cores: int
    memory_gib: float
    architecture: str
    python: str
    load_average: float

    @classmethod
    def here(cls) -> Machine:
        return cls(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            psutil.virtual_memory().total / 2**30,
            platform.machine(),
            platform.python_version(),
            os.getloadavg()[0],
        )

    def __str__(self) -> str:
        return (
            f"{self.cores} cores, {self.memory_gib:.0f} GiB of memory, {self.architecture}, Python {self.python}; "
            f"load average before the start {self.load_average:.2f}"
        )
