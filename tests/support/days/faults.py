"""Ends a simulated worker at a point of ``app/fault_points.py``: between two awaits, and not by luck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from app import fault_points

POINTS = (
    "consumed",
    "effects-durable",
    "committed",
    "begun",
    "begun-durable",
    "called",
    "outcome-written",
    "outcome-durable",
    "produce-acknowledged",
    "changelog-acknowledged",
)


class SimulatedFaults:
    """``crash`` is called where the process would kill itself; what reached the point is cancelled there."""

    def __init__(self, crash: Callable[[], None]) -> None:
        self._crash = crash
        self._point = ""
        self._passes = 0
        self.happened = asyncio.Event()

    def arm(self, point: str, passes: int) -> None:
        """Let the worker end when it reaches ``point``, after it has passed it so often."""
        assert point in fault_points.POINTS
        self._point, self._passes = point, passes
        self.happened.clear()

    def disarm(self) -> None:
        self._point = ""

    def reach(self, point: str) -> None:
        """Pass the point, or end the worker. Raises ``CancelledError`` in what it did."""
        if point != self._point:
            return
        if self._passes:
            self._passes -= 1
            return
        self._point = ""
        self._crash()
        self.happened.set()
        raise asyncio.CancelledError

    def install(self) -> None:
        """Let the product's points lead here."""
        fault_points._armed = cast(Any, self)
