"""Reports impossible times. The API shows a corrected time, so the raw value stays in the log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.metrics import Metrics

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class ImpossibleTimes:
    """Of one worker. Each is counted; one is logged every ten seconds, for a wrong clock makes all of them wrong."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._next_line = 0.0
        self._unsaid = 0

    def add(self, what: str, at_ms: int, set_to_ms: int) -> None:
        """Log and count an impossible time: ``what`` has ``at_ms``, and ``set_to_ms`` is used in its place."""
        self._metrics.impossible_time()
        now = time.monotonic()
        if now < self._next_line:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more since the last such line)" if self._unsaid else ""
        log.warning("%s is said to be at %d, which cannot be; it is taken as %d%s", what, at_ms, set_to_ms, more)
        self._next_line, self._unsaid = now + SECONDS_BETWEEN_LINES, 0
