"""Selects the rows of a conversation to read, in the order of the log.

Rows are sorted by month, then time, then offset. Without a backward step of the clock this is the order of the log.
With one, each run of the log is read separately, and rows of other runs in between are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from domain.fact_times import MAX_MS
from domain.log_clock import ALL_MS, ALL_POSITIONS, ClockStep, LogClock, Run
from domain.ports import LogPosition
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import bucket_of
from storage.cassandra.session import CassandraSession

FIRST = LogPosition(-1, -1)
LAST = LogPosition(ALL_MS, ALL_POSITIONS)
_STEPS = "SELECT position, before_ms, after_ms FROM {ks}.clock_steps WHERE partition = ?"

PartitionOf = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one month after ``low`` and up to ``high``. Only rows in ``run`` count.

    ``is_whole``: no other run has rows there.
    """

    month: int
    low: LogPosition
    high: LogPosition
    run: Run
    is_whole: bool

    @property
    def edges(self) -> tuple[int, int, int, int]:
        return self.low.accepted_at_ms, self.low.offset, self.high.accepted_at_ms, self.high.offset


def slices(
    months: Iterable[int], runs: Sequence[Run], after: LogPosition, before: LogPosition, *, to_end: bool
) -> list[Slice]:
    """Return the slices with the messages after ``after`` and before ``before``, in the order of the log.

    ``to_end``: ``before`` itself is included.
    """
    ordered = sorted(months)
    found = []
    for run in runs:
        if run.end - 1 <= after.offset or run.first > before.offset:
            continue
        low = after if after.offset in run else LogPosition(run.first_ms, -1)
        if before.offset in run:
            high = before if to_end else LogPosition(before.accepted_at_ms, before.offset - 1)
        else:
            high = LogPosition(run.last_ms, ALL_POSITIONS)
        first, last = _month_of(low), _month_of(high)
        found += [Slice(month, low, high, run, len(runs) == 1) for month in ordered if first <= month <= last]
    return found


def _month_of(position: LogPosition) -> int:
    return bucket_of(min(max(0, position.accepted_at_ms), MAX_MS))


async def clock_of(session: CassandraSession, partition: int) -> LogClock:
    """Return the steps of a partition. Raises ``StoreUnavailable``."""
    rows = await session.run(_STEPS, (partition,), Access.READ)
    return LogClock(partition, (ClockStep(partition, *row) for row in rows))
