"""Repairs a view from the log while the system runs: what the audit finds to differ is written again.

Cassandra: the rows of the messages are rewritten, and facts that the log does not have leave them. The table
``message_state``: the facts are appended to ``status-updates`` once more, so its one writer, the role core, heals the
row; a repeated fact changes no other view. Nothing is sent in either case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.kafka.codec import decode
from app.replay.entries import LogRecord
from domain.errors import MalformedRecord
from domain.fact_times import plausible
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status, fact_in

MOST_REPAIRED = 10_000  # messages in one run, all in memory
CASSANDRA_VIEWS = frozenset({"cassandra", "cassandra-by-id"})
TABLE_VIEWS = frozenset({"table"})
_WORDS = frozenset(Status)


class RowRepair(Protocol):
    """``storage.cassandra.repair.CassandraRepair``."""

    async def facts_now(self, entry: MirrorEntry) -> set[str]: ...

    async def rewrite(self, entries: Sequence[MirrorEntry]) -> None: ...

    async def remove(self, entry: MirrorEntry, texts: set[str]) -> int: ...


@dataclass(slots=True)
class Gathered:
    """The records of some messages, out of one partition number of the log."""

    wanted: frozenset[str]
    entries: dict[str, MirrorEntry] = field(default_factory=dict)
    records: list[LogRecord] = field(default_factory=list)

    def add(self, record: LogRecord) -> None:
        """Take a record of ``messages`` or ``status-updates``. A malformed one changes nothing."""
        try:
            if not self._message(record):
                self._fact(record)
        except (MalformedRecord, ValueError):
            return

    def _message(self, record: LogRecord) -> bool:
        if b'"MessageAccepted"' not in (record.value or b"")[:64]:
            return False
        message = decode(record.value, MessageAccepted)
        if message.message_id in self.wanted:
            position = LogPosition(record.timestamp_ms, record.offset)
            entry = self._entry(message.message_id, message.conversation_id, position)
            if entry.message is None or position <= entry.position:
                entry.position, entry.message = position, message
        return True

    def _fact(self, record: LogRecord) -> None:
        change = plausible(decode(record.value, StatusChanged), record.timestamp_ms)
        if change.message_id in self.wanted and change.status in _WORDS:
            position = LogPosition(change.accepted_at_ms, change.position)
            entry = self._entry(change.message_id, change.conversation_id, position)
            entry.facts.append(fact_in(change, record.timestamp_ms))
            self.records.append(record)

    def _entry(self, message_id: str, conversation_id: str, position: LogPosition) -> MirrorEntry:
        return self.entries.setdefault(message_id, MirrorEntry(message_id, conversation_id, position))


@dataclass(slots=True)
class Repaired:
    """``rows``: written again; ``removed``: facts that left them; ``facts``: appended again; ``unknown``: not on the
    log any more.
    """

    rows: int = 0
    removed: int = 0
    facts: int = 0
    unknown: int = 0


async def repair_rows(
    wanted: Collection[str],
    read: Callable[[], AsyncIterator[LogRecord]],
    store: RowRepair,
    *,
    is_whole: bool,
) -> Repaired:
    """Rewrite the rows of ``wanted`` messages of one partition number.

    ``read``: opens its ``messages`` and ``status-updates``. ``is_whole``: retention has removed none of them; else no
    fact leaves a row. The log is read twice. Between the two the rows are: what a row has then, the second reading has.
    """
    first = await _gathered(wanted, read)
    texts = {entry.message_id: await store.facts_now(entry) for entry in first.entries.values()}
    latest = await _gathered(wanted, read)
    found = [entry for entry in latest.entries.values() if entry.message is not None]
    await store.rewrite(found)
    removed = 0
    for entry in found:
        if is_whole and entry.message_id in texts:
            removed += await store.remove(entry, texts[entry.message_id])
    return Repaired(rows=len(found), removed=removed, unknown=len(set(wanted)) - len(found))


async def repair_table(
    wanted: Collection[str],
    read: Callable[[], AsyncIterator[LogRecord]],
    append: Callable[[LogRecord], Awaitable[object]],
) -> Repaired:
    """Append the facts of ``wanted`` messages of one partition number once more, in the order of the log."""
    found = await _gathered(wanted, read)
    for record in found.records:
        await append(record)
    return Repaired(facts=len(found.records), unknown=len(set(wanted) - set(found.entries)))


async def _gathered(wanted: Collection[str], read: Callable[[], AsyncIterator[LogRecord]]) -> Gathered:
    gathered = Gathered(frozenset(wanted))
    async for record in read():
        gathered.add(record)
    return gathered
