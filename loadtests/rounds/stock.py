"""The same worker on Faust's stock consumer, as careful as its idioms allow; for comparison only.

It reads a stream of events with ``noack`` and awaits a coalesced changelog. It acks in the order of the offsets, once
the results are durable, and drops events from before a rebalance. BatchProducer and table are the product's: only the
consumer differs.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from itertools import groupby
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from app.faust.poll_loop import ConsumerThread
from app.faust.stream_app import StreamApp
from app.kafka.pending_batches import PendingBatch
from app.settings import Settings
from loadtests.rounds.fold import write_effects
from loadtests.rounds.journal import Journal
from loadtests.rounds.plan import TABLE, Plan, RoundTopics

IN_HAND = 4  # batches that may wait for their writes


class StockConsumer(driver.Consumer):  # type: ignore[misc]
    """Stock but for the journal, the fetch wait (a setting of ours, 1,500 ms in Faust) and an epoch."""

    epoch = 0

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        for tp, offset in offsets.items():
            self.app.journal.write("M", tp.partition, offset)
        done = bool(await super()._commit_offsets(offsets, start_new_transaction))
        for tp, offset in offsets.items() if done else ():
            self.app.journal.write("K", tp.partition, offset)
        return done

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self.app.journal.write("S")

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)
        self.epoch += 1


class StockTransport(driver.Transport):  # type: ignore[misc]
    Consumer = StockConsumer


class StockApp(StreamApp):
    """Folds the input into a table, or into an output topic."""

    def __init__(self, plan: Plan, settings: Settings, journal: Journal) -> None:
        self.plan, self.journal = plan, journal
        self.round_topics = RoundTopics(settings.topic_prefix)
        super().__init__(settings)

    def _options(self, settings: Settings) -> dict[str, Any]:
        changes = {"stream_buffer_maxsize": self.plan.buffer, "web_enabled": False, "stream_wait_empty": False}
        return {**super()._options(settings), **changes}

    def _new_transport(self) -> Any:
        return StockTransport(self.conf.broker_consumer, self)

    def required_topics(self) -> Any:
        return self.round_topics.specs()

    def register_agents(self) -> None:
        table = self.durable_table(TABLE, help="key → bits seen") if self.plan.table else None
        raw = {"key_serializer": "raw", "value_serializer": "raw", "key_type": bytes, "value_type": bytes}
        source = self.topic(self.round_topics.input, partitions=self.settings.partitions, **raw)
        acker = Acker(self)

        @self.agent(source, name="fold")  # type: ignore[untyped-decorator]
        async def fold(stream: Any) -> None:
            async for epoch, events in _batches(self, stream, self.plan.poll):
                await asyncio.sleep(self.plan.delay_ms / 1000)
                if epoch != self.consumer.epoch:
                    continue
                writes: list[PendingBatch] = []
                for partition, mine in _by_partition(events).items():
                    writes += write_effects(self, table, partition, [_Record(e.key, e.value) for e in mine])
                await acker.when_durable(epoch, events, list(dict.fromkeys(writes)))


class _Record:
    __slots__ = ("key", "value")

    def __init__(self, key: bytes, value: bytes) -> None:
        self.key, self.value = key, value


class Acker:
    """Acks batches in order, each after its writes are acknowledged."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._slots = asyncio.Semaphore(IN_HAND)
        self._last: asyncio.Task[None] | None = None

    async def when_durable(self, epoch: int, events: list[faust.EventT], writes: list[PendingBatch]) -> None:
        await self._slots.acquire()
        self._last = asyncio.get_running_loop().create_task(self._ack(self._last, epoch, events, writes))

    async def _ack(
        self, before: asyncio.Task[None] | None, epoch: int, events: list[faust.EventT], writes: list[PendingBatch]
    ) -> None:
        try:
            for write in writes:
                await write
            if before is not None:
                await before
            if epoch == self._app.consumer.epoch:
                for partition, mine in _by_partition(events).items():
                    for start, end in _runs([event.message.offset for event in mine]):
                        self._app.journal.write("C", partition, start, end)
                for event in events:
                    event.ack()
        except Exception as error:  # noqa: BLE001
            self._app.abort("the acker", error)
        finally:
            self._slots.release()


async def _batches(app: Any, stream: Any, most: int) -> AsyncIterator[tuple[int, list[Any]]]:
    """Yield the available events, up to ``most``, with the epoch of their delivery."""
    inbox: asyncio.Queue[tuple[int, Any]] = asyncio.Queue(most)

    async def collect() -> None:
        async for event in stream.noack().events():
            await inbox.put((app.consumer.epoch, event))

    collector = asyncio.create_task(collect())
    try:
        while True:
            pairs = [await inbox.get()]
            while not inbox.empty() and len(pairs) < most:
                pairs.append(inbox.get_nowait())
            for epoch, group in groupby(pairs, key=lambda pair: pair[0]):
                events = [event for _, event in group]
                for partition, mine in _by_partition(events).items():
                    for start, end in _runs([event.message.offset for event in mine]):
                        app.journal.write("D", partition, start, end)
                yield epoch, events
    finally:
        collector.cancel()


def _by_partition(events: list[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for event in events:
        found[event.message.partition].append(event)
    return found


def _runs(offsets: list[int]) -> list[tuple[int, int]]:
    """Return ascending ``offsets`` as half-open ranges."""
    runs: list[tuple[int, int]] = []
    for offset in offsets:
        if runs and runs[-1][1] == offset:
            runs[-1] = (runs[-1][0], offset + 1)
        else:
            runs.append((offset, offset + 1))
    return runs
