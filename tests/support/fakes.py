"""Stand-ins for what an agent is given, without Kafka: a batch producer, a table, a consumer, an app."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace

from faust.types import TP

from app.faust.batches import RecordBatch
from app.impossible_times import ImpossibleTimes
from app.kafka.pending_batches import Headers, PendingBatch, Written
from app.kafka.topics import Topics
from app.settings import Settings
from app.tracing import Tracing
from support.values import changed


class FakeBatchProducer:
    """Keeps what was enqueued. Batches are acknowledged immediately, or when ``release`` is called if ``held``."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, bytes | None, bytes | None]] = []
        self.headers: list[Headers] = []
        self.held = False
        self.pending_bytes = 0
        self._waiting: list[PendingBatch] = []

    def enqueue(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> PendingBatch:
        write = PendingBatch(asyncio.get_running_loop())
        write.records.append((key, value, headers))
        self.records.append((topic, partition, key, value))
        self.headers.append(headers)
        if self.held:
            self._waiting.append(write)
        else:
            write.future.set_result(Written(len(self.records) - 1, -1))
        return write

    def release(self) -> None:
        self.held = False
        for write in self._waiting:
            write.future.set_result(Written(0, -1))
        self._waiting.clear()

    def copy(self) -> FakeBatchProducer:
        """Return another with the same records."""
        other = FakeBatchProducer()
        other.records, other.headers = list(self.records), list(self.headers)
        return other

    def on(self, topic: str) -> list[bytes]:
        """The values that were enqueued for ``topic``, in order."""
        return [value for name, _, _, value in self.records if name == topic and value is not None]


class FakeTable:
    """A durable table over a dict."""

    def __init__(self, batch_producer: FakeBatchProducer, name: str = "table-changelog") -> None:
        self.rows: dict[bytes, bytes] = {}
        self.batch_producer = batch_producer
        self.changelog = self.name = name
        self._removals: dict[bytes, PendingBatch] = {}

    def get_bytes(self, partition: int, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, partition: int, key: bytes, value: bytes | None) -> PendingBatch:
        self._removals.pop(key, None)
        self._set(key, value)
        return self.batch_producer.enqueue(self.changelog, partition, key, value)

    def remove(self, partition: int, key: bytes) -> PendingBatch:
        write = self._removals[key] = self.batch_producer.enqueue(self.changelog, partition, key, None)
        if write.future.done():
            self._removed(key, write, write.future)
        else:
            write.future.add_done_callback(partial(self._removed, key, write))
        return write

    def _removed(self, key: bytes, write: PendingBatch, future: asyncio.Future[Written]) -> None:
        if self._removals.get(key) is write:
            del self._removals[key]
            if not future.cancelled() and future.exception() is None:
                self._set(key, None)

    def _set(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = value

    def copy(self, batch_producer: FakeBatchProducer) -> FakeTable:
        """Return another with the same rows."""
        other = FakeTable(batch_producer, self.changelog)
        other.rows = dict(self.rows)
        return other

    def claim(self, partition: int) -> PendingBatch:
        return self.batch_producer.enqueue(self.changelog, partition, b"\0generation", b"1")

    def rows_after(self, partition: int, key: bytes, count: int) -> list[tuple[bytes, bytes]]:
        return [(k, self.rows[k]) for k in sorted(k for k in self.rows if k > key)[:count]]

    def active_partitions(self) -> list[int]:
        return [2]


class FakeConsumer:
    """Remembers which batches were completed."""

    def __init__(self) -> None:
        self.completed: list[RecordBatch] = []
        self.epoch = 1

    def is_current(self, batch: RecordBatch) -> bool:
        return batch.epoch == self.epoch

    def complete(self, batch: RecordBatch) -> None:
        self.completed.append(batch)


class _NoMetrics:
    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class FakeApp:
    """What agents use of ``StreamApp``. ``aborted`` holds what would have ended the worker."""

    def __init__(self, **settings: object) -> None:
        self.settings = changed(Settings(), settings)
        self.names = Topics()
        self.batch_producer = FakeBatchProducer()
        self.consumer = FakeConsumer()
        self.metrics = _NoMetrics()
        self.tracing: Tracing | None = None
        self.impossible_times = ImpossibleTimes(self.metrics)  # type: ignore[arg-type]
        self.blocked_on: str | None = None
        self.progress = 0
        self.rebalancing = False
        self.aborted: list[tuple[str, BaseException]] = []
        self.role = "whatsapp"
        self.drains: list[Callable[[], Awaitable[None]]] = []
        self.begins: list[Callable[[], None]] = []
        self.stalls: list[Callable[[], str | None]] = []

    def on_assigned(self, begin: Callable[[], None]) -> None:
        self.begins.append(begin)

    def assigned(self) -> None:
        for begin in self.begins:
            begin()

    def watch(self, stall: Callable[[], str | None]) -> None:
        self.stalls.append(stall)

    def on_drain(self, drain: Callable[[], Awaitable[None]]) -> None:
        self.drains.append(drain)

    async def drain(self) -> None:
        for drain in self.drains:
            await drain()

    def abort(self, what: str, error: BaseException) -> None:
        self.aborted.append((what, error))


def batch_of(topic: str, *values: bytes | None, start: int = 0, key: bytes = b"c-1", partition: int = 2) -> RecordBatch:
    """A batch of records with the given values, at consecutive offsets."""
    records = [
        SimpleNamespace(
            topic=topic,
            partition=partition,
            offset=start + n,
            key=key,
            value=value,
            timestamp=1_700_000_000_000 + n,
            headers=(("request_id", b"r-1"),),
        )
        for n, value in enumerate(values)
    ]
    return RecordBatch(TP(topic, partition), records, start, start + len(values), 1)
