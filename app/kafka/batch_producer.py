"""Writes records to Kafka in whole batches: one acknowledged future a batch instead of one a record.

Each partition of a topic has a queue. While one batch of a queue is on its way, new records gather and leave as the
next batch, so an idle queue adds no delay and a busy one needs few requests. Within a queue the order of the calls is
the order in Kafka. The producer is idempotent with ``acks=all``: a batch is written once, or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

import app.kafka.kafka_client  # noqa: F401  repairs aiokafka for every process
from app.fault_points import reach
from app.kafka.pending_batches import Headers, PartitionQueue, PendingBatch, Written, wake
from domain.errors import InDoubt, LogUnavailable

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 256 * 1024
MAX_RECORD_BYTES = 9 * 1024 * 1024  # a dead letter may hold a webhook of up to 4 MiB, twice in base64
MAX_PENDING_BYTES = 128 * 1024 * 1024
_RECORD_OVERHEAD_BYTES = 40
RETRY_SECONDS = 1.0
_STOP_SECONDS = 2.0
# a broker that answers so has written nothing of the batch
_REFUSALS = (
    MessageSizeTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    ClusterAuthorizationFailedError,
)


class WrongPartitions(Exception):
    """A topic has another number of partitions than the settings say: conversations would go elsewhere than before."""

    def __init__(self, topic: str, found: int, expected: int) -> None:
        super().__init__(
            f"topic {topic} has {found} partitions and the settings say {expected}: "
            "run `chat4all migrate`, or correct CHAT4ALL_PARTITIONS"
        )


class BatchProducer:
    """The one way into Kafka, for workers (``enqueue``) and for the API (``send_and_wait``).

    ``timeout_seconds`` bounds ``send_and_wait``. The bytes pending and the worker's own limit on batches in hand bound
    ``enqueue``. aiokafka retries transient failures of the broker below this class and keeps the order.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        client_id: str,
        timeout_seconds: float = 10.0,
        expected_partitions: Mapping[str, int] | None = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._security = dict(security or {})
        self._timeout_seconds = timeout_seconds
        self._expected_partitions = expected_partitions or {}
        self._queues: dict[tuple[str, int], PartitionQueue] = {}
        self._producer: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.pending_bytes = 0
        self.records_total = 0
        self.failed = asyncio.Event()  # a batch was refused for good: the producer may be of no use any more

    async def start(self) -> None:
        """Connect. Raises ``LogUnavailable`` if no broker answers or a topic is missing, ``WrongPartitions``."""
        self._loop = asyncio.get_running_loop()
        producer = self._new_producer()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await producer.start()
                for topic, expected in self._expected_partitions.items():
                    if (found := len(await producer.partitions_for(topic))) != expected:
                        raise WrongPartitions(topic, found, expected)
        except UnknownTopicOrPartitionError:
            await producer.stop()
            raise LogUnavailable("a topic is missing: run `chat4all migrate`") from None
        except (KafkaError, OSError, TimeoutError) as error:
            await producer.stop()
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not answer: {error}") from error
        except WrongPartitions:
            await producer.stop()
            raise
        self._producer = producer

    def _new_producer(self) -> Any:
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            **self._security,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            max_batch_size=MAX_RECORD_BYTES + MAX_BATCH_BYTES,
            max_request_size=2 * MAX_RECORD_BYTES,
            request_timeout_ms=int(self._timeout_seconds * 1000),
            metadata_max_age_ms=60_000,
        )

    async def reopen(self) -> None:
        """Go on with a new producer: one whose sequence the broker refused fails for ever.

        Raises ``LogUnavailable`` if no broker answers; meanwhile ``enqueue`` and ``send_and_wait`` raise it too.
        """
        old, self._producer = self._producer, None
        if old is not None:
            await self._stop_producer(old)
        self.failed.clear()
        await self.start()

    async def keep_open(self) -> None:
        """Connect, as often as it takes, and go on with a new producer after each failure; for ever.

        Raises ``WrongPartitions``.
        """
        while True:
            if self._producer is None or self.failed.is_set():
                try:
                    await self.reopen()
                except LogUnavailable as error:
                    log.warning("nothing can be written yet: %s", error)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                except WrongPartitions as error:
                    log.critical("this process ends: %s", error)
                    raise
                log.info("connected to Kafka")
            await self.failed.wait()

    async def flush(self) -> None:
        """Return when nothing is pending any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Send the pending batches, for at most ``timeout_seconds``, and disconnect."""
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeout_seconds)
        for task in self._tasks:
            task.cancel()
        if self._producer is not None:
            await self._stop_producer(self._producer)

    async def _stop_producer(self, producer: Any) -> None:
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await producer.stop()
        except (TimeoutError, KafkaError) as error:
            log.warning("the producer did not stop well: %r", error)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions ``topic`` has. Raises ``LogUnavailable`` within the time-out."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return len(await self._producer.partitions_for(topic))
        except UnknownTopicOrPartitionError:
            raise LogUnavailable(f"there is no topic {topic}: run `chat4all migrate`") from None
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"no metadata for topic {topic}: {error}") from error

    def enqueue(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> PendingBatch:
        """Queue one record and return its batch; await the batch before relying on it.

        Raises ``LogUnavailable`` when ``MAX_PENDING_BYTES`` are pending already.
        """
        if self._closing or self._producer is None:
            raise LogUnavailable("the batch producer is not open")
        size = len(key or b"") + len(value or b"") + _RECORD_OVERHEAD_BYTES
        for name, content in headers:
            size += len(name) + len(content) + 4
        if self.pending_bytes + size > MAX_PENDING_BYTES:
            raise LogUnavailable("too much is waiting for Kafka")
        queue = self._queues.get((topic, partition))
        if queue is None:
            queue = self._queues[topic, partition] = PartitionQueue()
        waiting = queue.waiting
        if not waiting or waiting[-1].size_bytes + size > MAX_BATCH_BYTES:
            waiting.append(PendingBatch(self._loop))
        batch = waiting[-1]
        batch.records.append((key, value, headers))
        batch.size_bytes += size
        self.pending_bytes += size
        self.records_total += 1
        if not queue.busy:
            queue.busy = True
            # in a new context: its log records do not belong to the request that started it
            task = self._loop.create_task(self._run(queue, topic, partition), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return batch

    async def send_and_wait(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        on_doubt: Callable[[asyncio.Future[Written]], None] | None = None,
    ) -> Written:
        """Write one record and return its offset.

        Raises ``LogUnavailable`` after ``timeout_seconds``. A record still queued by then is cancelled and will never
        be written. A record whose batch was on its way may still be written: this raises ``InDoubt``, after calling
        ``on_doubt`` with the future of the broker's answer.
        """
        batch = self.enqueue(topic, partition, key, value, headers)
        index = len(batch.records) - 1
        try:
            first = await self._acknowledged(batch)
        except TimeoutError:
            queue = self._queues[topic, partition]
            if batch in queue.waiting:
                batch.records[index] = None
                batch.has_cancelled = True
                raise LogUnavailable("Kafka did not acknowledge in time") from None
            if on_doubt is not None:
                on_doubt(batch.future)
            raise InDoubt("Kafka did not acknowledge in time") from None
        except Exception as error:
            is_certain = isinstance(error, _REFUSALS) or not batch.has_left
            raise (LogUnavailable if is_certain else InDoubt)(f"Kafka did not take the record: {error}") from error
        if batch.has_cancelled:  # those before this one that did not go along have no offset
            index -= sum(record is None for record in batch.records[:index])
        return Written(first.offset + index, first.timestamp_ms)

    async def _acknowledged(self, batch: PendingBatch) -> Written:
        """Return the batch's answer. Raises ``TimeoutError`` after ``timeout_seconds``, and the batch's error.

        A future and a timer: ``wait_for`` over ``shield`` costs a record three futures and five callbacks.
        """
        waiter: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_later(self._timeout_seconds, wake, waiter)
        batch.waiters.append(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
        if not batch.future.done():
            raise TimeoutError
        return batch.future.result()

    async def _run(self, queue: PartitionQueue, topic: str, partition: int) -> None:
        """Send a partition's batches one after the other until none is waiting."""
        try:
            while queue.waiting:
                batch = queue.waiting.popleft()
                try:
                    written = await self._transmit(batch, topic, partition)
                except Exception as error:  # noqa: BLE001  the error goes to those waiting for the batch
                    log.error(
                        "a batch of %d records for %s[%d] failed: %r", len(batch.records), topic, partition, error
                    )
                    self.failed.set()
                    if not batch.future.done():
                        batch.future.set_exception(error)
                        batch.future.exception()  # a caller that timed out no longer looks
                else:
                    if not batch.future.done():
                        batch.future.set_result(written)
                finally:
                    self.pending_bytes -= batch.size_bytes
                    for waiter in batch.waiters:
                        wake(waiter)
        finally:
            queue.busy = False

    async def _transmit(self, batch: PendingBatch, topic: str, partition: int) -> Written:
        producer = self._producer
        builder = producer.create_batch()
        for record in batch.records:
            if record is None:
                continue
            key, value, headers = record
            if builder.append(key=key, value=value, timestamp=None, headers=list(headers)) is None:
                raise KafkaError(f"a record of {len(value or b'')} bytes is over the limit")
        if not builder.record_count():
            return Written(-1, -1)
        builder.close()
        kind = "changelog" if topic.endswith("-changelog") else "produce"
        reach(f"{kind}-leaves")
        while True:
            try:
                sent = await producer.send_batch(builder, topic, partition=partition)
                break
            except KafkaTimeoutError:  # no metadata or no free slot: nothing has left yet, so wait on
                if self._closing:
                    raise
        batch.has_left = True
        reach(f"{kind}-on-its-way")
        metadata = await sent
        reach(f"{kind}-acknowledged")
        return Written(metadata.offset, metadata.timestamp if metadata.timestamp is not None else -1)
