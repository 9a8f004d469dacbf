"""Clock steps: times that step back in a log ordered by its offsets.

The broker stamps each record of ``messages`` with its clock. The clock may be set back, and another broker's clock is
used when the leader moves. History in Cassandra is stored by these times, so its readers must know each step back: a
``ClockStep``. Between two steps lies a ``Run`` of times that never fall, so time and then offset is the order of the
log. ``docs/adr/0076-order-by-offset.md``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from domain.log_position import LogPosition

ALL_MS = 2**63 - 1
ALL_POSITIONS = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class ClockStep:
    """On one partition of ``messages`` the record at ``position`` has a time (``after_ms``) before the time of the
    previous record (``before_ms``). Epoch milliseconds.
    """

    partition: int
    position: int
    before_ms: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """Records at ``first`` and on, before ``end``, with times from ``first_ms`` to ``last_ms`` that never fall."""

    first: int
    end: int
    first_ms: int
    last_ms: int

    def __contains__(self, position: int) -> bool:
        return self.first <= position < self.end


class LogClock:
    """The times of one partition: its steps, and the last record compared."""

    def __init__(self, partition: int, steps: Iterable[ClockStep] = (), last: LogPosition | None = None) -> None:
        self.partition = partition
        self.last = last
        self._set({step.position: step for step in steps})

    def _set(self, steps: dict[int, ClockStep]) -> None:
        self.steps = [steps[position] for position in sorted(steps)]
        self._positions = [step.position for step in self.steps]
        self._latest = list(accumulate((step.before_ms for step in self.steps), max))

    def take(self, position: LogPosition) -> ClockStep | None:
        """Compare the next record; return its step if there is one. A repeated record has none."""
        last = self.last
        if last is not None and position.offset <= last.offset:
            return None
        self.last = position
        if last is None or position.accepted_at_ms >= last.accepted_at_ms:
            return None
        step = ClockStep(self.partition, position.offset, last.accepted_at_ms, position.accepted_at_ms)
        self._set({known.position: known for known in (*self.steps, step)})
        return step

    def runs(self) -> list[Run]:
        """Return the runs in the order of the log; at least one."""
        bounds = [ClockStep(self.partition, -1, 0, -1), *self.steps]
        ends = [*self.steps, ClockStep(self.partition, ALL_POSITIONS, ALL_MS, 0)]
        return [
            Run(start.position, end.position, start.after_ms, end.before_ms)
            for start, end in zip(bounds, ends, strict=True)
        ]

    def rising_us(self, position: LogPosition) -> int:
        """Return a time (epoch µs) for ``position`` that never falls between records and rises at each step.

        Without a step it is the record's own. So it serves as the timestamp of a write of which the latest position has
        to win.
        """
        count = bisect_right(self._positions, position.offset)
        latest_ms = self._latest[count - 1] if count else 0
        return max(position.accepted_at_ms, latest_ms) * 1000 + count
