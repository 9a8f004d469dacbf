"""A circuit breaker for stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic as system_monotonic
from typing import TypeVar

from domain.errors import StoreUnavailable

T = TypeVar("T")

COOLDOWN_SECONDS = 1.0


class CircuitBreaker:
    """After a failure the circuit is open: one probe at a time reaches the store until one succeeds.

    No probe starts within ``cooldown_seconds`` of the last failure. Other calls fail immediately, so only the probe
    waits for the time-out of a silent store. ``is_open``: the last call to the store failed.
    """

    def __init__(self, monotonic: Callable[[], float] = system_monotonic, cooldown_seconds: float = 0.0) -> None:
        self.is_open = False
        self._monotonic = monotonic
        self._cooldown_seconds = cooldown_seconds
        self._closed_to_probes_until = 0.0
        self._is_probing = False

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``operation``.

        Raises ``StoreUnavailable`` if ``operation`` does, or immediately while the circuit is open.
        """
        is_probe = self.is_open
        if is_probe and (self._is_probing or self._monotonic() < self._closed_to_probes_until):
            raise StoreUnavailable("the store did not answer a moment ago")
        self._is_probing = is_probe
        try:
            result = await operation()
        except StoreUnavailable:
            self.record(succeeded=False)
            raise
        finally:
            if is_probe:
                self._is_probing = False
        self.record(succeeded=True)
        return result

    def record(self, *, succeeded: bool) -> None:
        """Open or close the circuit after a call made without ``call``."""
        self.is_open = not succeeded
        if not succeeded:
            self._closed_to_probes_until = self._monotonic() + self._cooldown_seconds
