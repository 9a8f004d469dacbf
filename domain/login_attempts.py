"""The wait after a wrong password before the next attempt; without a clock.

The first failures cost nothing, people mistype. Then the wait doubles, from one second up to the longest one, and old
failures are forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """The rule. ``free`` failures without a wait; 0: there is never one. Times in seconds."""

    free: int
    longest_wait_seconds: float
    first_wait_seconds: float = 1.0

    @property
    def forget_after_seconds(self) -> float:
        """The time without a failure after which all are forgotten; longer than any wait, so waiting resets
        nothing.
        """
        return 3 * max(self.longest_wait_seconds, self.first_wait_seconds)


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of an account in a row, and the time of the last (seconds of any clock)."""

    count: int
    last_at: float


def wait_seconds(known: Failures | None, now: float, policy: LockoutPolicy) -> float:
    """Return how many seconds must pass before the next attempt, 0 if it may be made."""
    if known is None or not 0 < policy.free <= known.count or _is_forgotten(known, now, policy):
        return 0.0
    doubled = policy.first_wait_seconds * 2.0 ** min(known.count - policy.free, 60)
    wait = min(policy.longest_wait_seconds, doubled)
    return max(0.0, known.last_at + wait - now)


def after_failure(known: Failures | None, now: float, policy: LockoutPolicy) -> Failures:
    """Return the new ``Failures`` after another failure at ``now``."""
    count = 0 if known is None or _is_forgotten(known, now, policy) else known.count
    return Failures(count + 1, now)


def _is_forgotten(known: Failures, now: float, policy: LockoutPolicy) -> bool:
    return now - known.last_at >= policy.forget_after_seconds
