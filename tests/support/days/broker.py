"""A broker whose acknowledgements take a while: what is on its way when a worker dies is written, or it is not."""

from __future__ import annotations

import asyncio
import hashlib
import random
from bisect import bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress

from app.fault_points import reach
from app.kafka.pending_batches import Headers, PendingBatch, Written
from support.fakes import FakeBatchProducer, FakeTable

ACK_SECONDS = (0.002, 0.05)
SLOW_ACK_SECONDS = (0.5, 3.0)
SLOW_SHARE = 0.1
CHANGELOG = "-changelog"
Record = tuple[bytes | None, bytes | None]


class Broker:
    """``logs``: records by topic, in their order; of a changelog ``tables`` has the last value of each key alone.

    ``records`` counts all of them, and ``digest`` depends on each, with its time and its order. ``on_record`` is called
    with each.
    """

    on_record: Callable[[str, bytes | None, bytes | None], None] | None = None

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.logs: defaultdict[str, list[Record]] = defaultdict(list)
        self.tables: defaultdict[str, dict[bytes, bytes]] = defaultdict(dict)
        self.records = 0
        self.listeners: dict[str, Callable[[], None]] = {}
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()[:16]

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> int:
        """Write a record; return its offset."""
        self.records += 1
        self._digest.update(repr((round(asyncio.get_running_loop().time(), 6), topic, key, value)).encode())
        if self.on_record is not None:
            self.on_record(topic, key, value)
        if topic.endswith(CHANGELOG):
            assert key is not None
            if value is None:
                self.tables[topic].pop(key, None)
            elif not key.startswith(b"\0"):
                self.tables[topic][key] = value
            return self.records
        log = self.logs[topic]
        log.append((key, value))
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
        written = [(write, self._broker.append(topic, key, value)) for write, key, value in queue]
        queue.clear()
        with suppress(asyncio.CancelledError):  # the worker ends here
            reach("changelog-acknowledged" if topic.endswith(CHANGELOG) else "produce-acknowledged")
        if self.is_dead:
            return
        for write, offset in written:
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
    """A table whose rows a new worker reads from its changelog, or finds in its own store (``local``).

    The store has what was put, so after a crash it is ahead of a changelog that never got the last records.
    """

    def __init__(self, broker: Broker, producer: FakeBatchProducer, name: str, local: FakeTable | None = None) -> None:
        super().__init__(producer, name)
        self.rows = dict(broker.tables[name] if local is None else local.rows)
        self._keys = sorted(self.rows)

    def _set(self, key: bytes, value: bytes | None) -> None:
        if value is not None and key not in self.rows:
            insort(self._keys, key)
        elif value is None and key in self.rows:
            del self._keys[bisect_right(self._keys, key) - 1]
        super()._set(key, value)

    def rows_after(self, partition: int, key: bytes, count: int) -> list[tuple[bytes, bytes]]:
        first = bisect_right(self._keys, key)
        return [(k, self.rows[k]) for k in self._keys[first : first + count]]
