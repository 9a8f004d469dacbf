"""Topics in memory for operators: they pass the same contract tests as Kafka."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.kafka.pending_batches import Headers
from domain.errors import LogUnavailable
from web.admin.record_log import LogRecord, Ranges


@dataclass
class MemoryRecordLog:
    """``RecordLog`` and ``RecordReader`` over lists. ``now_ms``: the append time of what is written next.

    ``headers``: of each record written to a topic. ``fails_on``: a topic that takes no record. ``first``: offsets that
    retention has taken, by topic and partition.
    """

    partitions: int
    now_ms: int = 1_763_848_800_123
    available: bool = True
    fails_on: str = ""
    topics: defaultdict[tuple[str, int], list[LogRecord]] = field(default_factory=lambda: defaultdict(list))
    first: dict[tuple[str, int], int] = field(default_factory=dict)
    headers: defaultdict[str, list[dict[str, bytes]]] = field(default_factory=lambda: defaultdict(list))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[MemoryRecordLog]:
        """As ``RecordLog``."""
        self._check()
        yield self

    async def write(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        """Append one record."""
        self._check()
        if topic == self.fails_on:
            raise LogUnavailable(f"{topic} takes no record")
        records = self.topics[topic, partition]
        records.append(LogRecord(partition, len(records), self.now_ms, key, value))
        self.headers[topic].append(dict(headers))
        return len(records) - 1

    def values(self, topic: str) -> list[LogRecord]:
        """Return all records of a topic, by partition."""
        return [record for n in range(self.partitions) for record in self.topics[topic, n]]

    async def ranges(self, topic: str, since_ms: int | None = None, until_ms: int | None = None) -> Ranges:
        """As ``RecordReader``."""
        self._check()
        found = {}
        for n in range(self.partitions):
            records = self.topics[topic, n]
            first, stop = self.first.get((topic, n), 0), len(records)
            if since_ms is not None:
                first = next((r.offset for r in records[first:] if r.timestamp_ms >= since_ms), stop)
            if until_ms is not None:
                stop = next((r.offset for r in records if r.timestamp_ms > until_ms), stop)
            found[n] = first, max(first, stop)
        return found

    async def read(self, topic: str, ranges: Ranges) -> AsyncGenerator[LogRecord, None]:
        """As ``RecordReader``."""
        waiting = {n: self.topics[topic, n][first:stop] for n, (first, stop) in ranges.items()}
        while ready := [records for records in waiting.values() if records]:
            self._check()
            yield min(ready, key=lambda records: (records[0].timestamp_ms, records[0].partition)).pop(0)

    def _check(self) -> None:
        if not self.available:
            raise LogUnavailable("the log is switched off")
