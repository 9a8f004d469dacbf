"""Any interleaving of deliveries, completions, commits and rebalances: no commit passes an open offset, none sticks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from faust.types import TP
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.examples import examples
from tests.unit.consumer_on_paper import TPS, assign, fetch, make_consumer, rebalance, revoke

tps = st.sampled_from(TPS)
batches = st.integers(0, 20)  # counted from the newest


class Books(RuleBasedStateMachine):
    """``open``: records whose effects are not durable yet, the model of what must not be passed."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.run(self._begin())
        self.open = {tp: set[int]() for tp in TPS}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _begin(self) -> None:
        self.consumer, self.broker, self.delivered = make_consumer(Path(self.folder.name))
        await assign(self.consumer)

    # what happens to the log

    @rule(tp=tps, records=st.integers(1, 9), hole=st.sampled_from([0, 0, 0, 1, 4]))
    def more_is_written(self, tp: TP, records: int, hole: int) -> None:
        self.records_are_written(tp, records, hole)

    def records_are_written(self, tp: TP, records: int, hole: int) -> None:
        for n in range(records):
            self.broker.append(tp, hole=0 if n else hole)
        self.open[tp] |= set(self.broker.log[tp][-records:])

    @rule(tp=tps, part=st.sampled_from([0.3, 0.7, 1.0]))
    def retention_takes_the_oldest(self, tp: TP, part: float) -> None:
        first, end = self.broker.first[tp], self.broker.end[tp]
        self.broker.truncate(tp, first + int((end - first) * part))
        self.open[tp] &= set(self.broker.log[tp])

    # what the worker does

    @rule(times=st.integers(1, 3))
    def fetches(self, times: int) -> None:
        for _ in range(times):
            self.run(fetch(self.consumer))

    @rule(tp=tps, most=st.integers(1, 4))
    def what_was_fetched_is_dropped(self, tp: TP, most: int) -> None:
        self.broker.fetch(tp, most)
        self.consumer._probed.clear()
        self.records_are_written(tp, 1, 0)  # without a seek, only the next record shows that one is missing

    @precondition(lambda self: self.delivered)
    @rule(which=st.lists(batches, min_size=1, max_size=4))
    def batches_are_completed(self, which: list[int]) -> None:
        for n in which:
            self._complete(n)

    @rule(refused=st.booleans())
    def commits(self, refused: bool) -> None:
        self.broker.refuses_commits = refused
        self.run(self.consumer.commit())
        self.broker.refuses_commits = False

    # what the group does

    @rule()
    def rebalances(self) -> None:
        self.run(rebalance(self.consumer))

    @rule(tp=tps, progress=st.integers(0, 6))
    def a_partition_is_away_for_a_while(self, tp: TP, progress: int) -> None:
        self.run(revoke(self.consumer))
        self.broker.assigned = set(TPS) - {tp}
        self.run(assign(self.consumer))
        self.run(fetch(self.consumer))
        base = max(self.broker.committed.get(tp, 0), self.broker.first[tp])
        reached = min(base + progress, self.broker.end[tp])
        if reached:
            self.broker.committed[tp] = reached
        self.open[tp] = {offset for offset in self.open[tp] if offset >= reached}
        self.run(revoke(self.consumer))
        self.broker.assigned = set(TPS)
        self.run(assign(self.consumer))

    @precondition(lambda self: self.delivered)
    @rule(refused=st.booleans(), which=batches)
    def rebalances_while_a_commit_is_on_its_way(self, refused: bool, which: int) -> None:
        async def work() -> None:
            go_on = asyncio.Event()
            self.broker.during_commit, self.broker.refuses_commits = go_on.wait, refused
            commit = asyncio.create_task(self.consumer.commit())
            await asyncio.sleep(0)
            self.broker.during_commit = None
            self._complete(which)
            asyncio.get_running_loop().call_later(0.001, go_on.set)
            await rebalance(self.consumer)
            await commit

        self.run(work())
        self.broker.refuses_commits = False

    # what must hold

    @invariant()
    def no_commit_passes_an_open_record(self) -> None:
        for tp, committed in self.broker.committed.items():
            assert all(offset >= committed for offset in self.open[tp])

    @invariant()
    def batches_of_an_epoch_follow_each_other(self) -> None:
        last: dict[Any, int] = {}
        for batch in self.delivered:
            at = batch.tp, batch.epoch
            assert last.get(at, batch.start) == batch.start
            last[at] = batch.end

    def teardown(self) -> None:
        try:
            self._finish()
            for tp in TPS:
                assert not self.open[tp], "records were never delivered"
                assert not self.broker.log[tp] or self.broker.committed[tp] == self.broker.end[tp], "commits stick"
            self.run(rebalance(self.consumer))
            for tp in TPS:
                assert self.consumer._committed_offset[tp] == self.broker.end[tp], "the watchdog would see a lag"
        finally:
            self.run(self.consumer.app.batch_producer.stop())
            self.loop.close()
            self.folder.cleanup()

    def _finish(self) -> None:
        for _ in range(60):
            self.run(fetch(self.consumer))
        for n in range(len(self.delivered)):
            self._complete(n)
        self.run(self.consumer.commit())

    def _complete(self, n: int) -> None:
        batch = self.delivered[-1 - n % len(self.delivered)]
        if self.consumer.is_current(batch):
            self.open[batch.tp] -= {record.offset for record in batch.records}
        self.consumer.complete(batch)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=examples(60), stateful_step_count=40)
