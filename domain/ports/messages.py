"""The log of messages, and their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.records import MessageAccepted, StatusChanged
from domain.status import Fact, State


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A message's place in its conversation: the broker's append time (epoch ms), then the offset on ``messages``.

    Both are given by the broker within one partition, so places order a conversation exactly as its log does.
    """

    accepted_at_ms: int
    position: int


@dataclass(frozen=True, slots=True)
class Appended:
    """A record is durable in Kafka: where, and since when."""

    place: Place
    partition: int


class MessageLog(Protocol):
    """The log, for writing by the API: accepted messages, and facts about messages inside the system."""

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        """Return once every in-sync replica has the record. Raises ``LogUnavailable`` after a bounded wait,
        ``MayBeAccepted`` if the record may have been written all the same."""
        ...

    def is_pending(self, message_id: str) -> bool:
        """Return whether a message that ``append`` gave up on is still on its way, so that it may yet be written."""
        ...

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        """Return once every in-sync replica has the fact. Raises ``LogUnavailable`` after a bounded wait."""
        ...


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message with everything a list shows."""

    message: MessageAccepted
    place: Place
    state: State


@dataclass(slots=True)
class MirrorEntry:
    """What one mirror batch learnt of one message. ``message`` is there once its ``messages`` record was seen."""

    message_id: str
    conversation_id: str
    place: Place
    message: MessageAccepted | None = None
    facts: list[Fact] = field(default_factory=list)


class MessageMirror(Protocol):
    """History for queries, written by the mirror agent alone. Writes commute and may be repeated.

    A message with an idempotency key (``domain.ids.may_repeat``) may come with two places; its first one counts, in
    whatever order they come.
    """

    async def write(self, entries: Sequence[MirrorEntry]) -> None:
        """Return once all entries are durable. Raises ``StoreUnavailable``; then any part may have been written."""
        ...


class MessageReader(Protocol):
    """History for queries, read by the API."""

    async def get(self, message_id: str) -> StoredMessage | None: ...

    async def list(
        self, conversation_id: str, *, after: Place | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), by place."""
        ...
