"""The state of the broker at the end of a round."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from loadtests.rounds.plan import PARTITIONS, RoundTopics

_LOOK_SECONDS = 0.2


class Broker:
    """Looks at a group's commits and reads topics, from outside the workers."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self.admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        self._consumer: Any = None

    async def __aenter__(self) -> Broker:
        await self.admin.start()
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, auto_offset_reset="earliest")
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self.admin.close()

    async def ends(self, topic: str) -> dict[int, int]:
        """Return partition → end of the log."""
        found = await self._consumer.end_offsets([TopicPartition(topic, p) for p in range(PARTITIONS)])
        return {tp.partition: offset for tp, offset in found.items()}

    async def lag(self, topics: RoundTopics) -> dict[int, int]:
        """Return the number of uncommitted records by partition, without zeros."""
        ends = await self.ends(topics.input)
        commits = await self.admin.list_consumer_group_offsets(topics.group)
        committed = {tp.partition: meta.offset for tp, meta in commits.items() if tp.topic == topics.input}
        lags = {partition: end - max(0, committed.get(partition, 0)) for partition, end in ends.items()}
        return {partition: lag for partition, lag in lags.items() if lag}

    async def caught_up(self, topics: RoundTopics, patience_seconds: float) -> dict[int, int]:
        """Wait until all is committed, or nothing changes for ``patience_seconds``; return the rest."""
        loop = asyncio.get_running_loop()
        lag, changed_at = {-1: 1}, loop.time()
        while lag and loop.time() - changed_at < patience_seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(KafkaError):  # nobody has used a group on this broker before
                before, lag = lag, await self.lag(topics)
                if lag != before:
                    changed_at = loop.time()
        return lag

    async def fold(self, topic: str, table: bool) -> dict[bytes, int]:
        """Return the fold of a changelog (the last value of each key) or an output topic (all bits seen)."""
        ends = await self.ends(topic)
        tps = [TopicPartition(topic, partition) for partition, end in ends.items() if end]
        self._consumer.assign(tps)
        await self._consumer.seek_to_beginning(*tps)
        found: dict[bytes, int] = {}
        open_tps = set(tps)
        async with asyncio.timeout(20):
            while open_tps:
                for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        found[record.key] = int(record.value) | (0 if table else found.get(record.key, 0))
                    if records[-1].offset + 1 >= ends[tp.partition]:
                        open_tps.discard(tp)
        self._consumer.unsubscribe()
        return found


def wrong_keys(expected: Mapping[bytes, int], found: Mapping[bytes, int]) -> list[str]:
    """Return ``key: found≠expected`` for each key with a wrong fold."""
    return [
        f"{key.decode()}: {found.get(key, 0)}≠{bits}"
        for key, bits in sorted(expected.items())
        if found.get(key, 0) != bits
    ]
