"""Plants one fault after the other, and notes when its alerts fired, reached Alertmanager and were resolved."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from loadtests.alarms.faults import BESIDE, LAST, ONE_AFTER_THE_OTHER, Fault, Step
from loadtests.alarms.watch import Seen, Watch
from loadtests.alarms.world import World

RESOLVE_SECONDS = 420.0
RECEIVE_SECONDS = 60.0
CALM_SECONDS = 120.0
STEP_SECONDS = 300.0


@dataclass(slots=True)
class Outcome:
    """One alert of a fault: seconds from the planting to the alert, on to Alertmanager, from the undoing to its end.

    ``None``: it did not happen within its bound.
    """

    fault: str
    alert: str
    fired_seconds: float | None = None
    received_seconds: float | None = None
    resolved_seconds: float | None = None
    strangers: set[str] = field(default_factory=set)

    @property
    def is_right(self) -> bool:
        """Whether it fired, was received and was resolved, and nothing fired that has no part in it."""
        times = (self.fired_seconds, self.received_seconds, self.resolved_seconds)
        return None not in times and not self.strangers


class Runner:
    """Does the faults named in ``only`` (all if none is named)."""

    def __init__(self, world: World, watch: Watch, only: Iterable[str] = ()) -> None:
        self._world = world
        self._watch = watch
        self._only = set(only)
        self._is_stopped = False
        self.outcomes: list[Outcome] = []

    def stop(self) -> None:
        """Plant no further fault, and wait no longer for the one at hand: what was seen so far is the result."""
        say("stopping early: the faults that are left are not planted")
        self._is_stopped = True

    async def under_load(self) -> None:
        """Do the faults that lose nothing."""
        beside = [each for each in BESIDE if self._is_wanted(each)]
        follows = {name for each in beside for name in (*each.alerts, *each.follows)}
        tasks = [asyncio.create_task(self.do(each, every_alert())) for each in beside]
        for fault in ONE_AFTER_THE_OTHER:
            if self._is_wanted(fault):
                await self._calm(follows)
                await self.do(fault, follows)
        await asyncio.gather(*tasks)

    async def last(self) -> None:
        """Do the fault that loses messages."""
        if self._is_wanted(LAST):
            await self._calm(set())
            await self.do(LAST, set())

    def _is_wanted(self, fault: Fault) -> bool:
        return not self._is_stopped and (not self._only or bool(self._only & set(fault.alerts)))

    async def _calm(self, others: set[str]) -> None:
        """Wait until nothing fires but ``others``, so that the next alert has one cause."""
        await self._watch.wait(
            "no alert fires", lambda: self._is_stopped or not self._watch.firing - others, CALM_SECONDS
        )

    async def do(self, fault: Fault, others: set[str]) -> None:
        """Plant, wait, undo, wait. ``others``: alerts that faults beside it may bring."""
        say(f"{fault.name}: {', '.join(fault.alerts)} must fire (machine load {os.getloadavg()[0]:.0f})")
        made = {alert: Outcome(fault.name, alert) for alert in fault.alerts}
        self.outcomes += made.values()
        began, before = monotonic(), set(self._watch.firing)
        await self._step(fault.plant, fault.name)
        await self._until_all(fault.alerts, lambda name: self._seen(name, began), fault.seconds)
        await self._until_all(fault.alerts, lambda name: bool(self._received(name, began)), RECEIVE_SECONDS)
        undone = monotonic()
        await self._step(fault.undo, fault.name)
        await self._until_all(fault.alerts, lambda name: name not in self._watch.firing, RESOLVE_SECONDS)
        mine = {*fault.alerts, *fault.follows, *others, *before}
        fired = {name for name, times in self._watch.history.items() if any(each.fired >= began for each in times)}
        for name, outcome in made.items():
            self._note(outcome, self._seen(name, began), began, undone)
            outcome.strangers = fired - mine
            say(f"  {line_of(outcome)}")

    async def _step(self, step: Step, name: str) -> None:
        """Do a step. One that fails is told, and the other faults still have their turn."""
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await step(self._world)
        except Exception as error:  # noqa: BLE001
            say(f"  {name}: {error!r:.300}")

    async def _until_all(self, names: Iterable[str], holds: Callable[[str], object], seconds: float) -> None:
        names = tuple(names)
        await self._watch.wait(f"{', '.join(names)}", lambda: self._is_stopped or all(map(holds, names)), seconds)

    def _seen(self, name: str, since: float) -> Seen | None:
        return next((each for each in self._watch.history.get(name, ()) if each.fired >= since), None)

    def _received(self, name: str, since: float) -> float:
        times = (each.received for each in self._watch.history.get(name, ()) if each.fired >= since)
        return next((at for at in times if at), 0.0)

    def _note(self, outcome: Outcome, seen: Seen | None, began: float, undone: float) -> None:
        if seen is None:
            return
        outcome.fired_seconds = seen.fired - began
        if at := self._received(outcome.alert, began):
            outcome.received_seconds = at - seen.fired
        if outcome.alert not in self._watch.firing:
            ended = max(each.resolved for each in self._watch.history[outcome.alert])
            outcome.resolved_seconds = max(0.0, ended - undone)


def every_alert() -> set[str]:
    """Return the alerts of all faults: what a fault beside the others may see."""
    return {name for each in (*BESIDE, *ONE_AFTER_THE_OTHER) for name in (*each.alerts, *each.follows)}


def line_of(outcome: Outcome) -> str:
    """Return an outcome as a line."""
    words = [f"{outcome.alert}:"]
    for verb, seconds in (
        ("fired after", outcome.fired_seconds),
        ("at Alertmanager after", outcome.received_seconds),
        ("resolved after", outcome.resolved_seconds),
    ):
        words.append(f"{verb} {seconds:.0f} s;" if seconds is not None else f"NOT {verb.partition(' ')[0]};")
    if outcome.strangers:
        words.append(f"and so did {', '.join(sorted(outcome.strangers))}, which should not")
    return " ".join(words)


def say(text: str) -> None:
    """Print a line with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
