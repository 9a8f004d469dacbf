"""Where the log tailer starts to read: at the mirror's offsets, and never further back than the cache holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.kafka.address import kafka_options
from app.kafka.topics import Topics, group_of
from app.settings import Settings
from web.history.gaps import Gaps

log = logging.getLogger(__name__)

FACTS_PER_MESSAGE = 4
REQUEST_TIMEOUT_MS = 5_000
Offsets = Mapping[TopicPartition, int]


class MirrorOffsets:
    """The offsets that the mirror has committed: all earlier records are in Cassandra."""

    def __init__(self, settings: Settings) -> None:
        self._options = kafka_options(settings)
        self._group = group_of("mirror", settings.topic_prefix)

    async def read(self) -> dict[TopicPartition, int]:
        """Return the offsets; a partition without a commit is left out. May raise ``KafkaError`` or ``OSError``."""
        admin = AIOKafkaAdminClient(**self._options, request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            committed = await admin.list_consumer_group_offsets(self._group)
        finally:
            await admin.close()
        return {tp: found.offset for tp, found in committed.items() if found.offset >= 0}


class LogPartitions(NamedTuple):
    """The partitions of ``messages`` and of ``status-updates``, by number."""

    messages: list[TopicPartition]
    statuses: list[TopicPartition]

    @classmethod
    def of(cls, settings: Settings) -> LogPartitions:
        """Return the partitions by the settings."""
        topics = Topics(settings.topic_prefix)
        return cls(
            [TopicPartition(topics.messages, n) for n in range(settings.partitions)],
            [TopicPartition(topics.status_updates, n) for n in range(settings.partitions)],
        )

    @property
    def all(self) -> list[TopicPartition]:
        """The partitions of both topics."""
        return self.messages + self.statuses

    def numbered(self, offsets: Offsets) -> tuple[dict[int, int], dict[int, int]]:
        """Return the offsets of ``messages`` and of ``status-updates``, by number."""
        messages = {tp.partition: offsets[tp] for tp in self.messages if tp in offsets}
        return messages, {tp.partition: offsets[tp] for tp in self.statuses if tp in offsets}


class StartingPoints:
    """Finds the starting points. ``recent_messages``: how many messages the cache holds. ``removed_unread``: records
    that retention removed before the mirror or this process read them.
    """

    def __init__(self, partitions: LogPartitions, recent_messages: int, gaps: Gaps) -> None:
        self._partitions = partitions
        self._reach = max(1, recent_messages // len(partitions.messages))
        self._gaps = gaps
        self.removed_unread = 0

    async def find(self, consumer: Any, mirrored: Offsets) -> dict[TopicPartition, int]:
        """Return the offset to start at for every partition; note the records before it that are not mirrored."""
        everything = self._partitions.all
        begins, ends = await consumer.beginning_offsets(everything), await consumer.end_offsets(everything)
        points = {}
        for tp in everything:
            reach = self._reach if tp.topic == self._partitions.messages[0].topic else self._reach * FACTS_PER_MESSAGE
            wanted = mirrored.get(tp, begins[tp])
            if ends[tp] - wanted > reach:
                log.warning(
                    "%s[%d]: the mirror is %d records behind, of which the last %d are read",
                    tp.topic,
                    tp.partition,
                    ends[tp] - wanted,
                    reach,
                )
            if wanted < begins[tp]:
                self.note_removed(tp, wanted, begins[tp])
            points[tp] = min(max(wanted, begins[tp], ends[tp] - reach), ends[tp])
        self._note_skipped(mirrored, begins, points)
        return points

    def note_removed(self, tp: TopicPartition, wanted: int, first: int) -> None:
        """Log and count the records from ``wanted`` to ``first`` (exclusive) as removed by retention."""
        log.error(
            "%s[%d]: retention removed records %d to %d before the mirror or this process read them",
            tp.topic,
            tp.partition,
            wanted,
            first - 1,
        )
        self.removed_unread += first - wanted

    def _note_skipped(self, mirrored: Offsets, begins: Offsets, points: Offsets) -> None:
        """Record a gap between the mirror and the starting points: no view has these records until the mirror has
        written them.
        """
        self._gaps.mirrored(*self._partitions.numbered(mirrored))
        for messages, facts in zip(self._partitions.messages, self._partitions.statuses, strict=True):
            start = max(mirrored.get(messages, 0), begins[messages])
            fact_start = max(mirrored.get(facts, 0), begins[facts])
            if points[messages] > start or points[facts] > fact_start:
                self._gaps.skip(messages.partition, start, points[messages], facts_stop=points[facts])
