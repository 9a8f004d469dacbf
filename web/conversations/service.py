"""Conversations: begin one, list the user's own, look at one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from domain.conversations import MAX_MEMBERS
from domain.errors import AlreadyExists, Unavailable
from domain.ids import uuid7
from web.conversations.memberships import outside, unknown_conversation
from web.errors import FieldErrors

if TYPE_CHECKING:
    from domain.ports import ConversationStore
    from web.conversations.existing_users import ExistingUsers
    from web.conversations.listing import ConversationCursor, ConversationLists, Summary
    from web.conversations.memberships import Memberships
    from web.conversations.usernames import Usernames
    from web.history.service import MessageHistory


class Begun(NamedTuple):
    """A conversation, and whether this request created it."""

    summary: Summary
    is_new: bool


class Conversations:
    """Conversations as their participants see them."""

    def __init__(
        self,
        *,
        store: ConversationStore,
        lists: ConversationLists,
        history: MessageHistory,
        usernames: Usernames,
        existing_users: ExistingUsers,
        memberships: Memberships,
        clock_ms: Callable[[], int],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._lists = lists
        self._history = history
        self._usernames = usernames
        self._existing_users = existing_users
        self._memberships = memberships
        self._clock_ms = clock_ms
        self._randomness = randomness

    async def begin(
        self, creator_id: str, participants: Sequence[str], *, conversation_id: str | None, name: str | None
    ) -> Begun:
        """Create a conversation of the creator and ``participants``; the very same one is returned as it is.

        Raises ``FieldErrors`` for unknown or too many participants, ``AlreadyExists`` if the id is taken.
        """
        named = await self._usernames.resolved("participants", participants)
        everyone = sorted({creator_id, *named})
        if len(everyone) > MAX_MEMBERS:
            raise FieldErrors(
                [("participants", f"a conversation has at most {MAX_MEMBERS} participants, including you")]
            )
        await self._existing_users.require("participants", named, creator_id)
        now_ms = self._clock_ms()
        conversation_id = conversation_id or uuid7(now_ms, self._randomness(10))
        is_new = await self._store.create(conversation_id, everyone, now_ms, created_by=creator_id, name=name)
        conversation = await self._store.get(conversation_id)
        if conversation is None:
            raise Unavailable("the conversation was created but cannot be read yet; retry")
        same = (conversation.created_by, conversation.participants, conversation.name) == (creator_id, everyone, name)
        if not is_new and not same:
            raise AlreadyExists("this conversation_id is taken; choose another or omit it")
        return Begun(await self._lists.summary(conversation), is_new)

    async def begin_direct(self, creator_id: str, recipient_id: str) -> Begun:
        """Find or create the direct conversation with a user or an address. Raises as
        ``ExistingUsers.find_or_create_direct``.
        """
        conversation, is_new = await self._existing_users.find_or_create_direct(recipient_id, creator_id)
        return Begun(await self._lists.summary(conversation), is_new)

    async def require_participant(self, conversation_id: str, user_id: str) -> None:
        """Raise ``NotFound`` if there is no such conversation, ``NotAllowed`` for a user outside."""
        await self._memberships.check(conversation_id, user_id)

    async def page(
        self, user_id: str, username: str, *, cursor: ConversationCursor | None, offset: int, limit: int
    ) -> tuple[list[Summary], str | None]:
        """Return up to ``limit`` of the user's conversations, the latest activity first, and the cursor of the next
        page if there is one. Raises ``Unavailable`` while some of their messages cannot be read.
        """
        await self._history.require_latest()
        return await self._lists.page(user_id, username, cursor=cursor, offset=offset, limit=limit)

    async def summary(self, conversation_id: str, user_id: str) -> Summary:
        """Return a conversation of the user. Raises ``NotFound``; ``NotAllowed`` for a user outside; ``Unavailable``
        while some of its messages cannot be read.
        """
        conversation = await self._lists.get(conversation_id)
        if conversation is None:
            raise unknown_conversation(conversation_id)
        if conversation.member(user_id) is None:
            raise outside(conversation_id)
        await self._history.require_latest()
        await self._history.require_all_messages([conversation_id])
        summary = await self._lists.summary(conversation)
        await self._history.require_all_messages([conversation_id])
        return summary


CONVERSATIONS = web.AppKey("conversations", Conversations)
