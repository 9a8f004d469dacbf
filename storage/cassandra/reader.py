"""Reading history: one message by its id, or a conversation's by place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from domain.ids import may_repeat
from domain.ports import Place, StoredMessage
from domain.records import MessageAccepted
from storage.cassandra.facts import bucket_of, decode_file, is_possible_key, state_of
from storage.cassandra.link import Kind
from storage.cassandra.session import CassandraSession

MAX_LIMIT = 1_000
# Months are asked for one, then two, then four … at a time: a busy conversation costs one query, a sparse one few
# round trips.
_MAX_MONTHS_AT_ONCE = 16
_MAX_IDS_AT_ONCE = 100
_FACTS_AT_A_TIME = 2_000  # some 5 ms
_FACTS_A_ROW = 5  # what the rest of a row costs, in facts
_FIRST = Place(-1, -1)
_LAST = Place(2**63 - 1, 2**63 - 1)

_COLUMNS = (
    "accepted_at_ms, position, message_id, sender_id, recipient_id, content, file_id, file, recipients,"
    " recipient_users, facts"
)
_BY_ID = "SELECT conversation_id, bucket, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id = ?"
_ONE = (
    f"SELECT {_COLUMNS} FROM {{ks}}.messages"
    " WHERE conversation_id = ? AND bucket = ? AND accepted_at_ms = ? AND position = ?"
)
_PLACES = (
    "SELECT message_id, conversation_id, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id IN ?"
)
_MONTHS = "SELECT bucket FROM {ks}.message_buckets WHERE conversation_id = ?"
_ASCENDING, _DESCENDING = (
    f"SELECT {_COLUMNS} FROM {{ks}}.messages WHERE conversation_id = ? AND bucket = ?"
    f" AND (accepted_at_ms, position) {compare} (?, ?) ORDER BY accepted_at_ms {order}, position {order} LIMIT ?"
    for compare, order in ((">", "ASC"), ("<", "DESC"))
)


class CassandraMessageReader:
    """``domain.ports.MessageReader`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return the message, or ``None`` while its content is not there. Raises ``StoreUnavailable``."""
        if not is_possible_key(message_id):
            return None
        async with self._session.deadline():
            places = await self._session.run(_BY_ID, (message_id,), Kind.READ)
            if not places:
                return None
            rows = await self._session.run(_ONE, places[0], Kind.READ)
        return next(iter(await _messages(places[0][0], rows)), None)

    async def list(
        self, conversation_id: str, *, after: Place | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``limit`` (1 to 1,000) messages strictly after ``after`` (before it when ``descending``).

        A page is short only at the end. Raises ``StoreUnavailable``, ``ValueError`` for another limit.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit {limit}: expected 1 to {MAX_LIMIT}")
        if not is_possible_key(conversation_id):
            return []
        start = after or (_LAST if descending else _FIRST)
        found: list[StoredMessage] = []
        async with self._session.deadline():
            months = await self._months(conversation_id, after, descending)
            width = 1
            while months and len(found) < limit:
                now, months = months[:width], months[width:]
                wanted = limit - len(found)
                pages = (self._month(conversation_id, month, start, wanted, descending) for month in now)
                for page in await asyncio.gather(*pages):
                    found += page
                width = min(width * 2, _MAX_MONTHS_AT_ONCE)
        return found[:limit]

    async def _months(self, conversation_id: str, after: Place | None, descending: bool) -> Sequence[int]:
        """Return the months that may hold what is asked for, in reading order."""
        rows = await self._session.run(_MONTHS, (conversation_id,), Kind.READ)
        months = [int(row[0]) for row in rows]
        if after is not None:
            edge = bucket_of(after.accepted_at_ms)
            months = [month for month in months if (month <= edge if descending else month >= edge)]
        return sorted(months, reverse=descending)

    async def _month(
        self, conversation_id: str, month: int, start: Place, wanted: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``wanted`` messages of one month, reading past rows that have no content yet."""
        found: list[StoredMessage] = []
        cql = _DESCENDING if descending else _ASCENDING
        while True:
            asked = wanted - len(found)
            values = (conversation_id, month, start.accepted_at_ms, start.position, asked)
            rows = await self._session.run(cql, values, Kind.READ)
            found += await self._at_their_places(await _messages(conversation_id, rows))
            if len(rows) < asked or len(found) == wanted:
                return found
            start = Place(rows[-1][0], rows[-1][1])


    async def _at_their_places(self, messages: Sequence[StoredMessage]) -> Sequence[StoredMessage]:
        """Return ``messages`` without those that are a repetition: a message with an idempotency key may be in the
        log twice, and is where ``messages_by_id`` says, which is where it was first."""
        ids = [found.message.message_id for found in messages if may_repeat(found.message.message_id)]
        if not ids:
            return messages
        chunks = (ids[start : start + _MAX_IDS_AT_ONCE] for start in range(0, len(ids), _MAX_IDS_AT_ONCE))
        pages = await asyncio.gather(*(self._session.run(_PLACES, (chunk,), Kind.READ) for chunk in chunks))
        places = {row[0]: (row[1], Place(row[2], row[3])) for rows in pages for row in rows}
        return [
            found
            for found in messages
            if (here := (found.message.conversation_id, found.place)) == places.get(found.message.message_id, here)
        ]


async def _messages(conversation_id: str, rows: Sequence[Any]) -> list[StoredMessage]:
    """Return the messages of ``rows``; facts may be mirrored before the content, such a row is no message yet.

    A message to 256 has some 800 facts, 2 ms of work: a page of them is decoded bit by bit, others have their turn.
    """
    messages = []
    work = 0
    for accepted_at_ms, position, message_id, sender, recipient, content, file_id, file, to, users, facts in rows:
        if content is None or message_id is None:
            continue
        if work > _FACTS_AT_A_TIME:
            await asyncio.sleep(0)
            work = 0
        work += _FACTS_A_ROW + len(facts or ())
        place = Place(accepted_at_ms, position)
        message = MessageAccepted(
            message_id, conversation_id, sender, recipient, content, file_id, tuple(to or ()), tuple(users or ()),
            None if file is None else decode_file(file),
        )  # fmt: skip
        messages.append(StoredMessage(message, place, state_of(place, facts)))
    return messages
