"""Reads ``messages`` and ``status-updates`` without a consumer group, so every API process sees every accepted message.

It starts at the mirror's offsets, because Cassandra has all earlier records; never further back than the cache holds.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.kafka.fetch_gathering import gather
from app.settings import Settings
from domain.errors import LogUnavailable
from web.history.end_offsets import EndOffsets
from web.history.log_intake import Listener, LogIntake
from web.history.recent import RecentMessages
from web.history.standstill import Standstill
from web.history.starting_points import REQUEST_TIMEOUT_MS, LogPartitions, MirrorOffsets, StartingPoints
from web.history.stopping import stop_all

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 5.0
_IDLE_MS = 1_000
# a batch is folded without giving way to requests: 500 records at some 10 µs are 5 ms
_BATCH_RECORDS = 500
_LINGER_SECONDS = 0.01
# after a caller had to wait for the end of the log, fetches do not gather at the broker for this long
_EAGER_SECONDS = 1.0


class LogTailer:
    """Keeps ``recent`` up to date. ``start`` returns immediately; Kafka may be unavailable then and later.

    ``has_caught_up``: the end was reached once, so the cache reaches back to the mirrored records.
    """

    def __init__(self, settings: Settings, recent: RecentMessages) -> None:
        self._settings = settings
        self._recent = recent
        self._intake = LogIntake(recent)
        self._partitions = LogPartitions.of(settings)
        self._mirror = MirrorOffsets(settings)
        self._starts = StartingPoints(self._partitions, settings.recent_messages, recent.gaps)
        self._positions: dict[TopicPartition, int] = {}
        self._waiters: list[tuple[dict[TopicPartition, int], asyncio.Future[None]]] = []
        self._consumer: Any = None
        self._ends = EndOffsets(self._partitions.messages)
        self._fact_ends = EndOffsets(self._partitions.statuses)
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._attempted = asyncio.Event()
        self.has_caught_up = False
        self._eager_until = 0.0
        self._standstill = Standstill()

    @property
    def listener(self) -> Listener | None:
        """Who is told of the records."""
        return self._intake.listener

    @listener.setter
    def listener(self, listener: Listener) -> None:
        self._intake.listener = listener

    def start(self) -> asyncio.Task[None]:
        """Start reading. The task ends only by ``stop`` or by a bug; its owner must watch for the latter."""
        self._task = asyncio.create_task(self._tail_for_ever(), name="tailer")
        return self._task

    async def stop(self) -> None:
        """Stop reading and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=5)

    async def ping(self) -> None:
        """Check for a leader of every partition of ``messages``. Raises ``LogUnavailable``."""
        if await self._ends.now(REQUEST_TIMEOUT_MS / 1000, is_patient=True) is None:
            raise LogUnavailable("Kafka does not answer")

    @property
    def removed_unread(self) -> int:
        """How many records retention has removed before the mirror or this process read them."""
        return self._starts.removed_unread

    def records_behind(self) -> int | None:
        """Return how many records are unread as of the last fetch, ``None`` while disconnected."""
        consumer = self._consumer
        if consumer is None:
            return None
        marks = ((consumer.highwater(tp), position) for tp, position in self._positions.items())
        return sum(max(0, int(mark) - position) for mark, position in marks if mark is not None)

    async def catch_up(self, timeout_seconds: float) -> bool:
        """Return ``True`` once every message acknowledged before the call is cached; ``False`` if the time is over or
        Kafka is unavailable.
        """
        reached = await self._reach(self._ends, timeout_seconds)
        self.has_caught_up |= reached
        return reached

    async def catch_up_with_facts(self, timeout_seconds: float) -> bool:
        """As ``catch_up``, for the facts on ``status-updates``."""
        return await self._reach(self._fact_ends, timeout_seconds)

    async def _reach(self, measured: EndOffsets, timeout_seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        ends = await measured.now(timeout_seconds)
        if ends is None:
            return False
        missing = {tp: end for tp, end in ends.items() if self._positions.get(tp, -1) < end}
        if missing:
            self._hurry()
            waiter = loop.create_future()
            self._waiters.append((missing, waiter))
            self._wanted.set()
            try:
                async with asyncio.timeout_at(deadline):
                    await waiter
            except TimeoutError:
                self._standstill.waited(missing, self._positions, loop.time())
                return False
        return True

    async def wait_until_caught_up(self, timeout_seconds: float) -> None:
        """Wait until all records not mirrored yet have been read, or Kafka is found unavailable, or the time is
        over.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._attempted.wait()
                await self.catch_up(timeout_seconds)

    async def _tail_for_ever(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            consumer, measurer = self._connection(), self._connection()
            try:
                await consumer.start()
                await measurer.start()
                await self._begin(consumer)
                self._consumer, self._ends.consumer, self._fact_ends.consumer = consumer, measurer, measurer
                self._attempted.set()
                pause_seconds = _FIRST_PAUSE_SECONDS
                await self._tail(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("cannot follow the log: %r; trying again in %.2g s", error, pause_seconds)
            finally:
                self._consumer = None
                self._ends.disconnect()
                self._fact_ends.disconnect()
                self._attempted.set()
                await stop_all(consumer, measurer)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def _connection(self) -> Any:
        return AIOKafkaConsumer(
            **kafka_options(self._settings),
            client_id="chat4all-api-follower",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )

    async def _begin(self, consumer: Any) -> None:
        """Set the position of every partition: the previous one, or a starting point."""
        known = await consumer.topics()
        for topic in {tp.topic for tp in self._partitions.all} - set(known):
            raise KafkaError(f"there is no topic {topic} yet")
        consumer.assign(self._partitions.all)
        if not self._positions:
            positions = await self._starts.find(consumer, await self._mirror.read())
            # measured after the starting points: a message appended from here on has all its facts after them
            ends = await consumer.end_offsets(self._partitions.messages)
            self._recent.complete_from = {tp.partition: offset for tp, offset in ends.items()}
            self._positions = positions
            behind = sum(end - positions[tp] for tp, end in ends.items())
            log.info("following the log, %d records behind", behind)
        for tp, offset in self._positions.items():
            consumer.seek(tp, offset)
            self._reached(tp, offset)

    def _reached(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset
        if self.listener is not None:
            is_message = tp.topic == self._partitions.messages[0].topic
            self.listener.reached(tp.partition + (0 if is_message else self._settings.partitions), offset)

    async def mirrored(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return how far the mirror has written ``messages`` and ``status-updates``, by partition; may raise
        ``KafkaError`` or ``OSError``."""
        return self._partitions.numbered(await self._mirror.read())

    def _hurry(self) -> None:
        """Fetch without gathering for a while. A fetch already waiting at the broker keeps its wait."""
        self._eager_until = asyncio.get_running_loop().time() + _EAGER_SECONDS
        if self._consumer is not None:
            self._consumer._fetcher._fetch_min_bytes = 1

    def _is_eager(self) -> bool:
        return asyncio.get_running_loop().time() < self._eager_until

    async def _tail(self, consumer: Any) -> None:
        gather(
            consumer._fetcher,
            min_bytes=self._settings.follower_fetch_min_bytes,
            wait_ms=self._settings.follower_fetch_wait_ms,
            idle_ms=self._settings.fetch_idle_ms,
            is_urgent=self._is_eager,
        )
        messages_topic = self._partitions.messages[0].topic
        while True:
            batches = await consumer.getmany(timeout_ms=_IDLE_MS, max_records=_BATCH_RECORDS)
            for tp, records in batches.items():
                if records[0].offset > self._positions[tp]:  # nothing else leaves a gap: there are no transactions
                    self._starts.note_removed(tp, self._positions[tp], records[0].offset)
                if tp.topic == messages_topic:
                    self._intake.take_messages(records)
                else:
                    self._intake.take_facts(records)
                self._reached(tp, records[-1].offset + 1)
            if not batches:
                self._standstill.check(asyncio.get_running_loop().time())
            else:
                self._standstill.went_on()
                self._wake()
                await self._linger(sum(map(len, batches.values())))

    async def _linger(self, records: int) -> None:
        """Let records gather here while fetches do not gather at the broker, unless a caller waits for them."""
        if self._waiters or records >= _BATCH_RECORDS or not self._is_eager():
            await asyncio.sleep(0)  # getmany does not give way while it has something
            return
        self._wanted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._wanted.wait()

    def _wake(self) -> None:
        if not self._waiters:
            return
        still = []
        for missing, waiter in self._waiters:
            if waiter.done():
                continue
            if all(self._positions[tp] >= end for tp, end in missing.items()):
                waiter.set_result(None)
            else:
                still.append((missing, waiter))
        self._waiters = still
