"""Checks that the views agree with the log. It compares the fold of ``status-updates``, the ``message_state`` table as
its changelog has it, and every row in Cassandra, message by message; content byte for byte with ``messages``. Each
delivery requested of a channel is in its queue or has an outcome, and each dead letter has its fact.

Meant for a system at rest. In a working system ``Report.behind`` is the number of records that the roles have yet to
process; while it is not 0, a difference may be only a delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from app.audit_deliveries import ChannelAudit, IsDelivery, LoadDelivery
from app.audit_rules import Difference, History, LoadRow, compare, compare_ids
from app.cassandra import cassandra_config
from app.clock import now_ms
from app.kafka.codec import decode
from app.kafka.partitions import partition_by
from app.kafka.topics import Topics, group_of
from app.settings import InvalidSetting, Settings
from domain.errors import LogUnavailable, MalformedRecord
from domain.ports import LogPosition, StoredMessage
from domain.recipients import CHANNELS
from domain.records import DeadLetter
from storage.cassandra.driver_session import Access
from storage.cassandra.reader import CassandraMessageReader
from storage.cassandra.session import CassandraSession

SILENCE_SECONDS = 15.0
CONNECT_SECONDS = 15.0
PAGE_ROWS = 200
IDS_AT_ONCE = 100
QUERIES_AT_ONCE = 16
_BATCH_RECORDS = 2_000
_POSITIONS = (
    "SELECT message_id, conversation_id, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id IN ?"
)


@dataclass(frozen=True, slots=True)
class RowLoaders:
    """Read rows of tables: ``message_state`` (``state``), ``queue`` (``delivery`` and ``is_delivery``)."""

    state: LoadRow
    delivery: LoadDelivery
    is_delivery: IsDelivery


@dataclass(slots=True)
class Report:
    """``count``: all differences; ``differences``: the first of them. ``unreadable``: malformed records of
    ``messages`` and ``status-updates``, which their agents put on ``dead-letters``.

    ``stuck``: messages that have been only ACCEPTED for ``settings.audit_stuck_hours``; ``stuck_ids``: the first ones.
    ``removed_unread``: records removed by retention before their role had committed them.
    """

    messages: int = 0
    facts: int = 0
    unreadable: int = 0
    behind: int = 0
    count: int = 0
    differences: list[Difference] = field(default_factory=list)
    stuck: int = 0
    stuck_ids: list[str] = field(default_factory=list)
    removed_unread: int = 0

    @property
    def is_clean(self) -> bool:
        return not (self.count or self.stuck or self.removed_unread or self.unreadable)

    def __str__(self) -> str:
        head = f"{self.messages} messages, {self.facts} facts, {self.behind} records not yet processed"
        if self.is_clean:
            return f"log, table and Cassandra agree: {head}"
        lines = [f"{self.count} differences: {head}", *(f"  {found}" for found in self.differences)]
        if self.stuck:
            lines.append(f"{self.stuck} messages have been ACCEPTED for long, and nothing more is known of them")
            lines += [f"  message {message_id}" for message_id in self.stuck_ids]
        if self.removed_unread:
            lines.append(f"{self.removed_unread} records left by retention before they were processed")
        if self.unreadable:
            lines.append(
                f"{self.unreadable} records cannot be read; they are on dead-letters, and nothing came of them"
            )
        return "\n".join(lines)


async def audit(settings: Settings, loaders: RowLoaders, *, most: int = 100) -> Report:
    """Compare all views and return at most ``most`` of the differences.

    ``loaders`` is ``tables.loaders.LOADERS``. One partition number at a time is held in memory. Raises
    ``LogUnavailable``, ``StoreUnavailable``, and ``InvalidSetting`` if the topics are not as the settings say.
    """
    report = Report()
    try:
        async with _connected(settings) as (consumer, admin), CassandraSession(cassandra_config(settings)) as session:
            await check_topics(settings, admin)
            await session.connected(CONNECT_SECONDS)
            report.behind, report.removed_unread = await _behind(settings, consumer, admin)
            committed = {
                channel: await admin.list_consumer_group_offsets(group_of(channel, settings.topic_prefix))
                for channel in CHANNELS
            }
            for partition in range(settings.partitions):
                # first the queues: what has left them since has its fact in the history
                deliveries = await _deliveries(settings, loaders, consumer, committed, partition)
                history = await _history(settings, loaders.state, consumer, partition)
                report.messages += len(history.accepted)
                report.facts += history.facts
                report.unreadable += history.unreadable
                for message_id in history.stuck(now_ms() - int(settings.audit_stuck_hours * 3_600_000)):
                    report.stuck += 1
                    if report.stuck <= most:
                        report.stuck_ids.append(message_id)
                async for difference in _differences(settings, session, history, deliveries):
                    report.count += 1
                    if report.count <= most:
                        report.differences.append(difference)
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    return report


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[tuple[Any, Any]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False, fetch_max_wait_ms=100)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
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
        read += [names.outbound(channel), names.changelog(channel, "queue")]
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


async def _behind(settings: Settings, consumer: Any, admin: Any) -> tuple[int, int]:
    """Return how many records the roles have not committed, and how many of those retention has removed.

    The first counts ``messages`` and ``status-updates`` for core and mirror. The second also counts the outbound
    topics.
    """
    names, behind, removed = Topics(settings.topic_prefix), 0, 0
    read_by = {role: [names.messages, names.status_updates] for role in ("core", "mirror")}
    for role, topics in {**read_by, **{channel: [names.outbound(channel)] for channel in CHANNELS}}.items():
        tps = [TopicPartition(topic, n) for topic in topics for n in range(settings.partitions)]
        committed = await admin.list_consumer_group_offsets(group_of(role, settings.topic_prefix))
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        for tp in tps:
            done = committed[tp].offset if tp in committed else -1
            if role in read_by:
                behind += max(0, ends[tp] - max(0, done))
            if done >= 0:
                removed += max(0, begins[tp] - done)
    return behind, removed


async def _history(settings: Settings, load_row: LoadRow, consumer: Any, partition: int) -> History:
    """Read one partition number of the three topics to where they end now."""
    names = Topics(settings.topic_prefix)
    messages = TopicPartition(names.messages, partition)
    updates = TopicPartition(names.status_updates, partition)
    changelog = TopicPartition(names.changelog("core", "message_state"), partition)
    begins = await consumer.beginning_offsets([messages, updates])
    history = History(begins[messages], retention_hours=settings.state_retention_hours)
    async for record in _records(consumer, messages):
        history.add_message(record.value, LogPosition(record.timestamp, record.offset))
    async for record in _records(consumer, updates):
        if begins[updates] > 0 and not history.facts_from_ms:
            history.facts_from_ms = record.timestamp
        history.add_fact(record.value, record.timestamp)
    async for record in _records(consumer, changelog):
        history.add_row(record.key, record.value, load_row)
    return history


async def _deliveries(
    settings: Settings, loaders: RowLoaders, consumer: Any, committed: Mapping[str, Mapping[Any, Any]], partition: int
) -> list[ChannelAudit]:
    """Read one partition number of each channel: the requests that are ``committed``, the queue, the letters."""
    names, channels = Topics(settings.topic_prefix), []
    for channel in CHANNELS:
        requests = TopicPartition(names.outbound(channel), partition)
        done = committed[channel][requests].offset if requests in committed[channel] else -1
        audited = ChannelAudit(channel, await _assign(consumer, requests))
        async for record in _records(consumer, requests):
            if record.offset < done:
                audited.add_request(record.value)
        async for record in _records(consumer, TopicPartition(names.changelog(channel, "queue"), partition)):
            audited.add_row(record.key, record.value, loaders.is_delivery, loaders.delivery)
        channels.append(audited)
    by_topic = {names.outbound(audited.channel): audited for audited in channels}
    async for record in _records(consumer, TopicPartition(names.dead_letters, partition)):
        if (letter := _letter(record.value)) is not None and letter.topic in by_topic:
            by_topic[letter.topic].add_letter(letter)
    return channels


def _letter(value: bytes | None) -> DeadLetter | None:
    try:
        return decode(value, DeadLetter)
    except MalformedRecord:
        return None  # of a later release


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
    await consumer.seek_to_beginning(tp)
    while await consumer.position(tp) < end:
        batches = await consumer.getmany(tp, timeout_ms=int(SILENCE_SECONDS * 1000), max_records=_BATCH_RECORDS)
        if not batches:
            raise LogUnavailable(f"{tp.topic}[{tp.partition}]: nothing came for {SILENCE_SECONDS:g} s")
        for record in batches[tp]:
            if record.offset < end:
                yield record


async def _differences(
    settings: Settings, session: CassandraSession, history: History, deliveries: Sequence[ChannelAudit]
) -> AsyncIterator[Difference]:
    oldest_ms = now_ms() - int(settings.state_retention_hours * 3_600_000)
    for difference in history.table_differences(oldest_ms):
        yield difference
    for channel in deliveries:
        for difference in channel.differences(history):
            yield difference
    reader = CassandraMessageReader(session, partition_by(settings.partitions))
    for ids in _chunks(sorted(history.conversations()), QUERIES_AT_ONCE):
        for stored in await asyncio.gather(*(_stored(reader, conversation_id) for conversation_id in ids)):
            history.check_off(message.message.message_id for message in stored)
            for difference in compare(history, stored):
                yield difference
    for difference in history.missing():
        yield difference
    for ids in _chunks(list(history.accepted), IDS_AT_ONCE):
        for difference in compare_ids(history, ids, await _positions(session, ids)):
            yield difference


async def _stored(reader: CassandraMessageReader, conversation_id: str) -> Sequence[StoredMessage]:
    found: list[StoredMessage] = []
    while True:
        after = found[-1].position if found else None
        page = await reader.list(conversation_id, after=after, limit=PAGE_ROWS, descending=False)
        found += page
        if len(page) < PAGE_ROWS:
            return found


async def _positions(session: CassandraSession, ids: Sequence[str]) -> Mapping[str, tuple[str, LogPosition]]:
    rows = await session.run(_POSITIONS, (list(ids),), Access.READ)
    return {row[0]: (row[1], LogPosition(row[2], row[3])) for row in rows}


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
