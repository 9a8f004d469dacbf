"""A parser under fuzz, and one call of it with its bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

SLOW_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """``parse`` takes a value of ``inputs``. ``refusals``: the exceptions with which it may refuse it."""

    name: str
    inputs: SearchStrategy[Any]
    parse: Callable[[Any], object]
    refusals: tuple[type[Exception], ...] = ()


class TooSlow(AssertionError):
    """A call took longer than ``SLOW_SECONDS`` of processor time."""


@dataclass(slots=True)
class Worst:
    """The longest call, in seconds of processor time."""

    seconds: float = 0.0


def call(target: Target, value: object, worst: Worst | None = None) -> bool:
    """Parse ``value``; return whether it was taken. Raises ``TooSlow``, and any exception that is not a refusal.

    A slow call is made again before it counts: a collection of garbage may have fallen into it.
    """
    for is_last in (False, True):
        began = time.thread_time()
        try:
            target.parse(value)
            taken = True
        except target.refusals:
            taken = False
        seconds = time.thread_time() - began
        if seconds < SLOW_SECONDS:
            if worst is not None:
                worst.seconds = max(worst.seconds, seconds)
            return taken
        if is_last:
            raise TooSlow(f"{target.name} took {seconds:.3f} s of processor time for {value!r:.200}")
    raise AssertionError("unreachable")
