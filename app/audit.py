"""Checks that the views agree with the log. It compares the fold of ``status-updates``, the ``message_state`` table as
its changelog has it, and every row in Cassandra, message by message; content byte for byte with ``messages``. Each
delivery requested of a channel is in its queue or has an outcome, the table ``attempts`` has the outcomes that the
facts tell, and each dead letter has its fact. If they are given, a follower's live frames and the provider's list are
compared as well.

Meant for a system at rest. In a working system ``Report.behind`` is the number of records that the roles have yet to
process; while it is not 0, a difference may be only a delay. Memory is bounded, for a log of any length: see
``app/audit_books.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from aiokafka.errors import KafkaError

from app.audit_books import Books, RowLoaders, books_of
from app.audit_causes import cause_of
from app.audit_deliveries import ChannelAudit
from app.audit_log import PartitionReader, check_topics, committed_of, connected, records_behind
from app.audit_rules import Difference, History, compare, compare_ids
from app.audit_witnesses import LiveFrames, ProviderTruth
from app.cassandra import cassandra_config
from app.clock import now_ms
from app.kafka.partitions import partition_by
from app.kafka.topics import Topics
from app.settings import Settings
from domain.errors import LogUnavailable
from domain.ports import LogPosition, StoredMessage
from domain.recipients import CHANNELS
from storage.cassandra.driver_session import Access
from storage.cassandra.reader import CassandraMessageReader
from storage.cassandra.session import CassandraSession

__all__ = ["Report", "RowLoaders", "Views", "audit", "check_topics"]

CONNECT_SECONDS = 15.0
PAGE_ROWS = 200
IDS_AT_ONCE = 100
QUERIES_AT_ONCE = 16
_POSITIONS = (
    "SELECT message_id, conversation_id, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id IN ?"
)


@dataclass(slots=True)
class Views:
    """Views besides Kafka and Cassandra. ``folder``: for the buckets of a long log; ``None``: the system's."""

    frames: LiveFrames | None = None
    provider: ProviderTruth | None = None
    folder: Path | None = None


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

    def add(self, difference: Difference, history: History | None, most: int) -> None:
        """Count a difference, and keep it with its records and its likely cause while there are fewer than ``most``."""
        self.count += 1
        if self.count <= most:
            where = "" if history is None else history.where(difference.message_id)
            cause = cause_of(difference.view, difference.detail)
            self.differences.append(replace(difference, where=where, cause=cause))

    @property
    def is_clean(self) -> bool:
        return not (self.count or self.stuck or self.removed_unread or self.unreadable)

    def __str__(self) -> str:
        head = f"{self.messages} messages, {self.facts} facts, {self.behind} records not yet processed"
        if self.is_clean:
            return f"log, table and Cassandra agree: {head}"
        lines = [
            f"{self.count} difference{'s' * (self.count != 1)}: {head}",
            *(f"  {found}" for found in self.differences),
        ]
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


async def audit(settings: Settings, loaders: RowLoaders, *, most: int = 100, views: Views | None = None) -> Report:
    """Compare all views and return at most ``most`` of the differences.

    ``loaders`` is ``tables.loaders.LOADERS``. Raises ``LogUnavailable``, ``StoreUnavailable``, and ``InvalidSetting``
    if the topics are not as the settings say.
    """
    report, views = Report(), views or Views()
    topics = [Topics(settings.topic_prefix).outbound(channel) for channel in CHANNELS]
    try:
        async with connected(settings) as (consumer, admin), CassandraSession(cassandra_config(settings)) as session:
            await check_topics(settings, admin)
            await session.connected(CONNECT_SECONDS)
            report.behind, report.removed_unread = await records_behind(settings, consumer, admin)
            committed = await committed_of(settings, admin)
            for number in range(settings.partitions):
                reader = PartitionReader(settings, consumer, number, committed)
                facts = await reader.facts()
                make = partial(Books, facts, CHANNELS, loaders, topics)
                async for books in books_of(facts, reader.entries(), make, loaders, folder=views.folder):
                    await _compare(settings, session, books, views, report, most)
            for difference in views.provider.rest() if views.provider is not None else ():
                report.add(difference, None, most)
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    return report


async def _compare(
    settings: Settings, session: CassandraSession, books: Books, views: Views, report: Report, most: int
) -> None:
    history = books.history
    report.messages += len(history.accepted)
    report.facts += history.facts
    report.unreadable += history.unreadable
    for message_id in history.stuck(now_ms() - int(settings.audit_stuck_hours * 3_600_000)):
        report.stuck += 1
        if report.stuck <= most:
            report.stuck_ids.append(message_id)
    async for difference in _differences(settings, session, history, books.channels):
        report.add(difference, history, most)
    for difference in witnessed(views, history):
        report.add(difference, history, most)


def witnessed(views: Views, history: History) -> Iterator[Difference]:
    """Yield where the follower's frames and the provider's list differ from the history."""
    for view in (views.frames, views.provider):
        if view is not None:
            yield from view.differences(history)


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
