"""Actions that are due later, and their bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MOST_WAITING = 1_000_000


class Timer:
    """Runs plain functions later, in the event loop. Beyond ``MOST_WAITING`` an action is dropped, and counted."""

    def __init__(self) -> None:
        self._handles: set[asyncio.TimerHandle] = set()
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many actions are not done yet."""
        return len(self._handles)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` after ``seconds``; two of the same time run in the order in which they came."""
        if len(self._handles) >= MOST_WAITING:
            self.dropped += 1
            return

        def run() -> None:
            self._handles.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._handles.add(handle)

    def close(self) -> None:
        """Forget all actions."""
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()
