"""Latencies and outcomes of a run: an HDR histogram for each stage and kind of request, and a line for each second."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from hdrh.histogram import HdrHistogram

LOWEST_US, HIGHEST_US, DIGITS = 1, 120_000_000, 3
SEND = "POST /v1/messages"
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of one kind of request in one stage. Times in milliseconds, from the scheduled time."""

    stage: str
    kind: str
    count: int
    errors: int
    per_second: float
    mean_ms: float
    percentiles_ms: tuple[float, ...]
    most_ms: float


@dataclass(slots=True)
class Second:
    """The answers in one second of the run."""

    answers: int = 0
    errors: int = 0
    histogram: HdrHistogram = field(default_factory=lambda: HdrHistogram(LOWEST_US, HIGHEST_US, 2))


class Recorder:
    """Takes notes. ``stage`` is the present one; ``began`` the start of the run on the clock of the notes."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.stage = ""
        self.repeated = 0  # requests asked again with the same key
        self.errors: Counter[str] = Counter()
        self.seconds: defaultdict[int, Second] = defaultdict(Second)
        self._histograms: dict[tuple[str, str], HdrHistogram] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._spans: dict[str, tuple[float, float]] = {}

    def enter(self, stage: str, now: float) -> None:
        """The stage named ``stage`` begins, or goes on."""
        self.stage = stage
        first, _ = self._spans.get(stage, (now, now))
        self._spans[stage] = (first, now)

    def note(self, kind: str, due: float, now: float, error: str = "") -> None:
        """A request of ``kind`` that was due at ``due`` has its answer. ``error``: why it counts as failed."""
        stage, micros = self.stage, min(HIGHEST_US, max(LOWEST_US, round((now - due) * 1e6)))
        histogram = self._histograms.get((stage, kind))
        if histogram is None:
            histogram = self._histograms[stage, kind] = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        histogram.record_value(micros)
        if kind == SEND:
            second = self.seconds[int(now - self.began)]
            second.answers += 1
            second.histogram.record_value(micros)
            second.errors += bool(error)
        if error:
            self._failures[stage, kind] += 1
            self.errors[f"{kind}: {error}"] += 1

    def lines(self) -> list[Line]:
        """Return the figures by stage and kind, in the order in which they first came."""
        return [self._line(stage, kind, histogram) for (stage, kind), histogram in self._histograms.items()]

    def line(self, stage: str, kind: str) -> Line | None:
        """Return the figures of ``kind`` in ``stage``."""
        histogram = self._histograms.get((stage, kind))
        return None if histogram is None else self._line(stage, kind, histogram)

    def _line(self, stage: str, kind: str, histogram: HdrHistogram) -> Line:
        first, last = self._spans.get(stage, (0.0, 0.0))
        count = histogram.get_total_count()
        return Line(
            stage,
            kind,
            count,
            self._failures[stage, kind],
            count / max(1.0, last - first),
            histogram.get_mean_value() / 1000,
            tuple(histogram.get_value_at_percentile(p) / 1000 for p in PERCENTILES),
            histogram.get_max_value() / 1000,
        )

    def recent(self, seconds: int, now: float) -> tuple[int, int, float]:
        """Return answers, errors and the 99th percentile (ms) of messages over the last whole ``seconds``."""
        until = int(now - self.began)
        found = [self.seconds[n] for n in range(until - seconds, until) if n in self.seconds]
        merged = HdrHistogram(LOWEST_US, HIGHEST_US, 2)
        for second in found:
            merged.add(second.histogram)
        answers, errors = sum(s.answers for s in found), sum(s.errors for s in found)
        return answers, errors, merged.get_value_at_percentile(99.0) / 1000
