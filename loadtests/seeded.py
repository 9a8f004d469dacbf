"""Runs of which a seed makes the plan: their verdicts, the options that they share, and one run after the other."""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import uvloop

from loadtests.command_line import parser_of
from loadtests.servers import own_servers
from loadtests.system import Servers

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict. ``faults``: a description of each."""

    title: str
    faults: Sequence[str]
    note: str = ""

    def __str__(self) -> str:
        head = f"{'ok ' if not self.faults else 'BAD'} {self.title}: {self.note}"
        if not self.faults:
            return head
        shown = [f"      {text}" for text in self.faults[:SHOWN]]
        return "\n".join([f"{head} — {len(self.faults)} faults", *shown])


class SeededPlan(Protocol):
    """The fields of every such plan."""

    @property
    def seed(self) -> int: ...
    @property
    def messages(self) -> int: ...
    @property
    def per_second(self) -> float: ...
    @property
    def kills(self) -> int: ...
    @property
    def limit_seconds(self) -> float: ...


@dataclass(slots=True)
class Result:
    """The verdicts of a run. ``seconds``: of load and rest."""

    plan: SeededPlan
    seconds: float = 0.0
    checks: list[Check] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return all(not check.faults for check in self.checks)

    def __str__(self) -> str:
        head = f"seed {self.plan.seed}: {self.plan.messages} messages in {self.seconds:.0f} s: "
        return "\n".join([head + ("good" if self.is_good else "BAD"), *(f"  {check}" for check in self.checks)])


P = TypeVar("P", bound=SeededPlan)


def parser_for(program: str, about: str, usual: SeededPlan) -> argparse.ArgumentParser:
    """Return a parser with the options of every seeded run; ``usual`` has their defaults."""
    parser = parser_of(program, about)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--seeds", type=int, default=1, help="runs, with consecutive seeds")
    parser.add_argument("--messages", type=int, default=usual.messages)
    parser.add_argument("--per-second", type=float, default=usual.per_second, help="messages")
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--minutes", type=float, default=usual.limit_seconds / 60, help="bound of load and rest")
    parser.add_argument("--keep", type=Path, help="folder in which the logs stay")
    return parser


def run_seeds(
    name: str,
    wanted: argparse.Namespace,
    plan_of: Callable[[int], P],
    run: Callable[[P, Servers, Path], Coroutine[Any, Any, Result]],
) -> int:
    """Run the plan of each wanted seed on servers of its own, and print the verdicts. Return the exit code."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    bad = 0
    for seed in range(wanted.seed, wanted.seed + wanted.seeds):
        with own_servers(name, ["kafka", "cassandra"]) as (stack, folder):
            (folder / "run").mkdir()
            try:
                result = uvloop.run(run(plan_of(seed), stack, folder / "run"))
            finally:
                if wanted.keep:
                    shutil.copytree(folder / "run", wanted.keep / f"seed-{seed}", dirs_exist_ok=True)
        print(result, flush=True)
        bad += not result.is_good
    print(f"{wanted.seeds} runs, {bad} bad")
    return 1 if bad else 0
