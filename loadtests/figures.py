"""The results of a benchmark and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtests.generator import Shots, percentile
from loadtests.meter import GENERATOR

GOAL_PER_SECOND = 700.0
GOAL_WORKER_MS = 1.3
GOAL_P99_MS, GOAL_P99_RATE = 10.0, 100.0
QUIET_CORES = 0.1
_NOT_WORKERS = ("api", "Kafka", "Cassandra", GENERATOR)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an accept took at a rate, in milliseconds from the scheduled time; rate 0: flat out.

    ``other_cores``: what all else on the machine kept busy meanwhile. ``sent_p50_ms`` and ``sent_p99_ms``: from the
    acceptance of a message to its first SENT.
    """

    per_second: float
    requests: int
    achieved_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float
    not_accepted: int
    other_cores: float
    sent_p50_ms: float
    sent_p99_ms: float

    @classmethod
    def of(cls, shots: Shots, per_second: float, other_cores: float, to_sent_ms: Sequence[float]) -> Latency:
        found, sent = shots.latencies_ms(), sorted(to_sent_ms) or [0.0]
        p50, p95, p99 = (percentile(found, share) for share in (0.5, 0.95, 0.99))
        achieved = len(shots) / shots.seconds
        not_accepted = len(shots) - shots.count(202)
        return cls(
            per_second,
            len(shots),
            achieved,
            p50,
            p95,
            p99,
            found[-1],
            not_accepted,
            other_cores,
            percentile(sent, 0.5),
            percentile(sent, 0.99),
        )


@dataclass(slots=True)
class Figures:
    """The result of ``python -m loadtests.bench``. CPU in milliseconds a message, by kind of process."""

    command: str
    when: str
    machine: str
    set_up: str
    latencies: list[Latency] = field(default_factory=list)
    flat_out: list[tuple[int, Latency]] = field(default_factory=list)
    messages: int = 0
    accept_seconds: float = 0.0
    read_seconds: float = 0.0
    mirror_seconds: float = 0.0
    cpu_ms: dict[str, float] = field(default_factory=dict)
    idle_ms_a_second: dict[str, float] = field(default_factory=dict)
    other_cores: float = 0.0
    ledger: str = ""

    @property
    def worker_ms(self) -> float:
        """Processor time of all workers for one message."""
        return sum(ms for name, ms in self.cpu_ms.items() if name not in _NOT_WORKERS)

    def goals(self) -> list[tuple[str, str, bool]]:
        """Return each goal, the measurement, and the verdict."""
        per_second = self.messages / self.read_seconds if self.read_seconds else 0.0
        found = [
            (
                f"at least {GOAL_PER_SECOND:g} messages/s end to end",
                f"{per_second:,.0f}/s",
                per_second >= GOAL_PER_SECOND,
            ),
            (
                f"at most {GOAL_WORKER_MS:g} ms of worker CPU a message",
                f"{self.worker_ms:.2f} ms",
                self.worker_ms <= GOAL_WORKER_MS,
            ),
        ]
        for latency in self.latencies:
            if latency.per_second == GOAL_P99_RATE:
                goal = f"accept p99 under {GOAL_P99_MS:g} ms at {GOAL_P99_RATE:g}/s"
                found.append((goal, f"{latency.p99_ms:.1f} ms", latency.p99_ms < GOAL_P99_MS))
        return found

    def markdown(self) -> str:
        """Return everything as Markdown; it reads well on a terminal too."""
        parts = [
            f"Command: `{self.command}`",
            f"Date: {self.when}",
            f"Machine: {self.machine}",
            f"Set-up: {self.set_up}",
        ]
        tables = [self._accept_table(), self._throughput_table(), self._cpu_table(), self._goal_table()]
        return "  \n".join(parts) + "\n\n" + "\n\n".join(tables) + f"\n\n{self.ledger}\n"

    def _accept_table(self) -> str:
        rows = [(f"{x.per_second:g}/s", *_latency_cells(x)) for x in self.latencies]
        rows += [(f"flat out, {connections} connections", *_latency_cells(x)) for connections, x in self.flat_out]
        head = (
            "load",
            "requests",
            "accepted/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "most ms",
            "not 202",
            "others, cores",
            "to SENT p50 ms",
            "to SENT p99 ms",
        )
        return f"### Accepting\n\n{table(head, rows)}"

    def _throughput_table(self) -> str:
        rows = [
            ("accepted (202)", self.accept_seconds),
            ("READ on `status-updates`", self.read_seconds),
            ("in Cassandra (mirror has committed)", self.mirror_seconds),
        ]
        cells = [(what, f"{s:.1f}", f"{self.messages / s:,.0f}") for what, s in rows if s]
        return f"### {self.messages:,} messages, flat out, to the end\n\n" + table(
            ("until all are", "seconds", "messages/s"), cells
        )

    def _cpu_table(self) -> str:
        names = sorted(self.cpu_ms, key=lambda name: (name in _NOT_WORKERS, name))
        rows = [(n, f"{self.cpu_ms[n]:.3f}", f"{self.idle_ms_a_second.get(n, 0.0):.1f}") for n in names]
        rows.append(("**all workers**", f"**{self.worker_ms:.3f}**", ""))
        rows.append(("**everything**", f"**{sum(self.cpu_ms.values()):.3f}**", ""))
        others = f"All else on the machine kept {self.other_cores:.2f} cores busy meanwhile"
        others += "." if self.other_cores <= QUIET_CORES else ": TOO MANY, the figures are those of a busy machine."
        shown = table(("process", "ms a message", "ms a second when idle"), rows)
        return f"### Processor time\n\n{shown}\n\n{others}"

    def _goal_table(self) -> str:
        return "### Goals\n\n" + table(
            ("goal", "measured", ""), [(goal, found, "met" if met else "NOT MET") for goal, found, met in self.goals()]
        )


def _latency_cells(x: Latency) -> tuple[str, ...]:
    numbers = (x.p50_ms, x.p95_ms, x.p99_ms, x.most_ms)
    return (
        str(x.requests),
        f"{x.achieved_per_second:,.0f}",
        *(f"{number:.1f}" for number in numbers),
        str(x.not_accepted),
        f"{x.other_cores:.2f}",
        f"{x.sent_p50_ms:.0f}",
        f"{x.sent_p99_ms:.0f}",
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with padded columns."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
