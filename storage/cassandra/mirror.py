"""Writing history: many messages, few requests."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from cassandra.query import UNSET_VALUE

from domain.errors import MalformedRecord
from domain.fact_times import MAX_MS
from domain.ids import may_repeat
from domain.kinds import OUTBOUND, TEXT
from domain.log_clock import ClockStep, LogClock
from domain.ports import LogPosition, MirrorEntry
from domain.reactions import reaction_in
from domain.records import NORMAL, MessageAccepted
from storage.cassandra.batches import (
    MAX_BATCH_BYTES,
    MAX_BATCH_STATEMENTS,
    MAX_BATCHES_IN_FLIGHT,
    BatchWriter,
    Write,
    sized,
)
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import bucket_of, encode_body, encode_fact, encode_file, first_wins, is_possible_key
from storage.cassandra.session import CassandraSession
from storage.cassandra.slices import clock_of

MAX_BUCKETS_REMEMBERED = 100_000
_BYTES_A_FACT = 24

_AT_POSITION = "conversation_id = ? AND bucket = ? AND accepted_at_ms = ? AND position = ?"
_CONTENT = (
    "UPDATE {ks}.messages SET message_id = ?, sender_id = ?, recipient_id = ?, content = ?, file_id = ?,"
    " file = ?, recipients = ?, recipient_users = ?, account = ?, not_after_ms = ?, priority = ?,"
    " kind = ?, body = ?, reply_to = ?, target_id = ?, direction = ?, sender_name = ?, provider_id = ?,"
    " sent_at_ms = ?, members = ?, recipient_accounts = ?,"
    f" facts = facts + ? WHERE {_AT_POSITION}"
)
_FACTS = f"UPDATE {{ks}}.messages SET facts = facts + ? WHERE {_AT_POSITION}"
_BY_ID = (
    "INSERT INTO {ks}.messages_by_id (message_id, conversation_id, bucket, accepted_at_ms, position)"
    " VALUES (?, ?, ?, ?, ?)"
)
_BY_ID_FIRST = f"{_BY_ID} USING TIMESTAMP ?"
_BUCKET = "INSERT INTO {ks}.message_buckets (conversation_id, bucket) VALUES (?, ?)"
_REACTION = (
    "UPDATE {ks}.reactions USING TIMESTAMP ? SET reaction = ?"
    " WHERE conversation_id = ? AND message_id = ? AND sender_id = ?"
)
# the write's time never falls along the log: the later position wins, and of two with the same time the one of greater
# bytes, which for numbers of 8 bytes that are not negative is the later time, and then the greater position
_ACTIVITY = "UPDATE {ks}.conversation_activity USING TIMESTAMP ? SET last_place = ? WHERE conversation_id = ?"
_STEP = "INSERT INTO {ks}.clock_steps (partition, position, before_ms, after_ms) VALUES (?, ?, ?, ?)"
_COMPARED = "UPDATE {ks}.clock_compared USING TIMESTAMP ? SET last_place = ? WHERE partition = ?"
_COMPARED_TO = "SELECT last_place FROM {ks}.clock_compared WHERE partition = ?"
_STATEMENTS = (_CONTENT, _FACTS, _BY_ID, _BY_ID_FIRST, _BUCKET)

Month = tuple[str, int]


class CassandraMessageMirror:
    """``domain.ports.MessageMirror`` on Cassandra."""

    def __init__(
        self,
        session: CassandraSession,
        *,
        max_batches_in_flight: int = MAX_BATCHES_IN_FLIGHT,
        max_batch_statements: int = MAX_BATCH_STATEMENTS,
        max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._session = session
        self._writer = BatchWriter(
            session,
            max_batches_in_flight=max_batches_in_flight,
            max_batch_statements=max_batch_statements,
            max_batch_bytes=max_batch_bytes,
        )
        self._known_months: OrderedDict[Month, None] = OrderedDict()
        self._known_steps: set[ClockStep] = set()

    async def clock(self, partition: int) -> LogClock:
        """Return the clock of a partition. Raises ``StoreUnavailable``."""
        clock, rows = await asyncio.gather(
            clock_of(self._session, partition), self._session.run(_COMPARED_TO, (partition,), Access.READ)
        )
        return LogClock(partition, clock.steps, LogPosition(*rows[0][0]) if rows else None)

    async def write(self, entries: Sequence[MirrorEntry], clocks: Sequence[LogClock] = ()) -> None:
        """Write ``entries``, in any order and any number of times; return once all are durable.

        A message after a step of its partition's clock becomes readable only after the step.

        Raises ``StoreUnavailable`` after all requests have ended, and ``MalformedRecord``, before the first write,
        for an id unfit as a key.
        """
        for entry in entries:
            if not (is_possible_key(entry.conversation_id) and is_possible_key(entry.message_id)):
                raise MalformedRecord(f"message {entry.message_id!r:.80} has an id that cannot be stored")
        # as of now: the clocks go on while this is being written
        steps = [step for clock in clocks for step in clock.steps if step not in self._known_steps]
        compared = [(clock.last, clock.partition) for clock in clocks if clock.last is not None]
        async with self._session.deadline():
            driver = await self._session.driver()
            prepared = [await driver.prepare(cql, Access.WRITE) for cql in _STATEMENTS]
            activity = await driver.prepare(_ACTIVITY, Access.WRITE)
            reaction = await driver.prepare(_REACTION, Access.WRITE)
            clock_step, clock_end = [await driver.prepare(cql, Access.WRITE) for cql in (_STEP, _COMPARED)]
        await self._writer.send(
            driver, [sized(clock_step.bind((s.partition, s.position, s.before_ms, s.after_ms))) for s in steps]
        )
        self._known_steps.update(steps)
        reactions = [sized(reaction.bind(values)) for values in _reactions(entries)]
        writes, months = self._writes(entries, *prepared)
        await self._writer.send(driver, writes + reactions)
        self._known_months.update(dict.fromkeys(months))
        while len(self._known_months) > MAX_BUCKETS_REMEMBERED:
            self._known_months.popitem(last=False)
        # only now: a conversation's last position promises that every message up to it can be read
        ends = [((last.offset + 1), (last.accepted_at_ms, last.offset), number) for last, number in compared]
        await self._writer.send(
            driver,
            [sized(activity.bind(values)) for values in _activities(entries)]
            + [sized(clock_end.bind(values)) for values in ends],
        )

    def _writes(
        self, entries: Sequence[MirrorEntry], content: Any, facts: Any, by_id: Any, by_id_first: Any, month: Any
    ) -> tuple[list[Write], set[Month]]:
        """Return the statements for ``entries``, and the months that they announce."""
        writes = []
        announced: set[Month] = set()
        for entry in entries:
            position = entry.position
            bucket = bucket_of(position.accepted_at_ms)
            where = (entry.conversation_id, bucket, position.accepted_at_ms, position.offset)
            texts = {encode_fact(fact) for fact in entry.facts}
            if (message := entry.message) is not None:
                columns = (*_content_of(message), texts or UNSET_VALUE)
                writes.append(sized(content.bind((*columns, *where)), len(texts) * _BYTES_A_FACT))
                if may_repeat(message.message_id):
                    timestamp = first_wins(position, _rising_us(entry))
                    writes.append(sized(by_id_first.bind((message.message_id, *where, timestamp))))
                else:
                    writes.append(sized(by_id.bind((message.message_id, *where))))
                key = (entry.conversation_id, bucket)
                if key not in self._known_months and key not in announced:
                    announced.add(key)
                    writes.append(sized(month.bind(key)))
            elif texts:
                writes.append(sized(facts.bind((texts, *where)), len(texts) * _BYTES_A_FACT))
        return writes, announced


def _content_of(message: MessageAccepted) -> tuple[object, ...]:
    """Return the values of a message's columns. An unset value is not written; a null would leave a tombstone."""
    return (
        message.message_id,
        message.sender_id,
        message.recipient_id,
        message.content,
        UNSET_VALUE if message.file_id is None else message.file_id,
        UNSET_VALUE if message.file is None else encode_file(message.file),
        message.recipients or UNSET_VALUE,
        message.recipient_users or UNSET_VALUE,
        message.account or UNSET_VALUE,
        min(message.not_after_ms, MAX_MS) or UNSET_VALUE,
        UNSET_VALUE if message.priority == NORMAL else message.priority,
        UNSET_VALUE if message.kind == TEXT else message.kind,
        encode_body(message.body) if message.body else UNSET_VALUE,
        message.reply_to or UNSET_VALUE,
        message.target_id or UNSET_VALUE,
        UNSET_VALUE if message.direction == OUTBOUND else message.direction,
        message.sender_name or UNSET_VALUE,
        message.provider_id or UNSET_VALUE,
        min(message.sent_at_ms, MAX_MS) or UNSET_VALUE,
        message.members or UNSET_VALUE,
        message.recipient_accounts or UNSET_VALUE,
    )


def _reactions(entries: Sequence[MirrorEntry]) -> Iterator[tuple[object, ...]]:
    """Yield the values of each reaction among ``entries``."""
    for entry in entries:
        if entry.message is None:
            continue
        position = entry.position
        found = reaction_in(entry.message, position.accepted_at_ms, position.offset)
        if found is not None and is_possible_key(found.message_id) and is_possible_key(found.by):
            reaction = (found.offset, min(found.at_ms, MAX_MS), found.emoji)
            yield _rising_us(entry), reaction, entry.conversation_id, found.message_id, found.by


def _activities(entries: Sequence[MirrorEntry]) -> list[tuple[int, tuple[int, int], str]]:
    """Return (write time, last position, conversation) of each conversation with a message among ``entries``."""
    last: dict[str, MirrorEntry] = {}
    for entry in entries:
        known = last.get(entry.conversation_id)
        if entry.message is not None and (known is None or entry.position > known.position):
            last[entry.conversation_id] = entry
    return [
        (_rising_us(entry), (entry.position.accepted_at_ms, entry.position.offset), conversation_id)
        for conversation_id, entry in last.items()
    ]


def _rising_us(entry: MirrorEntry) -> int:
    return entry.rising_us or entry.position.accepted_at_ms * 1000
