"""The loop that fetches records and delivers them in batches; the first half of our consumer
(``app/faust/consumer.py``).

A record of a source partition is delivered only at the read position, so a dropped record is fetched again. Code that
drops fetched records must also clear ``_probed`` (see ``_next_batch``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.protocol.commit import OffsetCommitRequest
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from app.fault_points import reach
from app.faust.batches import RecordBatch
from app.kafka.fetch_gathering import gather

log = logging.getLogger(__name__)

FETCH_TIMEOUT_SECONDS = 0.2  # stock: 1.0; bounds the wait before a seek
NOTHING_TO_FETCH_SECONDS = 0.05  # stock: 1.0
FULL_QUEUE_SECONDS = 0.0005
LONGEST_FULL_QUEUE_SECONDS = 0.02


class _ActiveOnly:
    """A live view of the active partitions; truthy even when empty, because aiokafka reads an empty set as "all"."""

    def __init__(self, active: set[TP]) -> None:
        self.active = active

    def __contains__(self, tp: object) -> bool:
        return tp in self.active


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Fetches as the settings say. Faust hard-codes a wait of 1,500 ms, which delays busy partitions for idle ones.

    aiokafka's tasks live in this thread. An error that ends one of them is logged nowhere, and the worker would live
    on without its group. So the end of such a task ends the worker.
    """

    async def on_start(self) -> None:
        await super().on_start()
        self.app.pulse.watch("the consumer", self.thread_loop)
        consumer = self._ensure_consumer()
        self._watch_tasks(consumer)
        settings = self.app.settings
        gather(
            consumer._fetcher,
            min_bytes=settings.fetch_min_bytes,
            wait_ms=settings.fetch_wait_ms,
            idle_ms=settings.fetch_idle_ms,
        )

    @property
    def is_let_go(self) -> bool:
        """Whether the group does not know this member any more, so its partitions may have another owner (ADR 137)."""
        coordinator = self._ensure_consumer()._coordinator  # without a group it has no generation
        return bool(getattr(coordinator, "generation", None) == OffsetCommitRequest.DEFAULT_GENERATION_ID)

    def _watch_tasks(self, consumer: Any) -> None:
        for task in (consumer._coordinator._coordination_task, consumer._client._sync_task):
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self.app.should_stop:
            self.app.abort("aiokafka's consumer", error)


class PollLoop(driver.Consumer):  # type: ignore[misc]
    """``_epoch`` changes with every rebalance and every seek; ``_read_offset[tp]`` is the next offset to deliver."""

    def _reset_state(self) -> None:
        self._epoch = 0
        self._probed: dict[TP, tuple[int, int]] = {}
        self._no_fetch = asyncio.Event()
        self._no_fetch.set()
        super()._reset_state()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def epoch(self) -> int:
        """Return a number that changes at each rebalance."""
        return self._epoch

    def is_current(self, batch: RecordBatch) -> bool:
        """Return whether the batch was delivered after the last seek, so its partition is still ours."""
        return batch.epoch == self._epoch

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        self._no_fetch.clear()
        try:
            active = None if active_partitions is None else _ActiveOnly(active_partitions)
            return await super()._getmany(active, timeout)
        finally:
            self._no_fetch.set()

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        await self._no_fetch.wait()  # at most FETCH_TIMEOUT_SECONDS: flow is stopped, or we are the poll loop
        await super().seek_wait(partitions)

    async def _drain_messages(self, fetcher: Any) -> None:
        if self.app.client_only:  # no group, no seek
            await super()._drain_messages(fetcher)
            return
        self._probed.clear()  # a restarted loop has dropped the rest of its fetch
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                if self.flow_active and not self._active_partitions:
                    await asyncio.sleep(NOTHING_TO_FETCH_SECONDS)
                    continue
                fetched, _ = await self._wait_next_records(FETCH_TIMEOUT_SECONDS)
                await asyncio.sleep(0)
                if self.should_stop or fetched is None:
                    continue
                if not self.flow_active:
                    self._probed.clear()
                    continue  # the fetched records are dropped; a seek follows in every such case
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
                self._probed.clear()
                return
            tp = ensure_TP(raw_tp)
            if tp not in self._active_partitions and tp not in self._buffered_partitions:
                self._probed.pop(tp, None)
                continue
            track_end(tp, self.highwater(tp))
            if tp.topic in changelogs:
                for n, record in enumerate(records):
                    if not n % 100:
                        await asyncio.sleep(0)
                    if not await self._hand_over(tp, self._to_message(tp, record)):
                        self._probed.clear()
                        return
            elif (batch := await self._next_batch(tp, records)) is not None:
                reach("consumed")
                message = self._batch_message(batch)
                if await self._hand_over(tp, message) and self.is_current(batch):
                    self._read_offset[tp] = batch.end

    async def _next_batch(self, tp: TP, records: Sequence[Any]) -> RecordBatch | None:
        """Return the undelivered part of ``records`` as a batch from the read position, or ``None``."""
        want = self._read_offset[tp]
        if want is None or tp in self._paused_partitions:  # a seek will follow
            return None
        if records[0].offset < want:  # was delivered
            records = [record for record in records if record.offset >= want]
            if not records:
                return None
        if records[0].offset > want and self._probed.get(tp) != (want, records[0].offset):
            # Were records dropped on the way, or does the broker not have them? Ask it until it says the same twice.
            self._probed[tp] = want, records[0].offset
            epoch = self._epoch
            await self.seek_wait({tp: want})  # sets or deletes _read_offset
            if epoch == self._epoch:
                self._read_offset[tp] = want
            return None
        if records[0].offset > want and not await self._tell_of_gap(tp, want, records[0].offset):
            return None
        return RecordBatch(tp, records, want, records[-1].offset + 1, self._epoch)

    async def _tell_of_gap(self, tp: TP, want: int, found: int) -> bool:
        """Report records removed by retention before they were read. Return ``False`` after a rebalance."""
        epoch = self._epoch
        first = (await self.earliest_offsets(tp))[tp]
        if epoch != self._epoch:
            return False
        if first > want:
            self.removed_unread(tp, want, min(first, found))
        return True

    def removed_unread(self, tp: TP, want: int, first: int) -> None:
        """Records of ``tp`` from ``want`` up to ``first`` have left the log before anybody processed them."""
        log.error(
            "%s[%d]: retention removed records %d to %d before they were processed: %d are lost to this role; "
            "keep the topic for longer",
            *tp,
            want,
            first - 1,
            first - want,
        )
        self.app.metrics.removed_unread(tp.topic, first - want)

    def _batch_message(self, batch: RecordBatch) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            batch.tp.topic,
            batch.partition,
            batch.start,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            batch,
            None,
            0,
            0,
            batch.tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _hand_over(self, tp: TP, message: ConsumerMessage) -> bool:
        """Put the message into its agent's queue. Return ``False`` if a rebalance came first and it was not taken.

        Faust's callback is entered only when it cannot block. Otherwise it would leave a task behind and put the event
        into the queue after the rebalance. An old changelog event there would hide all those before it.
        """
        epoch, pause_seconds = self._epoch, FULL_QUEUE_SECONDS
        while self._may_block(tp):
            if self.should_stop or not self.flow_active or epoch != self._epoch:
                return False
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_FULL_QUEUE_SECONDS)
        if epoch != self._epoch:
            return False
        await self.callback(message)
        return True

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
