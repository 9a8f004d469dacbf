"""Rate limits of one process: a bucket for each key, the least recently used forgotten first."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic

from cachetools import LRUCache

from domain.token_bucket import Rate, Taken, take

REMEMBERED_KEYS = 100_000
_LONG_AGO = float("-inf")


class RateLimiter:
    """Token buckets by key (a user id, an address). Not thread-safe; ``clock``: seconds, monotonic.

    A forgotten key has a full bucket again. To profit from this a client needs ``REMEMBERED_KEYS`` other keys first.
    """

    def __init__(self, rate: Rate, limit: int = REMEMBERED_KEYS, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._full_at: LRUCache[Hashable, float] = LRUCache(limit)

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, tokens: int = 1) -> Taken | None:
        """Take ``tokens`` from the bucket of ``key`` and return the result; ``None`` if there is no limit."""
        if not self.rate.is_limited:
            return None
        known = self._full_at.get(key)
        taken = take(_LONG_AGO if known is None else known, self._clock(), self.rate, tokens)
        if taken.allowed:
            self._full_at[key] = taken.full_at
        return taken
