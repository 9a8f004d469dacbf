"""How long to keep trying, and how long to wait between two attempts."""

from __future__ import annotations

import asyncio
import random
from email.utils import parsedate_to_datetime
from time import time

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0


class RetryBudget:
    """``seconds`` from now on. Waits double from ``FIRST_SECONDS`` to ``LONGEST_SECONDS``. Each has a random
    part (jitter), so the clients of a failed server do not all return at the same moment."""

    def __init__(self, seconds: float, first_seconds: float = FIRST_SECONDS) -> None:
        self._seconds = seconds
        self._first_seconds = first_seconds
        self.renew()

    def renew(self) -> None:
        """It worked: begin anew."""
        self._ends_at = asyncio.get_running_loop().time() + self._seconds
        self._next_seconds = self._first_seconds

    async def wait(self, asked_seconds: float | None = None) -> bool:
        """Wait, at least as long as the server asked. Return ``False`` without waiting if the budget is too small."""
        wait_seconds = self._next_seconds * random.uniform(0.5, 1.0)
        if asked_seconds is not None:
            wait_seconds = max(wait_seconds, asked_seconds)
        if asyncio.get_running_loop().time() + wait_seconds > self._ends_at:
            return False
        self._next_seconds = min(2 * self._next_seconds, LONGEST_SECONDS)
        await asyncio.sleep(wait_seconds)
        return True


def seconds_of(retry_after: str | None) -> float | None:
    """Parse ``Retry-After``: seconds or a date (RFC 9110, section 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return None
