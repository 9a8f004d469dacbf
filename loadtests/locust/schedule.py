"""When the turns of one simulated user are due."""

from __future__ import annotations


class Schedule:
    """A turn every ``every_seconds`` from ``first``, however long one takes.

    A latency counts from the due time, so the delay that a slow answer causes to later turns is part of it (no
    coordinated omission). Times are those of one monotonic clock, in seconds.
    """

    def __init__(self, first: float, every_seconds: float) -> None:
        self._next = first
        self._every_seconds = every_seconds

    def take(self) -> float:
        """Return the due time of the present turn; the next turn is due ``every_seconds`` later."""
        due = self._next
        self._next += self._every_seconds
        return due

    def seconds_left(self, now: float) -> float:
        """Return how long until the next turn is due; 0 if it is late."""
        return max(0.0, self._next - now)
