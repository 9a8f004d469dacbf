"""How long somebody who got a password wrong has to wait before the next attempt; without a clock.

The first failures cost nothing, people mistype. Then the wait doubles, from one second up to the longest one, and what
was long ago is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """The rule. ``free`` failures without a wait; 0: there is never one. Times in seconds."""

    free: int
    longest_wait_seconds: float
    first_wait_seconds: float = 1.0

    @property
    def forget_after_seconds(self) -> float:
        """Without a failure for so long all are forgotten; longer than any wait, so that to wait resets nothing."""
        return 3 * max(self.longest_wait_seconds, self.first_wait_seconds)


@dataclass(frozen=True, slots=True)
class Failures:
    """What is remembered of an account: failures in a row, and the time of the last (seconds of any clock)."""

    count: int
    last_at: float


def wait_seconds(known: Failures | None, now: float, patience: Patience) -> float:
    """Return how many seconds must pass before the next attempt, 0 if it may be made."""
    if known is None or not 0 < patience.free <= known.count or _is_forgotten(known, now, patience):
        return 0.0
    doubled = patience.first_wait_seconds * 2.0 ** min(known.count - patience.free, 60)
    wait = min(patience.longest_wait_seconds, doubled)
    return max(0.0, known.last_at + wait - now)


def after_failure(known: Failures | None, now: float, patience: Patience) -> Failures:
    """Return what is to be remembered after another failure at ``now``."""
    count = 0 if known is None or _is_forgotten(known, now, patience) else known.count
    return Failures(count + 1, now)


def _is_forgotten(known: Failures, now: float, patience: Patience) -> bool:
    return now - known.last_at >= patience.forget_after_seconds
