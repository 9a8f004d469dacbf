"""Fakes of the log of messages, and of the tailer that reads it. ``available = False`` switches them off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.kafka.partitions import partition_for
from app.settings import Settings
from domain.errors import LogUnavailable
from domain.ports import Appended, LogPosition
from domain.records import MessageAccepted, StatusChanged
from web.history.recent import RecentMessages

PARTITIONS = Settings().partitions
NOW_MS = 1_763_848_800_123


def partition_of(message: MessageAccepted) -> int:
    return partition_for(message.conversation_id.encode(), PARTITIONS)


@dataclass
class MemoryLog:
    """``MessageLog`` over a list; ``headers`` as they would be on the record."""

    available: bool = True
    records: list[tuple[MessageAccepted, LogPosition, Mapping[str, bytes]]] = field(default_factory=list)
    facts: list[StatusChanged] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)

    def is_pending(self, message_id: str) -> bool:
        return message_id in self.pending

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        if not self.available:
            raise LogUnavailable("the log is switched off")
        position = LogPosition(NOW_MS + len(self.records) // 3, len(self.records))
        self.records.append((message, position, headers))
        return Appended(position, partition_of(message))

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        if not self.available:
            raise LogUnavailable("the log is switched off")
        self.facts.append(change)


@dataclass
class MemoryTailer:
    """``Tailer``: catching up moves what others wrote (``unseen``) into the cache."""

    recent: RecentMessages
    available: bool = True
    has_caught_up: bool = True
    unseen: list[tuple[MessageAccepted, LogPosition]] = field(default_factory=list)
    unseen_facts: list[StatusChanged] = field(default_factory=list)
    # how far the mirror is, by partition
    mirrored_messages: dict[int, int] = field(default_factory=dict)
    mirrored_facts: dict[int, int] = field(default_factory=dict)
    asked_mirror: int = 0

    async def catch_up_with_facts(self, timeout_seconds: float) -> bool:
        if not self.available:
            return False
        for change in self.unseen_facts:
            self.recent.add_fact(change)
        self.unseen_facts.clear()
        return True

    async def catch_up(self, timeout_seconds: float) -> bool:
        if not self.available:
            return False
        for message, position in self.unseen:
            self.recent.add_message(message, position, partition_of(message))
        self.unseen.clear()
        return True

    def records_behind(self) -> int | None:
        return len(self.unseen) if self.available else None

    async def mirrored(self) -> tuple[Mapping[int, int], Mapping[int, int]]:
        self.asked_mirror += 1
        if not self.available:
            raise OSError("Kafka is switched off")
        return dict(self.mirrored_messages), dict(self.mirrored_facts)


@dataclass
class SharedLogTailer(MemoryTailer):
    """``Tailer`` of a log that several processes share: catching up reads it to its end, in its order."""

    log: MemoryLog = field(default_factory=MemoryLog)
    position: int = 0
    took_message: Callable[[MessageAccepted], None] | None = None

    async def catch_up(self, timeout_seconds: float) -> bool:
        if not self.available:
            return False
        for message, position, _ in self.log.records[self.position :]:
            self.recent.add_message(message, position, partition_of(message))
            if self.took_message is not None:
                self.took_message(message)
        self.position = len(self.log.records)
        return True
