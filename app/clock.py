"""The one place where wall-clock time comes from."""

from __future__ import annotations

import time

_offset_ms = 0


def now_ms() -> int:
    """Return the epoch time in milliseconds."""
    return time.time_ns() // 1_000_000 + _offset_ms


def step_to(offset_ms: int) -> None:
    """Let the clock be wrong by ``offset_ms``. Only ``app/fault_points.py`` does that, in a test."""
    global _offset_ms
    _offset_ms = offset_ms
