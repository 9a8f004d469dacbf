"""The figures of a sitting, ours as shares of the limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from loadtests.figures import table
from loadtests.generator import Shots, percentile

# issue 16: the accept path on two cores, all parts on them
MOST_TIMES_FLOOR_AT_100 = 1.25
MOST_P99_MS_AT_500 = 10.0
LEAST_PER_SECOND_ON_64 = 3_000.0
MOST_TIMES_KNOWN = 1.5


class Spread(NamedTuple):
    """Latencies of accepts in milliseconds, from when each request was due. ``refused``: the answers but 202."""

    p50_ms: float
    p99_ms: float
    per_second: float
    refused: int

    @classmethod
    def of(cls, shots: Shots) -> Self:
        found = shots.latencies_ms()
        p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
        return cls(p50, p99, len(shots) / shots.seconds, len(shots) - shots.count(202))


@dataclass(slots=True)
class Subject:
    """The figures of one system. ``rates`` by accepts a second, ``flat_out`` by connections.

    ``new``: first messages of new direct conversations at ``new_rate``. ``to_the_end``: messages a second until READ.
    ``cpu_ms``: processor time a message, by process, while those went through.
    """

    name: str
    rates: dict[float, Spread] = field(default_factory=dict)
    flat_out: dict[int, Spread] = field(default_factory=dict)
    new: Spread | None = None
    new_rate: float = 0.0
    to_the_end: float | None = None
    cpu_ms: dict[str, float] = field(default_factory=dict)
    other_cores: float = 0.0

    @property
    def refused(self) -> int:
        """How many answers were not 202."""
        spreads = [*self.rates.values(), *self.flat_out.values(), *([self.new] if self.new else [])]
        return sum(spread.refused for spread in spreads)


class GoalResult(NamedTuple):
    """A goal, the measured figure, and whether it is met."""

    goal: str
    measured: str
    is_met: bool


def times(ours: float, limit: float) -> float:
    """Return ``ours`` as a multiple of ``limit``; not a number without a limit."""
    return ours / limit if limit else float("nan")


def verdicts(floor: Subject, ours: Subject) -> list[GoalResult]:
    """Return the goals of the accept path that this sitting measured. ``floor``: the bare accept alone."""
    found: list[GoalResult] = []
    if (mine := ours.rates.get(100.0)) is not None and (limit := floor.rates.get(100.0)) is not None:
        share = times(mine.p99_ms, limit.p99_ms)
        goal = f"accept p99 at 100/s at most {MOST_TIMES_FLOOR_AT_100:g} times the bare one's"
        measured = f"{mine.p99_ms:.1f} ms, {share:.2f} times {limit.p99_ms:.1f} ms"
        found.append(GoalResult(goal, measured, share <= MOST_TIMES_FLOOR_AT_100))
    if (mine := ours.rates.get(500.0)) is not None:
        goal = f"accept p99 at 500/s at most {MOST_P99_MS_AT_500:g} ms"
        found.append(GoalResult(goal, f"{mine.p99_ms:.1f} ms", mine.p99_ms <= MOST_P99_MS_AT_500))
    if (mine := ours.flat_out.get(64)) is not None:
        goal = f"flat out on 64 connections at least {LEAST_PER_SECOND_ON_64:,.0f}/s"
        found.append(GoalResult(goal, f"{mine.per_second:,.0f}/s", mine.per_second >= LEAST_PER_SECOND_ON_64))
    if ours.new is not None and (mine := ours.rates.get(ours.new_rate)) is not None:
        middle, tail = times(ours.new.p50_ms, mine.p50_ms), times(ours.new.p99_ms, mine.p99_ms)
        goal = f"a new direct conversation's first message at most {MOST_TIMES_KNOWN:g} times a known one's"
        measured = f"p50 {middle:.2f}, p99 {tail:.2f} times"
        found.append(GoalResult(goal, measured, max(middle, tail) <= MOST_TIMES_KNOWN))
    return found


def markdown(subjects: Sequence[Subject], verdict: Sequence[GoalResult]) -> str:
    """Return the tables. The first subject is the limit; the others' cells have the multiple of it in brackets."""
    head = ["", *(subject.name for subject in subjects)]
    rows: list[list[str]] = []
    for rate in subjects[0].rates:
        found = [subject.rates.get(rate) for subject in subjects]
        rows.append([f"accept p50 at {rate:g}/s, ms", *_cells([one and one.p50_ms for one in found])])
        rows.append([f"accept p99 at {rate:g}/s, ms", *_cells([one and one.p99_ms for one in found])])
    for connections in subjects[0].flat_out:
        counts = [one and one.per_second for one in (subject.flat_out.get(connections) for subject in subjects)]
        rows.append([f"accepted/s on {connections} connections", *_cells(counts, 0)])
    news = [subject.new for subject in subjects]
    if any(news):
        rate = max(subject.new_rate for subject in subjects)
        rows.append([f"first of a new conversation at {rate:g}/s, p50, ms", *_cells([n and n.p50_ms for n in news])])
        rows.append([f"first of a new conversation at {rate:g}/s, p99, ms", *_cells([n and n.p99_ms for n in news])])
    rows.append(["accepted and READ, /s", *_cells([subject.to_the_end for subject in subjects], 0)])
    rows += _cpu_rows(subjects)
    rows.append(["cores of others meanwhile", *(f"{subject.other_cores:.2f}" for subject in subjects)])
    rows.append(["answers but 202", *(str(subject.refused) for subject in subjects)])
    parts = [table(head, rows)]
    if verdict:
        met = [[one.goal, one.measured, "met" if one.is_met else "NOT MET"] for one in verdict]
        parts.append(table(["goal", "measured", ""], met))
    return "\n\n".join(parts)


def _cpu_rows(subjects: Sequence[Subject]) -> list[list[str]]:
    names = sorted({name for subject in subjects for name in subject.cpu_ms})
    rows = [[f"CPU a message, ms: {name}", *(_number(one.cpu_ms.get(name), 3) for one in subjects)] for name in names]
    sums = [sum(one.cpu_ms.values()) or None for one in subjects]
    return [*rows, ["CPU a message, ms: everything", *_cells(sums, 2)]] if names else []


def _cells(values: Sequence[float | None], digits: int = 1) -> list[str]:
    """Return the values as texts; those after the first that is there with their multiple of it."""
    limit = next((value for value in values if value is not None), None)
    cells = []
    for value in values:
        shown = _number(value, digits)
        is_limit = value is limit or limit is None or value is None
        cells.append(shown if is_limit else f"{shown} ({times(value or 0.0, limit or 0.0):.2f}×)")
    return cells


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
