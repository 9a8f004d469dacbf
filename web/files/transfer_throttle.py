"""Slow bulk transfers down while messages are being accepted.

Without messages there is no limit. With messages, one rate for all transfers of this process keeps the event loop's
thread busy for at most a share of the time. Then a message finds the thread free soon, at each of its several steps,
and the store, the clients and Kafka have processor time left. The measure is the thread's own processor time, so
other processes do not disturb it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

MIB = 1 << 20
LEAST_BYTES_PER_SECOND = 16 * MIB  # however busy the thread is: perhaps it is not with transfers
_WINDOW_SECONDS = 0.1
_MOST_RISE = 1.25  # of the rate, from one window to the next
_QUIET_SECONDS = 2.0  # without messages for so long, nothing is held back
_BURST_SECONDS = 0.01  # what may be sent ahead of the rate


class Throttle:
    """``message_accepted`` is called for each message; ``acquire`` makes transfers wait.

    ``clock``: seconds, monotonic. ``busy_share``: the thread's maximal busy share of the time while messages arrive,
    above 0 to 1. ``busy_clock``: seconds of processor time of the event loop's thread.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        busy_share: float,
        busy_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._busy_share = busy_share
        self._busy_clock = busy_clock
        self._rate = 0.0  # bytes a second; 0: as fast as can be
        self._due = 0.0  # when all that was let through would have gone at the rate
        self._last_message = float("-inf")
        self._window_began = float("-inf")
        self._busy_before = 0.0
        self._window_bytes = 0

    @property
    def bytes_per_second(self) -> float | None:
        """The rate limit of transfers; ``None`` if there is none."""
        return self._rate or None

    def message_accepted(self) -> None:
        """Note an accepted message."""
        self._last_message = self._clock()

    async def acquire(self, size_bytes: int) -> None:
        """Wait until ``size_bytes`` more may be handled."""
        now = self._clock()
        if now - self._window_began >= _WINDOW_SECONDS:
            self._adjust(now)
        self._window_bytes += size_bytes
        if not self._rate:
            return
        self._due = max(self._due, now - _BURST_SECONDS) + size_bytes / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)

    def _adjust(self, now: float) -> None:
        """Choose the rate of the next window from the measurements of the last one."""
        seconds, busy = now - self._window_began, self._busy_clock()
        share, used = (busy - self._busy_before) / seconds, self._window_bytes / seconds
        self._window_began, self._busy_before, self._window_bytes = now, busy, 0
        if now - self._last_message > _QUIET_SECONDS:
            self._rate = 0.0
        elif seconds < _WINDOW_SECONDS * 10:  # else there were no transfers just now, and nothing is known
            change = min(_MOST_RISE, self._busy_share / max(share, 0.01))
            self._rate = max(LEAST_BYTES_PER_SECOND, used * change)
