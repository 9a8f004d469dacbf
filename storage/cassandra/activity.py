"""When something last happened in a conversation, and how many messages it has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from domain.errors import StoreUnavailable
from domain.ids import may_repeat
from domain.log_clock import LogClock
from domain.ports import Activity, LogPosition
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession
from storage.cassandra.slices import FIRST, PartitionOf, Slice, clock_of, slices

log = logging.getLogger(__name__)

CONVERSATIONS_AT_ONCE = 100  # partitions that one request asks for
LOOKED_AT = 1_000  # messages of one month whose ids are read; of more, the server tells the number
IDS_AT_ONCE = 100

_ACTIVITIES = "SELECT conversation_id, last_place, counted FROM {ks}.conversation_activity WHERE conversation_id IN ?"
_MONTHS = "SELECT bucket FROM {ks}.message_buckets WHERE conversation_id = ?"
_RANGE = (
    "FROM {ks}.messages WHERE conversation_id = ? AND bucket = ?"
    " AND (accepted_at_ms, position) > (?, ?) AND (accepted_at_ms, position) <= (?, ?)"
)
_IDS = f"SELECT message_id, accepted_at_ms, position {_RANGE} LIMIT ?"
_COUNT = f"SELECT count(message_id) {_RANGE}"  # of ids, not of rows: facts may be mirrored before their message
_POSITIONS = (
    "SELECT message_id, conversation_id, accepted_at_ms, position FROM {ks}.messages_by_id WHERE message_id IN ?"
)
_COUNTED = "UPDATE {ks}.conversation_activity USING TIMESTAMP ? SET counted = ? WHERE conversation_id = ?"


class CassandraActivityReader:
    """``domain.ports.ActivityReader`` on Cassandra. ``partition_of``: see ``CassandraMessageReader``.

    Counting is incremental: a stored count up to a position stays true, because the mirror announces a position only
    after everything before it is written. So repeated writes of the mirror do not change a count. A message may be in
    the log twice (one idempotency key used in two processes at the same time); it is looked up and counts at its first
    position. Beyond ``LOOKED_AT`` messages of one month in one call the server counts, and counts such a message twice.
    """

    def __init__(self, session: CassandraSession, partition_of: PartitionOf | None = None) -> None:
        self._session = session
        self._partition_of = partition_of

    async def activities(self, conversation_ids: Sequence[str]) -> Mapping[str, Activity]:
        """Return the activity of each conversation with messages in the history. Raises ``StoreUnavailable``."""
        wanted = [found for found in dict.fromkeys(conversation_ids) if is_possible_key(found)]
        chunks = [wanted[at : at + CONVERSATIONS_AT_ONCE] for at in range(0, len(wanted), CONVERSATIONS_AT_ONCE)]
        async with self._session.deadline():
            pages = await asyncio.gather(*(self._session.run(_ACTIVITIES, (chunk,), Access.READ) for chunk in chunks))
        return {row[0]: _activity(*row[1:]) for page in pages for row in page if row[1] is not None}

    async def count(self, conversation_id: str, activity: Activity) -> int:
        """Return how many messages there are up to ``activity.last``. Raises ``StoreUnavailable``."""
        clock = await self._clock(conversation_id)
        start = activity.counted_to or FIRST
        if start >= activity.last:  # somebody else has counted further meanwhile
            return activity.counted - await self._between(conversation_id, clock, activity.last, start)
        counted = activity.counted + await self._between(conversation_id, clock, start, activity.last)
        last = activity.last
        fact = (clock.rising_us(last), (last.accepted_at_ms, last.offset, counted), conversation_id)
        with suppress(StoreUnavailable):  # then the next one counts again
            await self._session.run(_COUNTED, fact, Access.WRITE)
        return counted

    async def _clock(self, conversation_id: str) -> LogClock:
        if self._partition_of is None:
            return LogClock(0)
        return await clock_of(self._session, self._partition_of(conversation_id))

    async def _between(self, conversation_id: str, clock: LogClock, after: LogPosition, upto: LogPosition) -> int:
        if after == upto:
            return 0
        async with self._session.deadline():
            months = [row[0] for row in await self._session.run(_MONTHS, (conversation_id,), Access.READ)]
            parts = slices(months, clock.runs(), after, upto, to_end=True)
            return sum(await asyncio.gather(*(self._of_part(conversation_id, part) for part in parts)))

    async def _of_part(self, conversation_id: str, part: Slice) -> int:
        low_ms, low, high_ms, high = part.edges
        counted = 0
        while True:
            edges = (low_ms, low, high_ms, high)
            rows = await self._session.run(_IDS, (conversation_id, part.month, *edges, LOOKED_AT + 1), Access.READ)
            if len(rows) > LOOKED_AT and part.is_whole:
                count = await self._session.run(_COUNT, (conversation_id, part.month, *edges), Access.READ)
                return counted + int(count[0][0])
            counted += await self._messages_of(
                conversation_id, [row for row in rows if row[0] is not None and row[2] in part.run]
            )
            if len(rows) <= LOOKED_AT:
                return counted
            low_ms, low = rows[-1][1], rows[-1][2]

    async def _messages_of(self, conversation_id: str, messages: Sequence[Any]) -> int:
        """Return how many of the rows (id, time, offset) are messages, and not the repetition of one."""
        keyed = [row[0] for row in messages if may_repeat(row[0])]
        chunks = [keyed[at : at + IDS_AT_ONCE] for at in range(0, len(keyed), IDS_AT_ONCE)]
        pages = await asyncio.gather(*(self._session.run(_POSITIONS, (chunk,), Access.READ) for chunk in chunks))
        first = {row[0]: tuple(row[1:]) for page in pages for row in page}
        return sum(
            first.get(message_id, here) == here
            for message_id, *position in messages
            if (here := (conversation_id, *position))
        )


def _activity(last: Any, counted: Any) -> Activity:
    if counted is None:
        return Activity(LogPosition(*last))
    return Activity(LogPosition(*last), LogPosition(counted[0], counted[1]), counted[2])
