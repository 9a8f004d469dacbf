"""A broker whose acknowledgements take a while: what is on its way when a worker dies is written, or it is not."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from app.kafka.pending_batches import Headers, PendingBatch, Written
from support.fakes import FakeTable

ACK_SECONDS = (0.002, 0.05)
SLOW_ACK_SECONDS = (0.5, 3.0)
SLOW_SHARE = 0.1
Record = tuple[bytes | None, bytes | None]


class Broker:
    """``logs``: records by topic, in their order. ``history``: every record in the order of the acknowledgements."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.logs: defaultdict[str, list[Record]] = defaultdict(list)
        self.history: list[tuple[float, str, bytes | None, bytes | None]] = []
        self.listeners: dict[str, Callable[[], None]] = {}

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> int:
        """Write a record; return its offset."""
        log = self.logs[topic]
        log.append((key, value))
        self.history.append((asyncio.get_running_loop().time(), topic, key, value))
        if topic in self.listeners:
            self.listeners[topic]()
        return len(log) - 1


class SimulatedProducer:
    """A worker's batch producer. Within a topic the records stay in their order."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queues: defaultdict[str, deque[tuple[PendingBatch, bytes | None, bytes | None]]] = defaultdict(deque)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.pending_bytes = 0
        self.is_dead = False

    def enqueue(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> PendingBatch:
        write = PendingBatch(asyncio.get_running_loop())
        write.records.append((key, value, headers))
        if self.is_dead:
            return write  # of a worker that is gone: nobody will acknowledge it
        self._queues[topic].append((write, key, value))
        if topic not in self._timers:
            self._next(topic)
        return write

    def _next(self, topic: str) -> None:
        chance = self._broker.chance
        seconds = chance.uniform(*(SLOW_ACK_SECONDS if chance.random() < SLOW_SHARE else ACK_SECONDS))
        self._timers[topic] = asyncio.get_running_loop().call_later(seconds, self._acknowledge, topic)

    def _acknowledge(self, topic: str) -> None:
        """Write all that waits: one batch."""
        del self._timers[topic]
        queue = self._queues[topic]
        waiting = [queue.popleft() for _ in range(len(queue))]
        for write, key, value in waiting:
            offset = self._broker.append(topic, key, value)
            if not write.future.done():
                write.future.set_result(Written(offset, -1))

    def die(self) -> None:
        """End with the worker: of each topic the first ones on their way are written, and nobody hears of it."""
        self.is_dead = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for topic, queue in sorted(self._queues.items()):
            for _, key, value in list(queue)[: self._broker.chance.randint(0, len(queue))]:
                self._broker.append(topic, key, value)
        self._queues.clear()


class SimulatedTable(FakeTable):
    """A table whose rows a new worker reads from its changelog."""

    def __init__(self, broker: Broker, producer: Any, name: str) -> None:
        super().__init__(producer, name)
        for key, value in broker.logs[name]:
            assert key is not None
            if value is None:
                self.rows.pop(key, None)
            elif not key.startswith(b"\0"):
                self.rows[key] = value
