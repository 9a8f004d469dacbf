"""The operators' resolutions of dead letters: a view of ``dead-letter-resolutions`` in memory.

The topic decides between two operators. A record counts for a letter only if it names the letter's resolution of that
time in ``supersedes`` (empty: none). All processes read the topic in the same order, so they agree on the winner.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass

from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.records import DeadLetterResolved
from web.admin.record_log import LogRecord, RecordReader

log = logging.getLogger(__name__)

REDRIVEN, DISCARDED = "redriven", "discarded"
MOST_RESOLVED = 200_000  # letters whose resolution is in memory, over all partitions; some 200 bytes each


@dataclass(slots=True)
class Resolution:
    """One operator's word. ``is_done``: its commands are durable. ``logged_at_ms``: the append time of the
    record."""

    action: str
    resolution_id: str
    by: str
    at_ms: int
    reason: str
    logged_at_ms: int
    is_done: bool


class Resolutions:
    """The resolution of each letter, by partition and offset. ``most``: how many letters of a partition are kept.

    The oldest leave first. Whether an older letter is resolved is unknown then: ``is_forgotten``.
    """

    def __init__(self, topic: str, partitions: int, most: int = MOST_RESOLVED) -> None:
        self._topic = topic
        self._most = max(1, most // partitions)
        self._of: defaultdict[int, dict[int, Resolution]] = defaultdict(dict)
        self._forgotten: dict[int, int] = {}
        self._positions: dict[int, int] = {}
        self._lock = asyncio.Lock()

    def of(self, partition: int, offset: int) -> Resolution | None:
        """Return the letter's resolution."""
        return self._of[partition].get(offset) if partition in self._of else None

    def is_forgotten(self, partition: int, offset: int) -> bool:
        """Return whether a resolution of the letter may have left the memory."""
        return offset <= self._forgotten.get(partition, -1) and self.of(partition, offset) is None

    async def catch_up(self, reader: RecordReader) -> None:
        """Read all durable records. Raises ``LogUnavailable``."""
        async with self._lock:
            ends = await reader.ranges(self._topic)
            missing = {n: (max(first, self._positions.get(n, 0)), stop) for n, (first, stop) in ends.items()}
            async for record in reader.read(self._topic, missing):
                self._take(record)
                self._positions[record.partition] = record.offset + 1

    def _take(self, record: LogRecord) -> None:
        try:
            resolved = decode(record.value, DeadLetterResolved)
        except MalformedRecord as error:
            log.warning("%s[%d]@%d skipped: %s", self._topic, record.partition, record.offset, error)
            return
        known = self._of[record.partition]
        for offset in resolved.offsets:
            current = known.get(offset)
            if resolved.is_done:
                if current is not None and current.resolution_id == resolved.resolution_id:
                    current.is_done = True
            elif resolved.supersedes == ("" if current is None else current.resolution_id):
                known[offset] = Resolution(
                    resolved.action,
                    resolved.resolution_id,
                    resolved.by,
                    resolved.at_ms,
                    resolved.reason,
                    record.timestamp_ms,
                    resolved.action == DISCARDED,  # nothing follows from it
                )
        self._forget_oldest(record.partition, known)

    def _forget_oldest(self, partition: int, known: dict[int, Resolution]) -> None:
        if len(known) <= self._most:
            return
        for offset in sorted(known)[: len(known) - self._most]:
            del known[offset]
            self._forgotten[partition] = max(offset, self._forgotten.get(partition, -1))
