"""The input of a round, and its expected result.

Each key gets two events, ``1`` and ``2``, in an order that the seed shuffles. An established group has seen ``4`` for
some keys before. The fold of a key is the sum of its bits: order and repetition do not change it, and a lost event or a
lost state leaves a bit out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from app.kafka.batch_producer import BatchProducer
from app.kafka.partitions import partition_for
from loadtests.rounds.plan import HISTORY_KEYS, KEYS, LATE_PER_SECOND, PARTITIONS, Plan, RoundTopics

Events = Sequence[tuple[bytes, int]]

_TICK_SECONDS = 0.05
_TRANSACTION_EVENTS = 700


class Load:
    """Writes the events of one round. ``expected``: key → fold; ``first``: partition → offset where work begins."""

    def __init__(self, plan: Plan, topics: RoundTopics, batch_producer: BatchProducer, kafka: str) -> None:
        self._plan, self._topics, self._batch_producer, self._kafka = plan, topics, batch_producer, kafka
        self.first = dict.fromkeys(range(PARTITIONS), 0)
        self.expected: dict[bytes, int] = {}
        self.early, self.late = _shuffled(plan.seed)

    async def write_history(self) -> None:
        """Prepare the state of an established group: commits, a changelog (or outputs), perhaps a truncated log."""
        if self._plan.history not in ("established", "truncated"):
            return
        events = [(b"k%05d" % n, 4) for n in range(HISTORY_KEYS)]
        by_partition: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
        for key, _ in events:
            by_partition[partition_for(key, PARTITIONS)].append(key)
        await self._write(events)
        cut = 2 if self._plan.history == "truncated" else 1
        committed = {partition: len(keys) // cut for partition, keys in by_partition.items()}
        seen = [(key, 4) for partition, keys in by_partition.items() for key in keys[: committed[partition]]]
        await self._write(seen, self._topics.changelog if self._plan.table else self._topics.output)
        self._expect(seen)
        await self._commit(committed)
        if self._plan.history == "truncated":
            self.first = {partition: len(keys) for partition, keys in by_partition.items()}
            await self._truncate(self.first)
        else:
            self.first = committed

    async def write_early(self) -> None:
        """Write the initial events, before the first worker starts."""
        self._expect(self.early)
        self._expect(self.late)
        if self._plan.history == "holes":
            await self._write_in_transactions(self.early)
        else:
            await self._write(self.early)

    async def write_late(self, half: int) -> None:
        """Write the first (0) or second (1) half of the late quarter at its pace."""
        step, events = int(LATE_PER_SECOND * _TICK_SECONDS), self.late[half::2]
        for begin in range(0, len(events), step):
            tick = asyncio.create_task(asyncio.sleep(_TICK_SECONDS))
            await self._write(events[begin : begin + step])
            await tick

    async def _write(self, events: Events, topic: str = "") -> None:
        enqueue, name = self._batch_producer.enqueue, topic or self._topics.input
        writes = {enqueue(name, partition_for(key, PARTITIONS), key, b"%d" % bit) for key, bit in events}
        for write in writes:
            await write

    async def _write_in_transactions(self, events: Events) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka, transactional_id=self._topics.prefix + "holes")
        await producer.start()
        try:
            for begin in range(0, len(events), _TRANSACTION_EVENTS):
                async with producer.transaction():
                    for key, bit in events[begin : begin + _TRANSACTION_EVENTS]:
                        partition = partition_for(key, PARTITIONS)
                        await producer.send(self._topics.input, b"%d" % bit, key, partition)
        finally:
            await producer.stop()

    async def _commit(self, offsets: dict[int, int]) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka, group_id=self._topics.group, enable_auto_commit=False
        )
        consumer.assign([TopicPartition(self._topics.input, partition) for partition in offsets])
        await consumer.start()
        try:
            await consumer.commit({TopicPartition(self._topics.input, p): offset for p, offset in offsets.items()})
        finally:
            await consumer.stop()

    async def _truncate(self, first: dict[int, int]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka)
        await admin.start()
        try:
            topic = self._topics.input
            await admin.delete_records({TopicPartition(topic, p): RecordsToDelete(o) for p, o in first.items()})
        finally:
            await admin.close()

    def _expect(self, events: Events) -> None:
        for key, bit in events:
            self.expected[key] = self.expected.get(key, 0) | bit


def _shuffled(seed: int) -> tuple[Events, Events]:
    """Return the initial events, and the late quarter of the second ones."""
    draw = random.Random(seed)
    first, second = [], []
    for n in range(KEYS):
        bits = draw.sample((1, 2), 2)
        first.append((b"k%05d" % n, bits[0]))
        second.append((b"k%05d" % n, bits[1]))
    draw.shuffle(second)
    late = second[: KEYS // 4]
    early = [*first, *second[KEYS // 4 :]]
    draw.shuffle(early)
    return early, late
