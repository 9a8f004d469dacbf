"""Progress of `up`, and its cancellation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from devstack.errors import Cancelled

Stage = Literal["waiting", "jars", "building", "starting", "up"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of one part. `done` of `total` jars in stage "jars"; `seconds` since the part began."""

    part: str
    stage: Stage
    seconds: float = 0.0
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Tell nobody."""


class Cancellation:
    """Lets one thread end the waits of others."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    def check(self, title: str) -> None:
        if self._event.is_set():
            raise Cancelled(title)

    def pause(self, title: str, seconds: float) -> None:
        """Sleep, but not longer than until cancelled. Raises Cancelled."""
        self._event.wait(seconds)
        self.check(title)
