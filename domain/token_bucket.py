"""A token bucket as one number, without a clock: the decision of a rate limit, and its headers.

A bucket of ``burst`` tokens is refilled at ``per_second``. Its whole state is the time at which it will be full again
(the generic cell rate algorithm of ITU-T I.371, Annex A). Taking tokens moves this time on. A past time means a full
bucket, so an unused bucket may be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` at once and ``per_second`` in the long run. A ``per_second`` of 0 means: no limit.

    Raises ``ValueError`` for a negative rate, or a burst below 1.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        if not 0 <= self.per_second < float("inf") or self.burst < 1:
            raise ValueError(f"{self.per_second} a second, {self.burst} at once: expected at least 0 and 1")

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.per_second > 0


class Taken(NamedTuple):
    """The result of ``take``. ``full_at`` is the bucket's new state; times are in seconds, ``full_at`` as the clock's.

    ``remaining``: whole tokens left. ``retry_after_seconds``: until the requested number is there, 0 if they were
    taken; infinite if the bucket is smaller. ``reset_seconds``: until the bucket is full.
    """

    allowed: bool
    full_at: float
    remaining: int
    retry_after_seconds: float
    reset_seconds: float


def take(full_at: float, now: float, rate: Rate, tokens: int = 1) -> Taken:
    """Take ``tokens`` at ``now`` (seconds, of any clock that does not go back) from the bucket of state ``full_at``.

    An unknown bucket is full: its state is any past time. Takes all tokens or none.
    """
    per_second, burst = rate.per_second, rate.burst
    missing = (full_at - now) * per_second if full_at > now else 0.0
    # what floats lose must not cost a token: a whole number may come out a hair short
    left = burst - missing - tokens + 1e-6
    if left >= 0:
        until_full = (missing + tokens) / per_second
        return Taken(True, now + until_full, int(left), 0.0, until_full)
    wait = -left / per_second if tokens <= burst else float("inf")
    return Taken(False, full_at, max(0, int(left + tokens)), wait, missing / per_second)
