"""The one place where wall-clock time comes from."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the epoch time in milliseconds."""
    return time.time_ns() // 1_000_000
