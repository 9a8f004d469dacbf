"""Reads ``messages`` and ``status-updates`` into a ledger, from where they end now, without a consumer group."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.address import kafka_options
from app.kafka.topics import Topics
from app.settings import Settings
from loadtests.ledger import Ledger

_BATCH_RECORDS = 2_000
_LOOK_SECONDS = 0.05


class LedgerReader:
    """Use as a context manager. ``marks``: for each partition, the times (epoch ms) of its SENT facts.

    ``reads``: the same of its final facts. ``last_ms``: when the newest final fact was written, by the clock of the
    worker that wrote it.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        names = Topics(settings.topic_prefix)
        self._messages = names.messages
        self._partitions = [
            TopicPartition(topic, n)
            for topic in (names.messages, names.status_updates)
            for n in range(settings.partitions)
        ]
        self._kafka = kafka_options(settings)
        self._task: asyncio.Task[None] | None = None
        self._reading = asyncio.Event()
        self._consumer: Any = None
        self.ledger = ledger
        self.marks: defaultdict[int, list[int]] = defaultdict(list)
        self.reads: defaultdict[int, list[int]] = defaultdict(list)
        self.last_ms = 0

    async def __aenter__(self) -> LedgerReader:
        self._consumer = AIOKafkaConsumer(
            **self._kafka,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            enable_auto_commit=False,
        )
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        for tp, end in (await self._consumer.end_offsets(self._partitions)).items():
            self._consumer.seek(tp, end)
        self._task = asyncio.create_task(self._read())
        self.resume()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._consumer.stop()

    @property
    def is_open(self) -> bool:
        """Whether it reads, or would but for ``pause``."""
        return self._task is not None and not self._task.done()

    def pause(self) -> None:
        """Read no further for now: latencies are measured in this process, and reading takes its time."""
        self._reading.clear()

    def resume(self) -> None:
        """Read on."""
        self._reading.set()

    async def settled(self, stall_seconds: float) -> bool:
        """Return ``True`` once no message is open, ``False`` when nothing has come for ``stall_seconds``.

        Call it when all answers are in the ledger.
        """
        self.resume()
        clock = asyncio.get_running_loop().time
        seen, since = -1, clock()
        while True:
            if self._task is not None and self._task.done():
                self._task.result()
            behind = await self._behind()
            if not self.ledger.open and not behind:
                return True
            if self.ledger.facts != seen:
                seen, since = self.ledger.facts, clock()
            elif clock() - since > stall_seconds:
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    async def _behind(self) -> bool:
        if self.ledger.open:
            return True
        ends = await self._consumer.end_offsets(self._partitions)
        return any([await self._consumer.position(tp) < end for tp, end in ends.items()])

    async def _read(self) -> None:
        ledger, marks = self.ledger, self.marks
        while True:
            await self._reading.wait()
            batches = await self._consumer.getmany(timeout_ms=200, max_records=_BATCH_RECORDS)
            for tp, records in batches.items():
                if tp.topic == self._messages:
                    for record in records:
                        ledger.logged(record.value, record.timestamp, record.offset)
                    continue
                for record in records:
                    word = ledger.changed(record.value, record.timestamp)
                    if word == "SENT":
                        marks[tp.partition].append(record.timestamp)
                    elif word == "READ" or word == "FAILED":
                        self.last_ms = max(self.last_ms, record.timestamp)
                        self.reads[tp.partition].append(record.timestamp)
            await asyncio.sleep(0)
