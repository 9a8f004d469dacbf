"""Chains whose head waits for long: their keys alone are in memory, with the time at which they wake."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

from agents.chains import Backlog, Sleep

LEAST_SECONDS = 60.0  # a shorter wait is not worth two more reads of the row
MOST_SLEEPERS = 100_000  # of a worker: each takes about a third of a KiB


class Sleepers:
    """Those of one worker. ``Backlog.sleeping`` has them by their prefix; an entry of the heap may be out of date."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Backlog, bytes]] = []
        self._order = count()

    @property
    def is_full(self) -> bool:
        """Whether no further chain may sleep."""
        return len(self._due) >= MOST_SLEEPERS

    def add(self, backlog: Backlog, prefix: bytes, due_ms: int, reason: str) -> None:
        """Let a chain sleep until ``due_ms``."""
        backlog.sleeping[prefix] = Sleep(due_ms, reason)
        heappush(self._due, (due_ms, next(self._order), backlog, prefix))

    def awake(self, now_ms: int) -> Iterator[tuple[Backlog, bytes]]:
        """Take out the chains that are due."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, _, backlog, prefix = heappop(self._due)
            known = backlog.sleeping.get(prefix)
            if known is not None and known.due_ms == due_ms:
                del backlog.sleeping[prefix]
                yield backlog, prefix

    def clear(self) -> None:
        """Forget all: the partitions are going away."""
        self._due.clear()
