"""Entries of the books from records of Kafka, one partition number at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.audit import RowLoaders
from app.kafka.codec import decode
from domain.errors import InvalidRecipient, MalformedRecord
from domain.ids import may_repeat
from domain.ledger import Balance, Books, Cut
from domain.recipients import INTERNAL, recorded_recipient
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted, StatusChanged, delivery_key


@dataclass(slots=True)
class PartitionBooks:
    """The books of a partition number and the rows of its queues. ``queues``: channel → row key → name."""

    loaders: RowLoaders
    messages_topic: str
    books: Books = field(default_factory=Books)
    queues: dict[str, dict[bytes, str]] = field(default_factory=dict)

    def add_messages(self, records: Iterable[Any]) -> None:
        """Book records of ``messages``."""
        for record in records:
            try:
                message = decode(record.value, MessageAccepted)
            except MalformedRecord:
                self.books.unreadable_message()
                continue
            message_id = message.message_id
            self.books.accept(message_id, _deliveries(message), record.offset, may_repeat=may_repeat(message_id))

    def add_facts(self, records: Iterable[Any]) -> None:
        """Book records of ``status-updates``."""
        for record in records:
            try:
                change = decode(record.value, StatusChanged)
            except MalformedRecord:
                continue  # its agent puts it on dead-letters; the delivery stays open
            self.books.fact(delivery_key(change), change.status)

    def add_letters(self, records: Iterable[Any], outbound: frozenset[str]) -> None:
        """Book records of ``dead-letters`` about messages and about requests of the topics ``outbound``."""
        for record in records:
            try:
                letter = decode(record.value, DeadLetter)
                if letter.topic == self.messages_topic:
                    self.books.dead_message(letter.offset)
                elif letter.topic in outbound:
                    self.books.dead_request(delivery_key(decode(letter.value, DeliveryRequested)))
            except MalformedRecord:
                continue

    def add_rows(self, channel: str, records: Iterable[Any]) -> None:
        """Take records of the changelog of a channel's queue."""
        queue = self.queues.setdefault(channel, {})
        for record in records:
            if not record.key or not self.loaders.is_delivery(record.key):
                continue
            if record.value is None:
                queue.pop(record.key, None)
            else:
                queue[record.key] = self.loaders.delivery(record.value)

    def balance(self, routed_to: int, queued_to: Mapping[str, int]) -> Balance:
        """Return the balance against the workers' committed offsets."""
        queued = {name for queue in self.queues.values() for name in queue.values()} if self.books.open else frozenset()
        return self.books.balance(Cut(routed_to, queued_to, queued))


def position_of(value: bytes | None) -> int:
    """Return the message position of a record of ``<channel>-outbound``; 0 if it cannot be read."""
    try:
        return decode(value, DeliveryRequested).position
    except MalformedRecord:
        return 0


def _deliveries(message: MessageAccepted) -> dict[str, str]:
    """Return the deliveries of a message: name → channel."""
    targets = message.targets
    if len(targets) < 2:
        return {message.message_id: _channel(targets[0]) if targets else INTERNAL}
    return {f"{message.message_id} {target}": _channel(target) for target in targets}


def _channel(address: str) -> str:
    try:
        return recorded_recipient(address).channel
    except InvalidRecipient:
        return ""  # route refuses it with a fact of its own
