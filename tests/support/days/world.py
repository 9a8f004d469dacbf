"""A worker of a channel on the simulated broker: it reads, commits, ends and begins again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from agents.deliver import deliver_batch
from agents.dispatcher import Dispatcher
from agents.receipts import receive_batch
from app.clock import now_ms
from app.fault_points import reach
from app.faust.batches import RecordBatch
from app.faust.stream_app import StreamApp
from app.kafka.pending_batches import PendingBatch
from domain.accounts import Account
from support.days.broker import Broker, SimulatedProducer, SimulatedTable
from support.days.faults import SimulatedFaults
from support.days.provider import SimulatedProvider
from support.deliveries import World
from support.fakes import FakeApp

OUTBOUND, EVENTS = "whatsapp-outbound", "whatsapp-events"
PARTITION = 2
MOST_RECORDS = 50
COMMIT_SECONDS = 0.05
SLOW_COMMIT_SECONDS = (0.5, 3.0)  # a worker commits every half second, and the broker takes its time
SLOW_COMMIT_SHARE = 0.2
OWN_STORES_SHARE = 0.5  # of the restarts: on the machine of before


class SimulatedWorld(World):
    """The engine's world on a broker that takes its time. A crash loses memory and what no acknowledgement had.

    ``outside``: the tasks that are not the worker's.
    """

    def __init__(self, broker: Broker, provider: SimulatedProvider, **settings: object) -> None:
        self.broker = broker
        self.provider = provider
        self.committed = {OUTBOUND: 0, EVENTS: 0}
        self.outside: set[asyncio.Task[Any]] = set()
        self.crashes = self.stops = 0
        self.readers: list[asyncio.Task[None]] = []
        self.wake = {topic: asyncio.Event() for topic in self.committed}
        for topic, event in self.wake.items():
            broker.listeners[topic] = event.set
        self.faults = SimulatedFaults(self.crash)
        self.faults.install()
        super().__init__(Account(channel="whatsapp"), **settings)  # type: ignore[arg-type]

    def start(self, *, begin: bool = True) -> None:
        """Begin as a new process: tables from their changelogs or their own stores, positions from their commits."""
        has_stores = self.crashes + self.stops > 0 and self.broker.chance.random() < OWN_STORES_SHARE
        local = (self.table, self.queue) if has_stores else (None, None)
        self.broker_side = SimulatedProducer(self.broker)
        self.producer = cast(Any, self.broker_side)
        self.table = SimulatedTable(self.broker, self.producer, "attempts-changelog", local[0])
        self.queue = SimulatedTable(self.broker, self.producer, "queue-changelog", local[1])
        self.channels = dict.fromkeys(self.channels, cast(Any, self.provider))
        self.app = FakeApp(**self.settings)
        self.app.batch_producer = self.producer
        self.make_dispatcher()
        self.app.assigned()
        self.readers = [
            asyncio.get_running_loop().create_task(self._read(topic, self.app, self.dispatcher, self.broker_side))
            for topic in self.committed
        ]

    def crash(self) -> None:
        """End as ``kill -9`` does, and begin again."""
        self.crashes += 1
        former = self.dispatcher
        self.broker_side.die()
        former.scheduler.close()
        former.queue.drop()
        self._end_tasks()
        self.start()

    async def stop(self) -> None:
        """End gracefully, and begin again."""
        self.stops += 1
        self.faults.disarm()
        for reader in self.readers:
            reader.cancel()
        await asyncio.wait(self.readers)
        await self.app.drain()
        await asyncio.sleep(5)  # the producer's flush
        self.broker_side.is_dead = True
        self._end_tasks()
        self.start()

    def _end_tasks(self) -> None:
        """Cancel all that the worker has under way, in the order in which it began."""
        current = asyncio.current_task()
        mine = asyncio.all_tasks() - self.outside - {current}
        for task in sorted(mine, key=lambda task: int(task.get_name().rpartition("-")[2])):
            task.cancel()

    async def _read(self, topic: str, app: FakeApp, dispatcher: Dispatcher, producer: SimulatedProducer) -> None:
        """Hand over the records after the commit; commit a batch once all that follows from it is durable."""
        at = self.committed[topic]
        while True:
            records = self.broker.logs[topic][at : at + MOST_RECORDS]
            if not records:
                self.wake[topic].clear()
                await self.wake[topic].wait()
                continue
            batch = _batch(topic, records, at)
            reach("consumed")
            if topic == OUTBOUND:
                writes = await deliver_batch(cast(StreamApp, app), dispatcher, batch)
            else:
                writes = receive_batch(cast(StreamApp, app), dispatcher.receipts, batch)
            at += len(records)
            await self._durable(writes)
            reach("effects-durable")
            chance = self.broker.chance
            is_slow = chance.random() < SLOW_COMMIT_SHARE
            await asyncio.sleep(chance.uniform(*(SLOW_COMMIT_SECONDS if is_slow else (0, COMMIT_SECONDS))))
            if not producer.is_dead:
                self.committed[topic] = at
                reach("committed")

    async def _durable(self, writes: Sequence[PendingBatch]) -> None:
        for write in writes:
            await write


def _batch(topic: str, records: Sequence[tuple[bytes | None, bytes | None]], start: int) -> RecordBatch:
    made = [
        SimpleNamespace(
            topic=topic, partition=PARTITION, offset=start + n, key=key, value=value, timestamp=now_ms(), headers=()
        )
        for n, (key, value) in enumerate(records)
    ]
    return RecordBatch(TP(topic, PARTITION), made, start, start + len(made), 1)
