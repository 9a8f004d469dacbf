"""How long a message waits for its next attempt.

Exponential back-off with full jitter: the wait is random between 0 and a bound that doubles. It spreads the attempts of
many messages better than any fixed share (M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 300.0
LONGEST_RETRY_AFTER_SECONDS = 86_400.0
_MOST_DOUBLINGS = 64


def full_jitter_seconds(
    number: int, chance: float, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS
) -> float:
    """Return the wait in seconds after attempt ``number`` (from 1).

    It is the share ``chance`` (0 to 1) of ``first``, doubled for each further attempt and at most ``longest``.
    """
    doublings = min(max(number - 1, 0), _MOST_DOUBLINGS)
    return chance * min(longest, first * 2.0**doublings)


def retry_seconds(
    number: int,
    after_seconds: float | None,
    chance: float,
    first: float = FIRST_SECONDS,
    longest: float = LONGEST_SECONDS,
) -> float:
    """Return the wait in seconds after attempt ``number``, of which the provider said: not before ``after_seconds``.

    The jitter comes on top, so the messages of an account do not return together. At most a day of the provider's wait
    counts; none of it counts if it is negative or no number.
    """
    after = min(after_seconds, LONGEST_RETRY_AFTER_SECONDS) if after_seconds and after_seconds > 0 else 0.0
    return after + full_jitter_seconds(number, chance, first, longest)
