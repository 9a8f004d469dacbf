"""One partition number of the log for the audit: its records in memory, or bucket by bucket if they are too many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from pathlib import Path

from app.audit_deliveries import ChannelAudit, IsDelivery, LoadAttempt, LoadDelivery
from app.audit_rules import History, LoadRow
from app.audit_spill import Entry, Spill
from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.ports import LogPosition
from domain.records import DeadLetter

MOST_RECORDS = 100_000  # of one bucket in memory, about 1 KiB each


class EntryKind(IntEnum):
    """The kinds of records besides those of channels, which follow: request and row of the queue by turns, then, from
    ``ATTEMPTS`` on, a kind for the outcomes of each channel.
    """

    MESSAGE = 0
    FACT = 1
    ROW = 2
    LETTER = 3
    CHANNELS = 4
    ATTEMPTS = 128


@dataclass(frozen=True, slots=True)
class RowLoaders:
    """Read rows of tables: ``message_state`` (``state``), ``queue`` (``delivery`` and ``is_delivery``),
    ``attempts`` (``attempt``).
    """

    state: LoadRow
    delivery: LoadDelivery
    is_delivery: IsDelivery
    attempt: LoadAttempt


@dataclass(slots=True)
class PartitionFacts:
    """The state of a partition number before its records are read. ``first_requests``: by channel, the first offset
    of its requests; ``committed_requests``: by channel, the end of those that its workers have committed.
    ``outcomes_from_ms``, ``outcomes_until_ms``: see ``ChannelAudit``.
    """

    number: int
    first_message: int
    records: int
    retention_hours: float
    first_requests: Mapping[str, int] = field(default_factory=dict)
    has_lost_facts: bool = False
    outcomes_from_ms: float = inf
    outcomes_until_ms: float = inf
    committed_requests: Mapping[str, int] = field(default_factory=dict)


def request_kind(channel_index: int) -> int:
    """Return the kind of a channel's requests."""
    return EntryKind.CHANNELS + 2 * channel_index


def queue_kind(channel_index: int) -> int:
    """Return the kind of the rows of a channel's queue."""
    return EntryKind.CHANNELS + 2 * channel_index + 1


def attempts_kind(channel_index: int) -> int:
    """Return the kind of the rows of a channel's outcomes."""
    return EntryKind.ATTEMPTS + channel_index


class Books:
    """The records of one bucket, folded."""

    def __init__(
        self, partition: PartitionFacts, channels: Sequence[str], loaders: RowLoaders, topics: Sequence[str]
    ) -> None:
        self.history = History(partition.first_message, retention_hours=partition.retention_hours)
        self.history.partition = partition.number
        self.channels = [
            ChannelAudit(
                channel,
                partition.first_requests.get(channel, 0),
                outcomes_from_ms=partition.outcomes_from_ms,
                outcomes_until_ms=partition.outcomes_until_ms,
                committed=partition.committed_requests.get(channel, inf),
            )
            for channel in channels
        ]
        self._by_topic = dict(zip(topics, self.channels, strict=True))
        self._loaders = loaders

    def take(self, entry: Entry) -> None:
        """Add one record."""
        if entry.kind == EntryKind.MESSAGE:
            self.history.add_message(entry.value, LogPosition(entry.timestamp, entry.offset))
        elif entry.kind == EntryKind.FACT:
            self.history.add_fact(entry.value, entry.timestamp, entry.offset)
        elif entry.kind == EntryKind.ROW:
            self.history.add_row(entry.key, entry.value, self._loaders.state)
        elif entry.kind == EntryKind.LETTER:
            self._letter(entry.value)
        elif entry.kind >= EntryKind.ATTEMPTS:
            channel = self.channels[entry.kind - EntryKind.ATTEMPTS]
            channel.add_outcome(entry.key or b"", entry.value, self._loaders.attempt)
        else:
            index, is_row = divmod(entry.kind - EntryKind.CHANNELS, 2)
            if is_row:
                loaders = self._loaders
                self.channels[index].add_row(entry.key or b"", entry.value, loaders.is_delivery, loaders.delivery)
            else:
                self.channels[index].add_request(entry.value, entry.offset)

    def _letter(self, value: bytes | None) -> None:
        try:
            letter = decode(value, DeadLetter)
        except MalformedRecord:
            return  # of a later release
        if (channel := self._by_topic.get(letter.topic)) is not None:
            channel.add_letter(letter)


async def books_of(
    partition: PartitionFacts,
    entries: AsyncIterator[Entry],
    make: Callable[[], Books],
    loaders: RowLoaders,
    *,
    folder: Path | None = None,
    most_records: int = MOST_RECORDS,
) -> AsyncIterator[Books]:
    """Yield the books of a partition number: one, or one for each bucket of its conversations.

    ``entries``: all its records, of each topic in the order of the offsets. ``folder``: for the buckets.
    """
    buckets = 1 + partition.records // most_records
    if buckets == 1:
        books, facts_from_ms = make(), 0
        async for entry in entries:
            facts_from_ms = facts_from_ms or _first_fact_ms(partition, entry)
            books.take(entry)
        books.history.facts_from_ms = facts_from_ms
        yield books
        return
    facts_from_ms = 0
    with Spill(buckets, folder) as spill, Spill(buckets, folder) as rows:
        async for entry in entries:
            facts_from_ms = facts_from_ms or _first_fact_ms(partition, entry)
            if entry.kind == EntryKind.ROW or entry.kind >= EntryKind.ATTEMPTS:
                rows.put(entry.key, entry)
            else:
                spill.put(_conversation_of(entry), entry)
        for bucket in range(rows.buckets):
            for conversation, entry in _last_rows(rows.read(bucket), loaders.state):
                spill.put(conversation, entry)
        for bucket in range(spill.buckets):
            books = make()
            for entry in spill.read(bucket):
                books.take(entry)
            books.history.facts_from_ms = facts_from_ms
            yield books


def _first_fact_ms(partition: PartitionFacts, entry: Entry) -> int:
    return entry.timestamp if partition.has_lost_facts and entry.kind == EntryKind.FACT else 0


def _last_rows(entries: Iterable[Entry], load: LoadRow) -> Iterator[tuple[bytes, Entry]]:
    """Yield the last value of each key with its conversation; a deleted row is as one that never was.

    An outcome has the key of the row of ``message_state``, which knows the conversation. Without that row, itself a
    difference, it is left out.
    """
    last: dict[tuple[int, bytes | None], Entry] = {}
    for entry in entries:
        last[entry.kind, entry.key] = entry
    rows = {
        entry.key: _conversation_of_row(entry, load)
        for entry in last.values()
        if entry.kind == EntryKind.ROW and entry.value is not None
    }
    return ((rows[entry.key], entry) for entry in last.values() if entry.value is not None and entry.key in rows)


def _conversation_of(entry: Entry) -> bytes | None:
    """Return the conversation of a record: the key of every topic, but within the key of a row of the queue."""
    if entry.kind < EntryKind.CHANNELS or (entry.kind - EntryKind.CHANNELS) % 2 == 0 or entry.key is None:
        return entry.key
    _, _, rest = entry.key.partition(b"\0")
    return rest[2 : 2 + int.from_bytes(rest[:2])]


def _conversation_of_row(entry: Entry, load: LoadRow) -> bytes:
    try:
        return load(entry.value).conversation_id.encode()
    except (ValueError, TypeError):
        return b""  # the books report it
