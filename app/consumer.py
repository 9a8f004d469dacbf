"""A Faust consumer that delivers whole batches and loses nothing at rebalances.

Faust 0.15.3 was seen to lose messages for good when a second worker joins early (docs/adr/0004). Four defects work
together; each is closed here, and ``make rounds`` is the experiment that a change of this file must pass:

1. After recovery, what is delivered between ``resume_partitions`` and the clearing of the queues is wiped. Source
   partitions are therefore resumed for real only in the last ``resume_flow``.
2. A fetch that sees all its partitions paused returns records of *all* partitions, which are dropped although the
   position has moved; and partitions without a commit are never rewound. We fetch active partitions only, and seek
   every source partition explicitly.
3. A seek under an ongoing delivery makes the next message look like a gap that is counted as done. An epoch guards
   the read position.
4. The committed offset jumps over unfinished messages. Here it is the end of the contiguous completed prefix.

The invariant, for every source partition: ``_read_offset[tp]`` is the next offset to deliver; exactly the range that
begins there is delivered; and only a contiguous prefix of completed ranges, beginning where the last seek put it, is
ever committed.

Private methods of two libraries are overridden, so both are pinned and ``tests/unit/test_pins.py`` fails on a move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from faust.transport.consumer import ensure_TP, ensure_TPset
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from app.batches import RecordBatch

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}

FETCH_TIMEOUT_SECONDS = 0.2  # stock: 1.0; bounds the wait before a seek


class _ActiveOnly:
    """A live view of the active partitions that is truthy even when empty (aiokafka reads an empty set as "all")."""

    def __init__(self, active: set[TP]) -> None:
        self.active = active

    def __contains__(self, tp: object) -> bool:
        return tp in self.active


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust hard-codes a fetch wait of 1,500 ms, for which a fetch of idle partitions delays the busy ones."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.settings.fetch_wait_ms
        return consumer


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """See the module's text. ``complete(batch)`` is the only way to move the commit; Faust's own acks do nothing."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _reset_state(self) -> None:
        self._deferred: set[TP] = set()
        self._final = False
        self._epoch = 0
        self._probed: dict[TP, int] = {}
        self._start: dict[TP, int] = {}
        self._ranges: dict[TP, dict[int, int]] = {}
        self._no_fetch = asyncio.Event()
        self._no_fetch.set()
        super()._reset_state()

    # Completing and committing ------------------------------------------------------------------------------------

    def is_current(self, batch: RecordBatch) -> bool:
        """Return whether the batch was delivered after the last seek, so that its partition is still ours."""
        return batch.epoch == self._epoch

    def complete(self, batch: RecordBatch) -> None:
        """All that follows from the batch is durable: its range may be committed once nothing before it is open."""
        if batch.epoch == self._epoch:
            self._ranges.setdefault(batch.tp, {})[batch.start] = batch.end

    def ack(self, message: Any) -> bool:
        """Faust acks what it skips and what raised; only ``complete`` counts here."""
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
        done = await super()._commit_offsets(offsets, start_new_transaction)
        for tp, offset in offsets.items():
            if not done or epoch != self._epoch:
                self._committed_offset[tp] = (before if epoch == self._epoch else self._start).get(tp)
            elif (ranges := self._ranges.get(tp)) is not None and ranges.get(before[tp], -1) <= offset:
                ranges.pop(before[tp], None)
        return bool(done)

    # Rebalances ---------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish what is in hand and commit it *before* the books of the revoked partitions are closed."""
        if not self.app.should_stop and self._start:
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            await self.wait_empty()
        self._epoch += 1
        for tp in revoked:
            self._ranges.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Let the agents finish what they hold, for a bounded time, then commit. Used at rebalances and at the end."""
        await self.app.drain()
        await self.commit()

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
        if self._final:
            super().resume_partitions(self._deferred)
            self._deferred, self._final = set(), False

    def on_buffer_drop(self, tp: TP) -> None:
        # stock re-activates a partition that is paused for a rebalance
        if tp in self._paused_partitions:
            self._buffered_partitions.discard(tp)
        else:
            super().on_buffer_drop(tp)

    async def perform_seek(self) -> None:
        """Put every source partition at its committed offset, or at its first if it has none, and start new books."""
        committed = {ensure_TP(tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        start = {tp: offset for tp, offset in committed.items() if not self._is_changelog_tp(tp)}
        fresh = [tp for tp, offset in start.items() if not offset or offset < 0]
        if fresh:
            first = await self.earliest_offsets(*fresh)
            positions = {ensure_TP(tp): offset for tp, offset in first.items()}
            await self.seek_wait(positions)
            start.update(positions)
        self._start = dict(start)
        self._epoch += 1  # a delivery that is still going on must not overwrite what is set here
        for tp, offset in start.items():
            self._read_offset[tp] = self._committed_offset[tp] = offset
            self._ranges.pop(tp, None)
            self._probed.pop(tp, None)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        self._no_fetch.clear()
        try:
            active = None if active_partitions is None else _ActiveOnly(active_partitions)
            return await super()._getmany(active, timeout)
        finally:
            self._no_fetch.set()

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        await self._no_fetch.wait()  # at most FETCH_TIMEOUT_SECONDS: flow is stopped, or we are the drain loop
        await super().seek_wait(partitions)

    # Delivery -----------------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        if self.app.client_only:  # no group, no seek
            await super()._drain_messages(fetcher)
            return
        self._probed.clear()  # a restarted loop has dropped the rest of its fetch
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                fetched, _ = await self._wait_next_records(FETCH_TIMEOUT_SECONDS)
                await asyncio.sleep(0)
                if self.should_stop or fetched is None:
                    continue
                if not self.flow_active:
                    continue  # what was fetched is dropped; a seek follows in every such case
                await self._deliver(fetched)
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.transport.app.should_stop:
                raise

    async def _deliver(self, fetched: Mapping[Any, Sequence[Any]]) -> None:
        generation = self.app.consumer_generation_id
        changelogs = self.app.tables.changelog_topics
        track_end = self.app.monitor.track_tp_end_offset
        for raw_tp, records in fetched.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            tp = ensure_TP(raw_tp)
            if tp not in self._active_partitions and tp not in self._buffered_partitions:
                continue
            track_end(tp, self.highwater(tp))
            if tp.topic in changelogs:
                for n, record in enumerate(records):
                    if not n % 100:
                        await asyncio.sleep(0)
                    await self._hand_over(tp, self._to_message(tp, record))
            elif (batch := await self._next_batch(tp, records)) is not None:
                message = self._batch_message(batch)
                if await self._hand_over(tp, message) and self.is_current(batch):
                    self._read_offset[tp] = batch.end

    async def _next_batch(self, tp: TP, records: Sequence[Any]) -> RecordBatch | None:
        """Return the undelivered part of ``records`` as a batch that begins at the read position, if there is one."""
        want = self._read_offset[tp]
        if want is None or tp in self._paused_partitions:  # a seek will follow
            return None
        if records[0].offset < want:  # was delivered
            records = [record for record in records if record.offset >= want]
            if not records:
                return None
        if records[0].offset > want and self._probed.get(tp) != want:
            # Were records dropped on the way, or does the broker no longer have them? Ask it again, once.
            self._probed[tp] = want
            epoch = self._epoch
            await self.seek_wait({tp: want})  # sets or deletes _read_offset
            if epoch == self._epoch:
                self._read_offset[tp] = want
            return None
        return RecordBatch(tp, records, want, records[-1].offset + 1, self._epoch)

    def _batch_message(self, batch: RecordBatch) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            batch.tp.topic, batch.partition, batch.start, last.timestamp / 1000.0, last.timestamp_type, None, None,
            batch, None, 0, 0, batch.tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def _hand_over(self, tp: TP, message: ConsumerMessage) -> bool:
        """Give the message to its agent's queue. ``False``: a rebalance came first and it was not taken."""
        delivery = self.callback(message)
        if not self._may_block(tp):
            await delivery  # runs to its end without yielding to the event loop: no task needed
            return True
        result = await self.wait_first(delivery, self.suspend_flow.wait())
        return delivery in result.done

    def _may_block(self, tp: TP) -> bool:
        app = self.app
        buffer = app.producer.buffer
        return bool(
            not self.flow_active
            or not app.flow_control.is_active()
            or buffer.size > buffer.max_messages
            or app.topics._tp_to_callback_lock.locked()
            or any(chan.queue.full() for chan in app.topics._tp_index.get(tp, ()))
        )


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's Kafka transport with our consumer."""

    Consumer = BatchConsumer
