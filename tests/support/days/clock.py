"""A machine's clock that creeps while anything runs, and jumps to the next timer when nothing does.

``install`` replaces the functions of ``time``, so it has to come before the first import of the product.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any

BEGIN_S = 1_764_342_000.0
TURN_SECONDS = 1e-6  # of the loop: a timer that is early by a rounding error comes again, and then it is due


class StandsStill(RuntimeError):
    """Nothing is ready and no timer is set: the simulation waits for ever."""


class Clock:
    """``seconds`` since the simulation began."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return BEGIN_S + self.seconds

    def time_ns(self) -> int:
        return int(BEGIN_S) * 1_000_000_000 + int(self.seconds * 1_000_000_000)


def install() -> Clock:
    """Let this process have a simulated clock from now on."""
    clock = Clock()
    time.monotonic = clock.monotonic
    time.time = clock.time
    time.time_ns = clock.time_ns
    return clock


class _NothingComes(selectors.DefaultSelector):
    """A selector that asks the system for nothing: no socket of a simulation is ever ready."""

    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on a simulated clock. It never waits."""

    def __init__(self, clock: Clock) -> None:
        self._simulated = clock
        super().__init__(_NothingComes())

    def time(self) -> float:
        return self._simulated.seconds

    def _run_once(self) -> None:
        if not self._ready:  # type: ignore[attr-defined]
            timers = self._scheduled  # type: ignore[attr-defined]
            if not timers:
                raise StandsStill("nothing is ready and no timer is set")
            self._simulated.seconds = max(self._simulated.seconds, timers[0].when())
        self._simulated.seconds += TURN_SECONDS
        super()._run_once()  # type: ignore[misc]
