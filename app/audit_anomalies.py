"""Anomalies of a log of produces and polls, by the names of Jepsen's Kafka checker. Pure.

A line is a JSON object. ``value`` is unique to a produced record; ``at`` is epoch milliseconds.

    {"op":"ok","partition":"messages-3","offset":17,"value":"m-1","at":1732312312345}      acknowledged
    {"op":"poll","consumer":"w-1","partition":"messages-3","offset":17,"value":"m-1","at":1732312312350}
    {"op":"assign","consumer":"w-1"}      a rebalance or a seek: the next poll of a partition may begin anywhere

* ``lost-write``: acknowledged, and passed over by every consumer that read later offsets.
* ``unseen``: acknowledged, and nobody has read so far.
* ``duplicate``: one value at several offsets. ``inconsistent-offsets``: several values at one offset.
* ``poll-skip``: a consumer jumped over an offset that holds a record. ``nonmonotonic-poll``: it went back.
* ``realtime-lag``: a record was first read so long after its acknowledgement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_EXAMPLES = 10
LAG_MS = 10_000
NAMES = (
    "lost-write",
    "unseen",
    "duplicate",
    "inconsistent-offsets",
    "poll-skip",
    "nonmonotonic-poll",
    "realtime-lag",
)


@dataclass(slots=True)
class Anomalies:
    """``counts`` by name, the first ``MOST_EXAMPLES`` of each in ``examples``. ``worst_lag_ms``: the longest wait."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    worst_lag_ms: int = 0
    acknowledged: int = 0
    polled: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.counts

    def add(self, name: str, example: str) -> None:
        """Count one anomaly."""
        self.counts[name] += 1
        examples = self.examples.setdefault(name, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(example)

    def __str__(self) -> str:
        head = f"{self.acknowledged} acknowledged, {self.polled} polled, worst lag {self.worst_lag_ms} ms"
        if self.is_clean:
            return f"no anomaly: {head}"
        lines = [f"{name}: {self.counts[name]}" for name in NAMES if self.counts[name]]
        shown = [f"  {text}" for name in NAMES for text in self.examples.get(name, ())]
        return "\n".join([head, *lines, *shown])


def anomalies(lines: Iterable[Mapping[str, Any]], lag_ms: int = LAG_MS) -> Anomalies:
    """Return the anomalies of a whole log. Memory: an entry a record. Raises ``KeyError`` for an incomplete line."""
    log = _Log(lag_ms)
    for line in lines:
        log.take(line)
    return log.found()


class _Log:
    def __init__(self, lag_ms: int) -> None:
        self._lag_ms = lag_ms
        self._anomalies = Anomalies()
        self._acknowledged: dict[tuple[str, int], tuple[str, int]] = {}
        self._values: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._read: set[tuple[str, int]] = set()
        self._last: dict[str, dict[str, int]] = defaultdict(dict)
        self._jumps: list[tuple[str, str, int, int]] = []

    def take(self, line: Mapping[str, Any]) -> None:
        op = line["op"]
        if op == "assign":
            self._last.pop(line["consumer"], None)
            return
        at = line["partition"], line["offset"]
        if op == "ok":
            self._anomalies.acknowledged += 1
            self._acknowledged[at] = line["value"], line["at"]
            self._values[at].add(line["value"])
        elif op == "poll":
            self._poll(at, line)

    def _poll(self, at: tuple[str, int], line: Mapping[str, Any]) -> None:
        partition, offset = at
        self._anomalies.polled += 1
        self._values[at].add(line["value"])
        last = self._last[line["consumer"]].get(partition)
        self._last[line["consumer"]][partition] = offset
        if last is not None and offset <= last:
            self._anomalies.add("nonmonotonic-poll", f"{line['consumer']} read {partition}@{offset} after @{last}")
        elif last is not None and offset > last + 1:
            self._jumps.append((line["consumer"], partition, last, offset))
        if at not in self._read:
            self._read.add(at)
            acknowledged_ms = self._acknowledged.get(at, ("", line["at"]))[1]
            lag = max(0, line["at"] - acknowledged_ms)
            self._anomalies.worst_lag_ms = max(self._anomalies.worst_lag_ms, lag)
            if lag > self._lag_ms:
                self._anomalies.add("realtime-lag", f"{partition}@{offset} was read after {lag} ms")

    def found(self) -> Anomalies:
        found = self._anomalies
        for name, example in (*self._writes(), *self._offsets(), *self._skips()):
            found.add(name, example)
        return found

    def _writes(self) -> Iterator[tuple[str, str]]:
        furthest: dict[str, int] = {}
        for partition, offset in self._read:
            furthest[partition] = max(furthest.get(partition, -1), offset)
        for (partition, offset), (value, _) in self._acknowledged.items():
            if (partition, offset) not in self._read:
                is_passed = offset < furthest.get(partition, -1)
                yield "lost-write" if is_passed else "unseen", f"{value} at {partition}@{offset}"

    def _offsets(self) -> Iterator[tuple[str, str]]:
        places: dict[str, list[str]] = defaultdict(list)
        for (partition, offset), values in self._values.items():
            if len(values) > 1:
                yield "inconsistent-offsets", f"{partition}@{offset} has {', '.join(sorted(values))}"
            for value in values:
                places[value].append(f"{partition}@{offset}")
        for value, where in places.items():
            if len(where) > 1:
                yield "duplicate", f"{value} at {', '.join(where)}"

    def _skips(self) -> Iterator[tuple[str, str]]:
        for consumer, partition, last, offset in self._jumps:
            skipped = [n for n in range(last + 1, offset) if (partition, n) in self._values]
            if skipped:
                yield "poll-skip", f"{consumer} read {partition}@{offset} after @{last}, without @{skipped[0]}"
