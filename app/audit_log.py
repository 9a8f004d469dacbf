"""Reads the topics of the audit: all records of one partition number, in an order in which views only gain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.audit_books import EntryKind, PartitionFacts, attempts_kind, queue_kind, request_kind
from app.audit_spill import Entry
from app.clock import now_ms
from app.kafka.address import kafka_options
from app.kafka.topics import Topics, group_of
from app.settings import InvalidSetting, Settings
from domain.errors import LogUnavailable
from domain.recipients import CHANNELS

SILENCE_SECONDS = 15.0
RETENTION_SLACK_MS = 3_600_000  # between our clock and a channel's
ASK_AGAIN_SECONDS = 0.2
OUTCOME_SLACK_MS = 5_000  # a fact may be durable before its outcome is
_BATCH_RECORDS = 2_000


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[tuple[Any, Any]]:
    consumer = AIOKafkaConsumer(
        **kafka_options(settings), enable_auto_commit=False, fetch_max_wait_ms=100, auto_offset_reset="earliest"
    )
    admin = AIOKafkaAdminClient(**kafka_options(settings))
    try:
        await consumer.start()
        await admin.start()
        yield consumer, admin
    finally:
        await consumer.stop()
        await admin.close()


async def check_topics(settings: Settings, admin: Any) -> None:
    """Raise ``InvalidSetting`` unless the topics are there, with as many partitions as the settings say.

    With fewer in the settings the rest of the history would not be looked at.
    """
    names = Topics(settings.topic_prefix)
    read = [names.messages, names.status_updates, names.changelog("core", "message_state"), names.dead_letters]
    for channel in CHANNELS:
        read += [names.outbound(channel), names.changelog(channel, "queue"), names.changelog(channel, "attempts")]
    known = await admin.list_topics()
    for topic in read:
        if topic not in known:
            raise InvalidSetting(f"there is no topic {topic}: correct CHAT4ALL_TOPIC_PREFIX, or run `chat4all migrate`")
    for found in await admin.describe_topics(read):
        if (count := len(found["partitions"])) != settings.partitions:
            raise InvalidSetting(
                f"topic {found['topic']} has {count} partitions and CHAT4ALL_PARTITIONS is {settings.partitions}: "
                "correct it"
            )


async def records_behind(settings: Settings, consumer: Any, admin: Any) -> tuple[int, int]:
    """Return how many records the roles have not committed, and how many of those retention has removed.

    The first counts ``messages`` and ``status-updates`` for core and mirror. The second also counts the outbound
    topics.
    """
    names, behind, removed = Topics(settings.topic_prefix), 0, 0
    read_by = {role: [names.messages, names.status_updates] for role in ("core", "mirror")}
    by_role = {**read_by, **{channel: [names.outbound(channel)] for channel in CHANNELS}}
    found = await _committed_by(admin, [group_of(role, settings.topic_prefix) for role in by_role])
    for (role, topics), committed in zip(by_role.items(), found, strict=True):
        tps = [TopicPartition(topic, n) for topic in topics for n in range(settings.partitions)]
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        for tp in tps:
            done = committed[tp].offset if tp in committed else -1
            if role in read_by:
                behind += max(0, ends[tp] - max(0, done))
            if done >= 0:
                removed += max(0, begins[tp] - done)
    return behind, removed


async def committed_of(settings: Settings, admin: Any) -> Mapping[str, Mapping[Any, Any]]:
    """Return the committed offsets of each channel."""
    found = await _committed_by(admin, [group_of(channel, settings.topic_prefix) for channel in CHANNELS])
    return dict(zip(CHANNELS, found, strict=True))


async def _committed_by(admin: Any, groups: Sequence[str]) -> Sequence[Mapping[Any, Any]]:
    """Return the committed offsets of each group; none of one that has committed nothing."""
    return await asyncio.gather(*(_committed(admin, group) for group in groups))


async def _committed(admin: Any, group: str) -> Mapping[Any, Any]:
    # aiokafka says none, too, when the group's coordinator answers with an error, so that is asked again
    for is_last in (False, False, True):
        found: Mapping[Any, Any] = await admin.list_consumer_group_offsets(group)
        if found or is_last:
            break
        await asyncio.sleep(ASK_AGAIN_SECONDS)
    return found


class PartitionReader:
    """One partition number of all topics of the audit."""

    def __init__(
        self, settings: Settings, consumer: Any, number: int, committed: Mapping[str, Mapping[Any, Any]]
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._number = number
        self._committed = committed
        self._names = Topics(settings.topic_prefix)

    def _sources(self) -> list[tuple[int, TopicPartition]]:
        """Return the kinds of records and their partitions, in the order of reading.

        The queues come first. A row read there has its request on the topic that is read next. A row that leaves the
        queue later has its fact in the history, which is read last, and so has each outcome.
        """
        names, number = self._names, self._number
        sources: list[tuple[int, TopicPartition]] = []
        for index, channel in enumerate(CHANNELS):
            changelog = names.changelog(channel, "queue")
            sources.append((queue_kind(index), TopicPartition(changelog, number)))
            sources.append((request_kind(index), TopicPartition(names.outbound(channel), number)))
            attempts = names.changelog(channel, "attempts")
            sources.append((attempts_kind(index), TopicPartition(attempts, number)))
        sources.append((EntryKind.LETTER, TopicPartition(names.dead_letters, number)))
        sources.append((EntryKind.MESSAGE, TopicPartition(names.messages, number)))
        sources.append((EntryKind.FACT, TopicPartition(names.status_updates, number)))
        sources.append((EntryKind.ROW, TopicPartition(names.changelog("core", "message_state"), number)))
        return sources

    async def facts(self) -> PartitionFacts:
        """Return the state before the records."""
        sources = self._sources()
        tps = [tp for _, tp in sources]
        self._consumer.assign(tps)
        begins, ends = await self._consumer.beginning_offsets(tps), await self._consumer.end_offsets(tps)
        now = now_ms()
        by_kind = {kind: begins[tp] for kind, tp in sources}
        return PartitionFacts(
            self._number,
            by_kind[EntryKind.MESSAGE],
            sum(ends[tp] - begins[tp] for tp in tps),
            self._settings.state_retention_hours,
            {channel: by_kind[request_kind(index)] for index, channel in enumerate(CHANNELS)},
            by_kind[EntryKind.FACT] > 0,
            now - self._settings.state_retention_hours * 3_600_000 + RETENTION_SLACK_MS,
            now - OUTCOME_SLACK_MS,
            {channel: self._committed_end(channel) for channel in CHANNELS},
        )

    async def entries(self) -> AsyncIterator[Entry]:
        """Yield the records of each topic to where it ends when its turn comes."""
        for kind, tp in self._sources():
            async for record in _records(self._consumer, tp):
                yield Entry(kind, record.offset, record.timestamp, record.key, record.value)

    def _committed_end(self, channel: str) -> int:
        tp = TopicPartition(self._names.outbound(channel), self._number)
        committed = self._committed[channel]
        return int(committed[tp].offset) if tp in committed else -1


async def _assign(consumer: Any, tp: TopicPartition) -> int:
    """Assign a partition and return its first offset.

    A look-up of offsets before the assignment would wait for the metadata of a topic that the client has forgotten.
    """
    consumer.assign([tp])
    first: int = (await consumer.beginning_offsets([tp]))[tp]
    return first


async def _records(consumer: Any, tp: TopicPartition) -> AsyncIterator[Any]:
    """Yield the records from the first to where the partition ends now."""
    first = await _assign(consumer, tp)
    end = (await consumer.end_offsets([tp]))[tp]
    if first >= end:
        return
    # not seek_to_beginning: aiokafka may be looking for the end since the assignment, and its answer would win
    consumer.seek(tp, first)
    while await consumer.position(tp) < end:
        batches = await consumer.getmany(tp, timeout_ms=int(SILENCE_SECONDS * 1000), max_records=_BATCH_RECORDS)
        if not batches:
            raise LogUnavailable(f"{tp.topic}[{tp.partition}]: nothing came for {SILENCE_SECONDS:g} s")
        for record in batches[tp]:
            if record.offset < end:
                yield record
