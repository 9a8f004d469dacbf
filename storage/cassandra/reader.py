"""Reading history: one message by its id, or a conversation's by position."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from domain.ids import may_repeat
from domain.kinds import OUTBOUND, TEXT
from domain.log_clock import LogClock, Run
from domain.ports import LogPosition, StoredMessage
from domain.reactions import PersonReaction
from domain.records import NORMAL, MessageAccepted
from domain.status import Fact
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import decode_body, decode_file, facts_in, is_possible_key, state_of
from storage.cassandra.session import CassandraSession
from storage.cassandra.slices import FIRST, LAST, PartitionOf, Slice, clock_of, slices

MAX_LIMIT = 1_000
# Months are asked for one, then two, then four … at a time: a busy conversation costs one query, a sparse one few
# round trips.
_MAX_MONTHS_AT_ONCE = 16
_MAX_IDS_AT_ONCE = 100
_FACTS_AT_A_TIME = 2_000  # some 5 ms
_FACTS_A_ROW = 5  # cost of the rest of a row, in facts
_LEAST_ROWS = 100  # asked for at a time where rows of another run may have to be passed over

_COLUMNS = (
    "accepted_at_ms, position, message_id, sender_id, recipient_id, content, file_id, file, recipients,"
    " recipient_users, account, not_after_ms, priority, kind, body, reply_to, target_id, direction, sender_name,"
    " provider_id, sent_at_ms, members, recipient_accounts, facts"
)
_BY_ID = "SELECT conversation_id, bucket, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id = ?"
_ONE = (
    f"SELECT {_COLUMNS} FROM {{ks}}.messages"
    " WHERE conversation_id = ? AND bucket = ? AND accepted_at_ms = ? AND position = ?"
)
_FACTS = (
    "SELECT facts FROM {ks}.messages WHERE conversation_id = ? AND bucket = ? AND accepted_at_ms = ? AND position = ?"
)
_POSITIONS = (
    "SELECT message_id, conversation_id, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id IN ?"
)
_ANY_REACTION = "SELECT message_id FROM {ks}.reactions WHERE conversation_id = ? LIMIT 1"
_REACTIONS = "SELECT message_id, sender_id, reaction FROM {ks}.reactions WHERE conversation_id = ? AND message_id IN ?"
_MONTHS = "SELECT bucket FROM {ks}.message_buckets WHERE conversation_id = ?"
_ASCENDING, _DESCENDING = (
    f"SELECT {_COLUMNS} FROM {{ks}}.messages WHERE conversation_id = ? AND bucket = ?"
    " AND (accepted_at_ms, position) > (?, ?) AND (accepted_at_ms, position) <= (?, ?)"
    f" ORDER BY accepted_at_ms {order}, position {order} LIMIT ?"
    for order in ("ASC", "DESC")
)


class CassandraMessageReader:
    """``domain.ports.MessageReader`` on Cassandra.

    ``partition_of`` returns a conversation's partition of ``messages``; without it, clocks never step back.
    """

    def __init__(self, session: CassandraSession, partition_of: PartitionOf | None = None) -> None:
        self._session = session
        self._partition_of = partition_of

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return the message, or ``None`` while its content is not there. Raises ``StoreUnavailable``."""
        if not is_possible_key(message_id):
            return None
        async with self._session.deadline():
            positions = await self._session.run(_BY_ID, (message_id,), Access.READ)
            if not positions:
                return None
            rows = await self._session.run(_ONE, positions[0], Access.READ)
        return next(iter(await _messages(positions[0][0], rows)), None)

    async def facts(self, message_id: str) -> Sequence[Fact]:
        """Return every stored fact about a message. Raises ``StoreUnavailable``."""
        if not is_possible_key(message_id):
            return []
        async with self._session.deadline():
            positions = await self._session.run(_BY_ID, (message_id,), Access.READ)
            rows = await self._session.run(_FACTS, positions[0], Access.READ) if positions else ()
        return [fact for (texts,) in rows for fact in facts_in(texts)]

    async def list(
        self, conversation_id: str, *, after: LogPosition | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``limit`` (1 to 1,000) messages strictly after ``after`` (before it when ``descending``).

        A page is short only at the end. Raises ``StoreUnavailable``, ``ValueError`` for another limit.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit {limit}: expected 1 to {MAX_LIMIT}")
        if not is_possible_key(conversation_id):
            return []
        found: list[StoredMessage] = []
        async with self._session.deadline():
            parts = await self._slices(conversation_id, after, descending)
            width = 1
            while parts and len(found) < limit:
                now, parts = parts[:width], parts[width:]
                wanted = limit - len(found)
                pages = (self._part(conversation_id, part, wanted, descending) for part in now)
                for page in await asyncio.gather(*pages):
                    found += page
                width = min(width * 2, _MAX_MONTHS_AT_ONCE)
        return found[:limit]

    async def has_reactions(self, conversation_id: str) -> bool:
        """Return whether there are reactions in this conversation. Raises ``StoreUnavailable``."""
        if not is_possible_key(conversation_id):
            return False
        return bool(await self._session.run(_ANY_REACTION, (conversation_id,), Access.READ))

    async def reactions(self, conversation_id: str, message_ids: Sequence[str]) -> Sequence[PersonReaction]:
        """Return each person's last reaction to each of the messages. Raises ``StoreUnavailable``."""
        ids = [one for one in message_ids if is_possible_key(one)]
        chunks = (ids[start : start + _MAX_IDS_AT_ONCE] for start in range(0, len(ids), _MAX_IDS_AT_ONCE))
        values = [(conversation_id, chunk) for chunk in chunks]
        pages = await asyncio.gather(*(self._session.run(_REACTIONS, each, Access.READ) for each in values))
        return [
            PersonReaction(message_id, by, emoji, at_ms, offset)
            for rows in pages
            for message_id, by, (offset, at_ms, emoji) in rows
        ]

    async def _slices(self, conversation_id: str, after: LogPosition | None, descending: bool) -> Sequence[Slice]:
        """Return the slices to read for the query, in reading order."""
        rows, runs = await asyncio.gather(
            self._session.run(_MONTHS, (conversation_id,), Access.READ), self._runs(conversation_id)
        )
        low, high = (FIRST, after or LAST) if descending else (after or FIRST, LAST)
        found = slices((int(row[0]) for row in rows), runs, low, high, to_end=after is None or not descending)
        return found[::-1] if descending else found

    async def _runs(self, conversation_id: str) -> Sequence[Run]:
        if self._partition_of is None:
            return LogClock(0).runs()
        return (await clock_of(self._session, self._partition_of(conversation_id))).runs()

    async def _part(self, conversation_id: str, part: Slice, wanted: int, descending: bool) -> Sequence[StoredMessage]:
        """Return the first ``wanted`` messages of a slice, skipping rows without content."""
        found: list[StoredMessage] = []
        cql = _DESCENDING if descending else _ASCENDING
        low_ms, low, high_ms, high = part.edges
        while True:
            asked = wanted - len(found) if part.is_whole else max(wanted - len(found), _LEAST_ROWS)
            values = (conversation_id, part.month, low_ms, low, high_ms, high, asked)
            rows = await self._session.run(cql, values, Access.READ)
            own = rows if part.is_whole else [row for row in rows if row[1] in part.run]
            found.extend(await self._at_their_positions(await _messages(conversation_id, own)))
            if len(rows) < asked or len(found) >= wanted:
                return found[:wanted]
            if descending:
                high_ms, high = rows[-1][0], rows[-1][1] - 1
            else:
                low_ms, low = rows[-1][0], rows[-1][1]

    async def _at_their_positions(self, messages: Sequence[StoredMessage]) -> Sequence[StoredMessage]:
        """Return ``messages`` without repetitions. A message with an idempotency key may be in the log twice; it
        stays at its first position, as recorded in ``messages_by_id``."""
        ids = [found.message.message_id for found in messages if may_repeat(found.message.message_id)]
        if not ids:
            return messages
        chunks = (ids[start : start + _MAX_IDS_AT_ONCE] for start in range(0, len(ids), _MAX_IDS_AT_ONCE))
        pages = await asyncio.gather(*(self._session.run(_POSITIONS, (chunk,), Access.READ) for chunk in chunks))
        positions = {row[0]: (row[1], LogPosition(row[2], row[3])) for rows in pages for row in rows}
        return [
            found
            for found in messages
            if (here := (found.message.conversation_id, found.position))
            == positions.get(found.message.message_id, here)
        ]


async def _messages(conversation_id: str, rows: Sequence[Any]) -> list[StoredMessage]:
    """Return the messages of ``rows``; facts may be mirrored before the content, such a row is no message yet.

    A message to 256 has some 800 facts, 2 ms of work: a page of them is decoded bit by bit, others have their turn.
    """
    messages = []
    work = 0
    for row in rows:
        accepted_at_ms, offset, message_id, sender, recipient, content, file_id, file, to, users = row[:10]
        account, not_after_ms, priority, kind, body, reply_to, target_id = row[10:17]
        direction, sender_name, provider_id, sent_at_ms, members, accounts, facts = row[17:]
        if content is None or message_id is None:
            continue
        if work > _FACTS_AT_A_TIME:
            await asyncio.sleep(0)
            work = 0
        work += _FACTS_A_ROW + len(facts or ())
        position = LogPosition(accepted_at_ms, offset)
        message = MessageAccepted(
            message_id,
            conversation_id,
            sender,
            recipient,
            content,
            file_id,
            tuple(to or ()),
            tuple(users or ()),
            None if file is None else decode_file(file),
            account or "",
            not_after_ms or 0,
            priority or NORMAL,
            kind or TEXT,
            decode_body(body),
            reply_to or "",
            target_id or "",
            (),
            direction or OUTBOUND,
            sender_name or "",
            provider_id or "",
            sent_at_ms or 0,
            tuple(members or ()),
            "",
            tuple(accounts or ()),
        )
        messages.append(StoredMessage(message, position, state_of(position, facts)))
    return messages
