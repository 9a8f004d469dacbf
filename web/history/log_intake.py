"""Takes in the records that the tailer reads: into memory, and to a listener.

Most facts concern nobody at this process: no socket here belongs to a participant, and nobody asks for the message.
They stay bytes until somebody does (ADR 134), so of several API processes each decodes the facts of its own users.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from app.kafka.codec import decode
from app.kafka.plain_fact import plain_fact
from domain.errors import MalformedRecord
from domain.fact_times import plausible
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status
from web.history.published_state import PublishedState
from web.history.recent import RecentMessages
from web.history.status_coalescer import StatusCoalescer

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Receives the records in order. It must not block. ``log_index``: see ``web/live/positions.py``."""

    def on_message(self, partition: int, offset: int, message: MessageAccepted, position: LogPosition) -> None:
        """Receive a record of ``messages``."""
        ...

    def on_status(
        self, partition: int, offset: int, change: StatusChanged, published: PublishedState, logged_at_ms: int
    ) -> None:
        """Receive a record of ``status-updates`` with a new published state of its message."""
        ...

    def wants(self, conversation_id: str) -> bool:
        """Return whether changes of the conversation's messages are of use; ``False``: ``on_unread`` is enough."""
        ...

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None:
        """Note a message's new status in a conversation that it does not want."""
        ...

    def reached(self, log_index: int, offset: int) -> None:
        """Note that all records of the partition before ``offset`` have been read."""
        ...


class LogIntake:
    """Takes records, of one partition at a time, in order."""

    def __init__(self, recent: RecentMessages) -> None:
        self._recent = recent
        self.listener: Listener | None = None

    def take_messages(self, records: Sequence[Any]) -> None:
        """Take records of ``messages``. A malformed one is logged and skipped."""
        for record in records:
            try:
                message = decode(record.value, MessageAccepted)
            except MalformedRecord as error:
                log.warning("%s[%d]@%d skipped: %s", record.topic, record.partition, record.offset, error)
                continue
            position = LogPosition(record.timestamp, record.offset)
            self._recent.add_message(message, position, record.partition)
            if self.listener is not None and self._recent.is_first(message.message_id, position):
                self.listener.on_message(record.partition, record.offset, message, position)

    def take_facts(self, records: Sequence[Any]) -> None:
        """Take records of ``status-updates``. A malformed one is logged and skipped."""
        coalescer: StatusCoalescer[Any] = StatusCoalescer(self._recent)
        for record in records:
            if self._is_kept(record):
                continue
            try:
                change = plausible(decode(record.value, StatusChanged), record.timestamp)
                coalescer.add(record, change, record.partition, record.offset)
            except (MalformedRecord, ValueError) as error:
                log.warning("%s[%d]@%d skipped: %s", record.topic, record.partition, record.offset, error)
        if self.listener is not None:
            for record, change, published in coalescer.all():
                self.listener.on_status(record.partition, record.offset, change, published, record.timestamp)

    def _is_kept(self, record: Any) -> bool:
        """Keep the fact as it is, if nobody here wants it now; return whether it is kept."""
        fact = plain_fact(record.value)
        if fact is None:
            return False
        message_id, conversation_id, status, accepted_at_ms = fact
        if self.listener is not None and self.listener.wants(conversation_id):
            return False
        is_new = self._recent.keep(message_id, status, record)
        if is_new is None:
            return False
        if is_new and self.listener is not None:
            self.listener.on_unread(status, accepted_at_ms, record.timestamp)
        return True
