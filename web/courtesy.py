"""Asking a store that may be away, for those who can do without the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.errors import StoreUnavailable

T = TypeVar("T")

QUIET_SECONDS = 1.0


class Courtesy:
    """Once a question has gone unanswered, only one at a time is asked until one is answered again, and none within
    ``quiet_seconds`` of the last failure: nobody waits for the time-out of a store that says nothing.

    ``is_away``: the last question that was asked got no answer.
    """

    def __init__(self, monotonic: Callable[[], float], quiet_seconds: float = QUIET_SECONDS) -> None:
        self._monotonic = monotonic
        self._quiet_seconds = quiet_seconds
        self._quiet_until = 0.0
        self.is_away = False
        self._is_probing = False

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the answer. Raises ``StoreUnavailable``: the store's own, or at once if it is not asked."""
        is_probe = self.is_away
        if is_probe and (self._is_probing or self._monotonic() < self._quiet_until):
            raise StoreUnavailable("it did not answer a moment ago")
        self._is_probing = is_probe
        try:
            answer = await question()
        except StoreUnavailable:
            self.is_away = True
            self._quiet_until = self._monotonic() + self._quiet_seconds
            raise
        finally:
            if is_probe:
                self._is_probing = False
        self.is_away = False
        return answer
