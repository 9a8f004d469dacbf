"""A log in memory for tests of live notifications: written by the test, followed by hubs, read again by replayers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.errors import LogUnavailable
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from web.history.log_intake import LogIntake
from web.history.recent import RecentMessages
from web.live.hub import Hub
from web.live.log_reader import Entry, Ranges

CHUNK = 7


@dataclass
class Process:
    """What one API process has read. ``is_paused``: it reads no further."""

    hub: Hub
    recent: RecentMessages
    positions: list[int]
    is_paused: bool = False

    def __post_init__(self) -> None:
        self.intake = LogIntake(self.recent)
        self.intake.listener = self.hub


@dataclass
class LiveLog:
    """``partition_logs[n]``: the records at log index ``n``. ``first``: offsets that retention has taken. ``reads``:
    turns taken."""

    partitions: int
    now_ms: int = 1_763_848_800_123
    available: bool = True
    first: dict[int, int] = field(default_factory=dict)
    reads: int = 0

    def __post_init__(self) -> None:
        self.partition_logs: list[list[Entry]] = [[] for _ in range(2 * self.partitions)]
        self.processes: list[Process] = []

    def follow(self, hub: Hub, recent: RecentMessages) -> Process:
        """Let a process read from the end on."""
        process = Process(hub, recent, [len(entries) for entries in self.partition_logs])
        for log_index, offset in enumerate(process.positions):
            hub.reached(log_index, offset)
        self.processes.append(process)
        return process

    def message(self, message: MessageAccepted) -> LogPosition:
        """Append a message."""
        return self.raw(self.slot_of(message.conversation_id), encode(message))

    def fact(self, change: StatusChanged) -> LogPosition:
        """Append a fact."""
        return self.raw(self.partitions + self.slot_of(change.conversation_id), encode(change))

    def slot_of(self, conversation_id: str) -> int:
        return partition_for(conversation_id.encode(), self.partitions)

    def raw(self, log_index: int, value: bytes) -> LogPosition:
        """Append whatever it is."""
        entry = Entry(log_index, len(self.partition_logs[log_index]), self.now_ms, value)
        self.partition_logs[log_index].append(entry)
        self.spread()
        return LogPosition(entry.timestamp_ms, entry.offset)

    def spread(self) -> None:
        """Let every process that is not paused read on to the end."""
        for process in self.processes:
            if not process.is_paused:
                for log_index in range(2 * self.partitions):
                    self.read_on(process, log_index, len(self.partition_logs[log_index]))

    def read_on(self, process: Process, log_index: int, until: int) -> None:
        """Let a process read one log_index up to an offset."""
        for entry in self.partition_logs[log_index][process.positions[log_index] : until]:
            self._feed(process, log_index, entry)
        process.positions[log_index] = max(until, process.positions[log_index])
        process.hub.reached(log_index, process.positions[log_index])

    def _feed(self, process: Process, log_index: int, entry: Entry) -> None:
        is_message = log_index < self.partitions
        topic, partition = ("messages", log_index) if is_message else ("status-updates", log_index - self.partitions)
        take = process.intake.take_messages if is_message else process.intake.take_facts
        record = SimpleNamespace(topic=topic, partition=partition, offset=entry.offset, value=entry.value)
        record.timestamp = entry.timestamp_ms
        take([record])

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LiveLog]:
        """As a ``LogReader``."""
        if not self.available:
            raise LogUnavailable("the log is switched off")
        yield self

    async def first_offsets(self, log_indexes: Sequence[int]) -> Mapping[int, int]:
        return {log_index: self.first.get(log_index, 0) for log_index in log_indexes}

    async def end_offsets(self, log_indexes: Sequence[int]) -> Mapping[int, int]:
        return {log_index: len(self.partition_logs[log_index]) for log_index in log_indexes}

    async def read(self, ranges: Ranges) -> AsyncIterator[list[Entry]]:
        self.reads += 1
        for log_index, (start, stop) in ranges.items():
            assert start >= self.first.get(log_index, 0)
            assert stop <= len(self.partition_logs[log_index])
            for at in range(start, stop, CHUNK):
                yield self.partition_logs[log_index][at : min(at + CHUNK, stop)]
