"""The findings of a run, ready to be shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.ledger import Balance
from loadtests.locust.recorder import SEND, Line

if TYPE_CHECKING:
    from loadtests.locust.run_state import RunState

Points = Sequence[tuple[float, float]]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Guide:
    """The claim of the user's document: 20 users, 753 messages a minute, no error, p95 2.39 ms."""

    users: int = 20
    per_minute: float = 753.0
    errors: int = 0
    p95_ms: float = 2.39


@dataclass(slots=True)
class Results:
    """The figures of a run. Series are (seconds since the start, value).

    ``to_end_ms``: from acceptance to the last state of each message, sorted.
    """

    shape: str
    about: str
    date: str
    command: str
    commit: str
    machine: str
    settings: str
    users: int
    measured_stages: list[str]
    lines: list[Line]
    errors: dict[str, int]
    repeated: int
    balance: Balance
    limit_broken: str = ""
    load_at_the_end: str = ""
    to_end_ms: list[float] = field(default_factory=list)
    throughput: Points = ()
    p50_ms: Points = ()
    p95_ms: Points = ()
    p99_ms: Points = ()
    lag: Points = ()
    in_flight: Points = ()
    waiting: Points = ()
    mirror_delay: Points = ()
    memory_mib: Mapping[str, Points] = field(default_factory=dict)

    def sends(self) -> list[Line]:
        """Return the figures of sending a message, one line for each measured stage."""
        return [line for line in self.lines if line.kind == SEND and line.stage in self.measured_stages]


def results_of(run: RunState, balance: Balance, histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Results:
    """Return the results of a run that has ended."""
    recorder, samples = run.recorder, run.samples
    seconds = sorted(recorder.seconds.items())
    p50, p95, p99 = (
        [(float(at), second.histogram.get_value_at_percentile(p) / 1000) for at, second in seconds]
        for p in (50.0, 95.0, 99.0)
    )
    return Results(
        shape=run.shape.name,
        about=run.shape.about,
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        command=run.options.command or "locust -f loadtests/locust/locustfile.py",
        commit=run.commit,
        machine=run.machine,
        settings=run.options.settings or f"those of {run.options.host}",
        users=run.options.users,
        measured_stages=[stage.name for stage in run.shape.stages if stage.is_measured],
        lines=recorder.lines(),
        errors=dict(recorder.errors),
        repeated=recorder.repeated,
        balance=balance,
        limit_broken=run.limit_broken,
        load_at_the_end=f"{os.getloadavg()[0]:.1f} (1 min), {os.getloadavg()[2]:.1f} (15 min)",
        to_end_ms=to_end_ms(histories),
        throughput=[(float(at), float(second.answers)) for at, second in seconds],
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        lag=samples.lag,
        in_flight=samples.in_flight,
        waiting=samples.waiting,
        mirror_delay=samples.mirror_delay,
        memory_mib=dict(samples.memory_mib),
    )


def to_end_ms(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[float]:
    """Return, sorted, the times from the acceptance of each message to its READ or FAILED."""
    found = []
    for documents in histories.values():
        for document in documents:
            if end := document["read_at"] or document["failed_at"]:
                found.append(datetime.fromisoformat(end).timestamp() * 1000 - document["timestamp"])
    return sorted(found)


def commit() -> str:
    """Return the commit of the checkout, with a mark if files differ from it; "unknown" outside of one."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
