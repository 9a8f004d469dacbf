"""The log of messages, and their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from domain.log_position import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Fact, State

if TYPE_CHECKING:
    from domain.log_clock import LogClock
    from domain.reactions import PersonReaction


@dataclass(frozen=True, slots=True)
class Appended:
    """A record is durable in Kafka: where, and since when."""

    position: LogPosition
    partition: int


class MessageLog(Protocol):
    """The log, for writing by the API: accepted messages, and facts about messages inside the system."""

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        """Return once every in-sync replica has the record. Raises ``LogUnavailable`` after a bounded wait,
        ``MayBeAccepted`` if the record may have been written all the same."""
        ...

    def is_pending(self, message_id: str) -> bool:
        """Return whether a message is still on its way after ``append`` gave up, so it may yet be written."""
        ...

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        """Return once every in-sync replica has the fact. Raises ``LogUnavailable`` after a bounded wait."""
        ...


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message with everything a list shows."""

    message: MessageAccepted
    position: LogPosition
    state: State


@dataclass(slots=True)
class MirrorEntry:
    """All facts of one message in one mirror batch. ``message`` is set once its ``messages`` record was seen.

    ``rising_us``: ``LogClock.rising_us`` of its position; 0 where no clock steps back: then it is the position's time.
    """

    message_id: str
    conversation_id: str
    position: LogPosition
    message: MessageAccepted | None = None
    facts: list[Fact] = field(default_factory=list)
    rising_us: int = 0


class MessageMirror(Protocol):
    """History for queries, written by the mirror agent alone. Writes commute and may be repeated.

    A message with an idempotency key (``domain.ids.may_repeat``) may come with two positions, in either order; the
    first position counts.
    """

    async def write(self, entries: Sequence[MirrorEntry], clocks: Sequence[LogClock] = ()) -> None:
        """Return once all entries are durable. Raises ``StoreUnavailable``; then any part may have been written.

        ``clocks``: of the partitions of the entries. Their steps are durable before any entry is, and their last
        compared record after all entries.
        """
        ...

    async def clock(self, partition: int) -> LogClock:
        """Return the stored clock of a partition. Raises ``StoreUnavailable``."""
        ...


class MessageReader(Protocol):
    """History for queries, read by the API."""

    async def get(self, message_id: str) -> StoredMessage | None: ...

    async def facts(self, message_id: str) -> Sequence[Fact]:
        """Return every stored fact about a message, in any order, each with the time of its record if that is known.

        Empty if the message is not there. A fact that was logged twice may be there twice. Raises
        ``StoreUnavailable``.
        """
        ...

    async def list(
        self, conversation_id: str, *, after: LogPosition | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), by position."""
        ...

    async def has_reactions(self, conversation_id: str) -> bool:
        """Return whether somebody has reacted to a message of this conversation, or taken a reaction back."""
        ...

    async def reactions(self, conversation_id: str, message_ids: Sequence[str]) -> Sequence[PersonReaction]:
        """Return each person's last reaction to each of these messages of the conversation, in any order."""
        ...
