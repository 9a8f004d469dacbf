"""One partition of ``messages`` as the mirror sees it, with a clock that may step back."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

from domain.log_clock import LogClock
from domain.ports import MessageMirror, MirrorEntry


def partition_in(conversation_id: str) -> int:
    """Return the partition that the name of a test's conversation tells; 0 if it tells none."""
    number, slash, _ = conversation_id.partition("/")
    return int(number) if slash and number.isdigit() else 0


class SteppingLog:
    """A partition of its own. ``conversation`` lives there."""

    def __init__(self, mirror: MessageMirror) -> None:
        self._mirror = mirror
        self.partition = uuid.uuid4().int % 2**31  # Hypothesis has `random` begin anew for each example
        self.conversation = f"{self.partition}/c-{uuid.uuid4()}"
        self._clock: LogClock | None = None

    async def write(self, entries: Sequence[MirrorEntry], *, anew: bool = False) -> None:
        """Mirror entries that are in the order of the log, as one pile. ``anew``: by a worker that just started."""
        if self._clock is None or anew:
            self._clock = await self._mirror.clock(self.partition)
        for entry in entries:
            self._clock.take(entry.position)
            entry.rising_us = self._clock.rising_us(entry.position)
        await self._mirror.write(random.sample(entries, len(entries)), [self._clock])
