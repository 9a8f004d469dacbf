"""Metrics of the system under load, scraped beside it: lag, queue, memory, over time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LAG, IN_FLIGHT, MEMORY = "chat4all_lag_records", "chat4all_in_flight", "process_resident_memory_bytes"
WAITING, DELAY = "chat4all_queue_depth", "chat4all_mirror_delay_seconds"
EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample of a Prometheus text."""

    name: str
    labels: dict[str, str]
    value: float


def readings(text: str) -> Iterator[Reading]:
    """Yield the samples of a Prometheus text; lines that are none are left out."""
    for line in text.splitlines():
        if line.startswith("#") or not (found := _LINE.match(line.strip())):
            continue
        try:
            value = float(found["value"])
        except ValueError:
            continue
        yield Reading(found["name"], dict(_LABEL.findall(found["labels"] or "")), value)


@dataclass(slots=True)
class Samples:
    """Series by what they show: seconds from the start of the run, and a value.

    ``memory_mib``: by process. The others are sums over all that was scraped at one time.
    """

    memory_mib: defaultdict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    lag: list[tuple[float, float]] = field(default_factory=list)
    in_flight: list[tuple[float, float]] = field(default_factory=list)
    waiting: list[tuple[float, float]] = field(default_factory=list)
    mirror_delay: list[tuple[float, float]] = field(default_factory=list)

    def take(self, at_seconds: float, texts: dict[str, str]) -> None:
        """Enter one scrape. ``texts``: by the name of the process; those of the API have a label of their own."""
        sums: defaultdict[str, float] = defaultdict(float)
        for name, text in texts.items():
            for reading in readings(text):
                if reading.name == MEMORY:
                    process = reading.labels.get("process", name)
                    self.memory_mib[process].append((at_seconds, reading.value / 2**20))
                sums[reading.name] += reading.value
        for name, series in self._by_name().items():
            if name in sums:
                series.append((at_seconds, sums[name]))

    def _by_name(self) -> dict[str, list[tuple[float, float]]]:
        return {LAG: self.lag, IN_FLIGHT: self.in_flight, WAITING: self.waiting, DELAY: self.mirror_delay}
