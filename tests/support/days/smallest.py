"""Smaller histories that show the same fault, and what happened in one, step by step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.days.history import History, Outcome

SEEDS = 12  # tried for each size: a smaller history has other chances
MOST_TRIES = 300
LEAST_MESSAGES = 2
_CHARS = 180  # of a record
_NAMES = re.compile(r"\S*[0-9:'-]\S*")


@dataclass(frozen=True, slots=True)
class Size:
    """What makes a history: with the commit it is all of it."""

    seed: int
    days: float
    per_day: int
    crashes: float

    def __str__(self) -> str:
        return f"--seed {self.seed} --days {self.days:g} --per-day {self.per_day} --crashes {self.crashes:g}"

    def smaller(self) -> Iterator[Size]:
        """Yield what is about half of it: in time, in messages, in crashes."""
        if self.days * self.per_day / 2 >= LEAST_MESSAGES:
            yield replace(self, days=round(self.days / 2, 6))
            yield replace(self, per_day=self.per_day // 2)
        if self.days * self.crashes >= 2:
            yield replace(self, crashes=self.crashes / 2)


def kinds_of(faults: list[str]) -> set[str]:
    """Return the faults without what differs from one message to the next."""
    return {_NAMES.sub("…", fault) for fault in faults}


def smallest(size: Size, faults: list[str], live: Callable[[Size], Outcome]) -> tuple[Size, Outcome | None]:
    """Return the smallest history found that shows one of the kinds of ``faults``, and its outcome if it is another."""
    wanted, found, tries = kinds_of(faults), None, 0
    while tries < MOST_TRIES:
        for each in (
            replace(half, seed=seed) for half in size.smaller() for seed in range(size.seed, size.seed + SEEDS)
        ):
            tries += 1
            outcome = live(each)
            if kinds_of(outcome.faults) & wanted:
                size, found = each, outcome
                break
        else:
            break
    return size, found


class Steps:
    """Prints each record of a history with its time, and each end of its worker."""

    def __init__(self, history: History, now: Callable[[], float]) -> None:
        self._history = history
        self._now = now
        self._ends = (0, 0)
        history.broker.on_record = self._record

    def _record(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        world = self._history.world
        ends = (world.crashes, world.stops)
        if ends != self._ends:
            print(
                f"{self._now():12.3f}  ── the worker {'was killed' if ends[0] != self._ends[0] else 'stopped'}",
                flush=True,
            )
            self._ends = ends
        print(f"{self._now():12.3f}  {topic}  {key!r:.80}  {value!r:.{_CHARS}}", flush=True)
