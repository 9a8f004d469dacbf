"""A Faust consumer that delivers whole batches and loses nothing at rebalances. Here: commits, rebalances and seeks.

Faust 0.15.3 was seen to lose messages for good when a second worker joins early (docs/adr/0004). Four defects work
together; each is closed here or in ``app/faust/poll_loop.py``. ``make rounds`` is the experiment for any change of
either:

1. After recovery, records delivered between ``resume_partitions`` and the clearing of the queues are wiped. Source
   partitions are therefore resumed only in the last ``resume_flow``.
2. A fetch with all its partitions paused returns records of *all* partitions. Faust drops these although the position
   has moved, and never rewinds partitions without a commit. We fetch active partitions only, and seek every source
   partition explicitly.
3. A seek under an ongoing delivery makes the next message look like a gap, and Faust counts a gap as done. An epoch
   guards the read position.
4. The committed offset jumps over unfinished messages. Here it is the end of the contiguous completed prefix.

The invariant, for every source partition: ``_read_offset[tp]`` is the next offset to deliver. Exactly the range from
there is delivered. Only a contiguous prefix of completed ranges, beginning where the last seek put it, is ever
committed.

Private methods of two libraries are overridden, so both are pinned and ``tests/unit/test_pins.py`` fails on a move.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.transport.consumer import ensure_TP, ensure_TPset
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from app.fault_points import reach
from app.faust.batches import RecordBatch
from app.faust.poll_loop import PollLoop

log = logging.getLogger(__name__)

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}


class BatchConsumer(PollLoop):
    """See the module's text. ``complete(batch)`` is the only way to move the commit; Faust's own acks do nothing."""

    def _reset_state(self) -> None:
        self._deferred: set[TP] = set()
        self._final = False
        self._start: dict[TP, int] = {}
        self._ranges: dict[TP, dict[int, int]] = {}
        super()._reset_state()

    # Completing and committing ------------------------------------------------------------------------------------

    def complete(self, batch: RecordBatch) -> None:
        """Mark the range of ``batch`` as durable. It may be committed once everything before it is complete."""
        if batch.epoch == self._epoch:
            self._ranges.setdefault(batch.tp, {})[batch.start] = batch.end

    def ack(self, message: Any) -> bool:
        """Count nothing: Faust acks skipped and failed events. Only ``complete`` moves the commit."""
        self._unacked_messages.discard(message)
        return False

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in tuple(self._ranges) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        base = self._committed_offset[tp]
        ranges = self._ranges.get(tp)
        if base is None or not ranges:  # None: no seek yet, never guess
            return None
        new = base
        while new in ranges:
            new = ranges.pop(new)
        if new > base:
            ranges[base] = new  # kept until the broker has the commit
            return int(new)
        return None

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        # Stock adopts the new offsets even if the commit failed, or came back after a rebalance and its seek.
        before, epoch = dict(self._committed_offset), self._epoch
        reach("commit-leaves")
        done = await super()._commit_offsets(offsets, start_new_transaction)
        reach("committed")
        for tp, offset in offsets.items():
            if not done or epoch != self._epoch:
                self._committed_offset[tp] = (before if epoch == self._epoch else self._start).get(tp)
            elif self._committed_offset[tp] == offset:  # else the partition was not ours, and nothing was sent for it
                self._ranges.get(tp, {}).pop(before[tp], None)
        return bool(done)

    # Rebalances ---------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish the work in hand and commit it *before* the books of the revoked partitions are closed."""
        if not self.app.should_stop and self._start:
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            await self.wait_empty()
        self._epoch += 1
        self.app.metrics.lags({})
        self.app.metrics.rebalanced()
        for tp in revoked:
            self._ranges.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Let the agents finish the work in hand, for a bounded time, then commit. Used at rebalances and at the end.

        After that no batch is current: the remaining work belongs to the next owner of the partition.
        """
        await self.app.drain()
        await (
            self.maybe_wait_for_commit_to_finish()
        )  # a running commit misses the drained work, and ours would be skipped
        await self.commit()
        self._epoch += 1

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        wanted, standbys = ensure_TPset(tps), self.app.assignor.assigned_standbys()
        changelogs = {tp for tp in wanted if self._is_changelog_tp(tp)}
        self._final = not changelogs  # the last call of a recovery holds source partitions only
        self._deferred |= {tp for tp in wanted if tp not in changelogs or tp in standbys}
        super().resume_partitions(wanted - self._deferred)

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        paused = ensure_TPset(tps)
        self._deferred -= paused
        super().pause_partitions(paused)

    def resume_flow(self) -> None:
        super().resume_flow()
        if self._final and self._thread.is_let_go:
            log.warning("Kafka let this member go during its recovery: nothing begins before it has joined again")
            self._final = False  # the next assignment says when
        elif self._final:
            super().resume_partitions(self._deferred)
            self._deferred, self._final = set(), False
            self.app.assigned()
            reach("recovered")

    def on_buffer_drop(self, tp: TP) -> None:
        # stock re-activates a partition that is paused for a rebalance
        if tp in self._paused_partitions:
            self._buffered_partitions.discard(tp)
        else:
            super().on_buffer_drop(tp)

    async def perform_seek(self) -> None:
        """Put every source partition where its commit says and the log allows, and start new books."""
        committed = {ensure_TP(tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        sources = [tp for tp in committed if not self._is_changelog_tp(tp)]
        if sources:
            first, end = await self.earliest_offsets(*sources), await self.highwaters(*sources)
            start = {tp: self._start_of(tp, committed[tp], first[tp], end[tp]) for tp in sources}
            await self.seek_wait(start)
        else:
            start = {}
        self._start = dict(start)
        self._epoch += 1  # an ongoing delivery must not overwrite the offsets set here
        for tp, offset in start.items():
            self._read_offset[tp] = self._committed_offset[tp] = offset
            self._ranges.pop(tp, None)
            self._probed.pop(tp, None)
        log.info("at work on %s", _partitions_by_topic(start) or "nothing: no partition is ours")

    def _start_of(self, tp: TP, committed: int | None, first: int, end: int) -> int:
        """Return the first offset to read: the commit, or the first record if no commit fits the log."""
        if committed is None or committed < 0:
            return first
        if first <= committed <= end:
            return committed
        if committed < first:
            self.removed_unread(tp, committed, first)
        log.warning("%s[%d] holds %d..%d, and %d is committed: begins at %d", *tp, first, end, committed, first)
        return first


def _partitions_by_topic(tps: Iterable[TP]) -> str:
    """``messages[0,2,4] status-updates[0,2,4]``."""
    topics: dict[str, list[int]] = {}
    for tp in sorted(tps):
        topics.setdefault(tp.topic, []).append(tp.partition)
    return " ".join(f"{topic}[{','.join(map(str, numbers))}]" for topic, numbers in topics.items())


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's Kafka transport with our consumer."""

    Consumer = BatchConsumer
