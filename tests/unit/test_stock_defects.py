"""Defects of Faust's own consumer (docs/adr/0004), put back one at a time: the books' machine finds each.

The second of the four, a fetch that returns records of paused partitions, shows nothing alone: our consumer asks the
broker about each gap before it believes it. That gap believed is the third.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from app.faust.batches import RecordBatch
from app.faust.consumer import BatchConsumer
from app.faust.poll_loop import PollLoop
from tests.unit import consumer_on_paper, test_consumer_machine
from tests.unit.test_consumer_machine import Books

FOUND = settings(
    max_examples=5_000,  # it ends with the first that shows the defect
    derandomize=True,
    stateful_step_count=40,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def resumes_before_the_queues_are_cleared(patch: pytest.MonkeyPatch) -> None:
    """Defect 1: source partitions are fetched during a recovery, and what was delivered is wiped."""
    patch.setattr(BatchConsumer, "resume_partitions", PollLoop.resume_partitions)

    def make(folder: Path) -> consumer_on_paper.Paper:
        made = consumer_on_paper.make_consumer(folder)
        made[0].delivered = made[2]
        return made

    async def assign(consumer: Any) -> None:
        consumer._set_active_tps(consumer.assignment())
        consumer.pause_partitions(consumer.assignment())
        consumer.resume_partitions(consumer.assignment())
        await consumer.perform_seek()
        consumer.app.flow_control.resume()
        consumer.resume_flow()
        kept = len(consumer.delivered)
        await consumer_on_paper.fetch(consumer)
        del consumer.delivered[kept:]  # Faust clears the agents' queues here

    async def rebalance(consumer: Any) -> None:
        await consumer_on_paper.revoke(consumer)
        await assign(consumer)

    for each in (make, assign, rebalance):
        patch.setattr(test_consumer_machine, "make_consumer" if each is make else each.__name__, each)


def believes_each_gap(patch: pytest.MonkeyPatch) -> None:
    """Defect 3: a record behind a gap is taken as the next one, and the gap counts as done."""

    async def batch_of(self: Any, tp: TP, records: Sequence[Any]) -> RecordBatch | None:
        want = self._read_offset[tp]
        left = [record for record in records if want is not None and record.offset >= want]
        if not left or tp in self._paused_partitions:
            return None
        return RecordBatch(tp, left, want, left[-1].offset + 1, self._epoch)

    patch.setattr(PollLoop, "_next_batch", batch_of)


def skips_an_open_head(patch: pytest.MonkeyPatch) -> None:
    """Defect 4: the commit jumps over one unfinished batch."""
    contiguous = BatchConsumer._new_offset

    def jumping(self: Any, tp: TP) -> int | None:
        base, ranges = self._committed_offset[tp], self._ranges.get(tp)
        if base is not None and ranges and base not in ranges:
            ranges[base] = min(ranges)
        return contiguous(self, tp)

    patch.setattr(BatchConsumer, "_new_offset", jumping)


DEFECTS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "1": resumes_before_the_queues_are_cleared,
    "3": believes_each_gap,
    "4": skips_an_open_head,
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_the_stock_consumer_is_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[defect](monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Books, settings=FOUND)  # type: ignore[no-untyped-call]
