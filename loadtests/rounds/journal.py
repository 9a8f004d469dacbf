"""A worker's journal, one line an event, in a file safe from ``kill -9``.

    81723.123456 S                seeked: a rebalance is over
    81723.223456 D 3 500 600      the agent has received offsets 500 ≤ offset < 600 of partition 3
    81723.323456 C 3 500 600      their effects are durable, as far as the consumer was told
    81723.423456 M 3 600          600 is about to be committed
    81723.523456 K 3 600          … and was

Times are CLOCK_MONOTONIC, shared by all processes of a machine.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class Journal:
    """Appends to the file of one worker. Every line is written separately, so nothing is buffered in this process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, kind: str, *numbers: int) -> None:
        line = " ".join([f"{time.monotonic():.6f}", kind, *map(str, numbers)])
        os.write(self._file, line.encode() + b"\n")


def seeks(path: Path) -> int:
    """Return how many rebalances the worker has come through."""
    return path.read_text().count(" S\n") if path.exists() else 0


class Ranges:
    """A set of offsets, as disjoint half-open ranges."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        self.added = 0

    def add(self, start: int, end: int) -> None:
        self.added += end - start
        kept = []
        for low, high in self._ranges:
            if high < start or low > end:
                kept.append((low, high))
            else:
                start, end = min(low, start), max(high, end)
        self._ranges = sorted([*kept, (start, end)])

    def covers(self, start: int, end: int) -> bool:
        return end <= start or any(low <= start and end <= high for low, high in self._ranges)

    @property
    def size(self) -> int:
        return sum(high - low for low, high in self._ranges)


@dataclass
class Findings:
    """``early``: commits past an incomplete offset; ``repeated``: deliveries beyond the first."""

    early: list[str] = field(default_factory=list)
    repeated: int = 0


def log_lines(
    paths: Iterable[Path], first: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[Mapping[str, int | str]]:
    """Yield the round as a log of produces and polls for ``app/audit_anomalies.py``: all of ``first`` to ``ends`` was
    written before it was read, so there is no lag.
    """
    for partition, start in first.items():
        for offset in range(start, ends.get(partition, start)):
            yield {"op": "ok", **_record(partition, offset), "at": 0}
    for path in paths:
        for line in path.read_text().splitlines():
            _, kind, *numbers = line.split()
            if kind == "S":
                yield {"op": "assign", "consumer": path.stem}
            elif kind == "D":
                partition, start, end = map(int, numbers)
                for offset in range(start, end):
                    yield {"op": "poll", "consumer": path.stem, **_record(partition, offset), "at": 0}


def _record(partition: int, offset: int) -> Mapping[str, int | str]:
    return {"partition": str(partition), "offset": offset, "value": f"{partition}@{offset}"}


def examine(paths: Iterable[Path], first: dict[int, int]) -> Findings:
    """Read the journals of all workers of a round. ``first``: the expected first offset of each partition."""
    lines = sorted(
        (float(at), kind, [int(n) for n in numbers], path.stem)
        for path in paths
        for at, kind, *numbers in (line.split() for line in path.read_text().splitlines())
    )
    delivered: dict[int, Ranges] = defaultdict(Ranges)
    completed: dict[int, Ranges] = defaultdict(Ranges)
    findings = Findings()
    for at, kind, numbers, worker in lines:
        if kind == "D":
            delivered[numbers[0]].add(*numbers[1:])
        elif kind == "C":
            completed[numbers[0]].add(*numbers[1:])
        elif kind == "M":
            partition, offset = numbers
            if not completed[partition].covers(first[partition], offset):
                findings.early.append(f"{worker} at {at:.3f}: committed {offset} of partition {partition}")
    findings.repeated = sum(ranges.added - ranges.size for ranges in delivered.values())
    return findings
