"""A user's conversations, the latest activity first, page by page.

The list is sorted on request, for at most ``settings.listed_conversations`` conversations: rows sorted by activity
would have to be moved at each message, for each participant.

If a conversation moves to the top between two pages, it is not listed twice. Conversations without activity in
between are each listed once.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from domain.conversations import Conversation
from domain.errors import StoreUnavailable
from domain.ports import Activity, Joined, LogPosition
from web.cursors import CursorCodec, InvalidCursor

if TYPE_CHECKING:
    from domain.ports import ActivityReader, ConversationStore
    from web.conversations.announced import AnnouncedMembers
    from web.history.service import MessageHistory

log = logging.getLogger(__name__)

READS_AT_ONCE = 32
_MAX_INT64 = 2**63 - 1
_MAX_CURSOR_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class ConversationCursor:
    """A conversation's place in the list. ``last_ms`` (epoch): the last message, or when the user joined, if later."""

    conversation_id: str
    last_ms: int

    @property
    def key(self) -> tuple[int, str]:
        """The sort key of the list."""
        return -self.last_ms, self.conversation_id


def ordered(joined: Iterable[Joined], last: Mapping[str, LogPosition]) -> list[ConversationCursor]:
    """Return the conversations of ``joined``, each once, the latest activity first."""
    since: dict[str, int] = {}
    for one in joined:
        since[one.conversation_id] = max(one.joined_at_ms, since.get(one.conversation_id, 0))
    listed = (
        ConversationCursor(one, max(joined_at_ms, last[one].accepted_at_ms) if one in last else joined_at_ms)
        for one, joined_at_ms in since.items()
    )
    return sorted(listed, key=lambda found: found.key)


def following(listed: Sequence[ConversationCursor], cursor: ConversationCursor | None) -> Sequence[ConversationCursor]:
    """Return the rest of the list after ``cursor``; the cursor need not be in the list."""
    return listed if cursor is None else listed[bisect_right(listed, cursor.key, key=lambda found: found.key) :]


def _pack(listed: ConversationCursor) -> bytes:
    return f"{listed.last_ms}.{listed.conversation_id}".encode()


def _unpack(packed: bytes) -> ConversationCursor:
    last_ms, dot, conversation_id = packed.decode().partition(".")
    found = ConversationCursor(conversation_id, int(last_ms))
    if not dot or not conversation_id or not 0 <= found.last_ms <= _MAX_INT64:
        raise InvalidCursor
    return found


# the cursor of a page of conversations: the last conversation on the page before
LIST_CURSOR = CursorCodec(pack=_pack, unpack=_unpack, max_chars=_MAX_CURSOR_CHARS)


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation with its last message's position and the number of its messages."""

    conversation: Conversation
    last: LogPosition | None
    message_count: int


class ConversationLists:
    """Reads lists. Raises ``StoreUnavailable``, and ``Unavailable`` while some messages are in neither view."""

    def __init__(
        self,
        *,
        conversations: ConversationStore,
        activity: ActivityReader,
        history: MessageHistory,
        announced: AnnouncedMembers,
        most_listed: int,
    ) -> None:
        self._conversations = conversations
        self._activity = activity
        self._history = history
        self._announced = announced
        self._most_listed = most_listed

    async def page(
        self, user_id: str, username: str, *, cursor: ConversationCursor | None, offset: int, limit: int
    ) -> tuple[list[Summary], str | None]:
        """Return up to ``limit`` of the user's conversations, and the cursor of the next page if there is one.

        Among them are those that people began and the mirror has not written yet.
        """
        joined = list(await self._conversations.of_user(user_id, self._most_listed))
        stored = {one.conversation_id for one in joined}
        joined += [one for one in self._announced.joined(user_id, username) if one.conversation_id not in stored]
        conversation_ids = [one.conversation_id for one in joined]
        await self._history.require_all_messages(conversation_ids)
        activities = await self._activity.activities(conversation_ids)
        last = {
            one.conversation_id: position
            for one in joined
            if (position := self._last(one.conversation_id, activities.get(one.conversation_id))) is not None
        }
        candidates = following(ordered(joined, last), cursor)
        real = [found async for found in self._real(user_id, candidates, offset + limit + 1)][offset:]
        shown = real[:limit]
        summaries = await self._summaries([conversation for _, conversation in shown], activities)
        await self._history.require_all_messages(conversation_ids)
        return summaries, LIST_CURSOR.encode(shown[-1][0]) if len(real) > limit else None

    async def get(self, conversation_id: str) -> Conversation | None:
        """Return a conversation, also one that a person began and the mirror has not written yet."""
        stored = await self._conversations.get(conversation_id)
        return stored if stored is not None else await self._announced.conversation(conversation_id)

    async def summary(self, conversation: Conversation) -> Summary:
        """Return one conversation's summary."""
        (summary,) = await self._summaries(
            [conversation], await self._activity.activities([conversation.conversation_id])
        )
        return summary

    async def _real(
        self, user_id: str, candidates: Sequence[ConversationCursor], wanted: int
    ) -> AsyncIterator[tuple[ConversationCursor, Conversation]]:
        """Yield up to ``wanted`` existing conversations of the user, read ``READS_AT_ONCE`` at a time."""
        rest = iter(candidates)
        while wanted > 0 and (chunk := list(islice(rest, min(wanted, READS_AT_ONCE)))):
            found = await asyncio.gather(*(self.get(one.conversation_id) for one in chunk))
            for listed, conversation in zip(chunk, found, strict=True):
                if conversation is not None and conversation.member(user_id) is not None:
                    wanted -= 1
                    yield listed, conversation

    async def _summaries(
        self, conversations: Sequence[Conversation], activities: Mapping[str, Activity]
    ) -> list[Summary]:
        slots = asyncio.Semaphore(READS_AT_ONCE)

        async def summarise(conversation: Conversation) -> Summary:
            activity = activities.get(conversation.conversation_id)
            async with slots:
                stored = 0 if activity is None else await self._count(conversation.conversation_id, activity)
            fresh, _ = self._history.latest(conversation.conversation_id, None if activity is None else activity.last)
            return Summary(conversation, self._last(conversation.conversation_id, activity), stored + fresh)

        return await asyncio.gather(*map(summarise, conversations))

    async def _count(self, conversation_id: str, activity: Activity) -> int:
        """Return the exact number or, should counting take too long the first time, as far as it was counted."""
        try:
            return await self._activity.count(conversation_id, activity)
        except StoreUnavailable as error:
            log.warning("messages of %.80r could not be counted: %s", conversation_id, error)
            return activity.counted

    def _last(self, conversation_id: str, activity: Activity | None) -> LogPosition | None:
        """Return the position of the last message in either view."""
        _, fresh = self._history.latest(conversation_id, None)
        stored = None if activity is None else activity.last
        return max((position for position in (stored, fresh) if position is not None), default=None)
