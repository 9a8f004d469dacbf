"""Conversations that people begin: their messages announce the members, and the mirror stores them some time later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from cachetools import LRUCache

from domain.conversations import Conversation, Member
from domain.ports import Joined
from domain.usernames import PREFIX, folded, names_user

REMEMBERED = 50_000
MOST_OF_MEMBER = 200
IdsOf = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


async def _nobody(named: Sequence[str]) -> Mapping[str, str]:
    return {}


class AnnouncedMembers:
    """The members of conversations that may not be in the store yet.

    ``ids_of`` returns the user ids of those of ``user:<username>`` who exist; it raises ``StoreUnavailable``.
    """

    def __init__(self, ids_of: IdsOf = _nobody, limit: int = REMEMBERED) -> None:
        self._ids_of = ids_of
        self._members: LRUCache[str, tuple[tuple[str, ...], int]] = LRUCache(limit)
        self._of_name: LRUCache[str, dict[str, None]] = LRUCache(limit)

    def announce(self, conversation_id: str, members: tuple[str, ...], at_ms: int = 0) -> None:
        """Note the members that a message names: addresses, user ids and ``user:<username>``. ``at_ms``: its time."""
        known = self._members.get(conversation_id)
        self._members[conversation_id] = members, at_ms if known is None else known[1]
        for name in members:
            conversations = self._of_name.setdefault(name, {})
            conversations.setdefault(conversation_id)
            if len(conversations) > MOST_OF_MEMBER:
                del conversations[next(iter(conversations))]

    def joined(self, user_id: str, username: str) -> list[Joined]:
        """Return the last conversations that announced the user, at most ``MOST_OF_MEMBER`` by each of the names."""
        found = {**self._of_name.get(user_id, {}), **self._of_name.get(f"{PREFIX}{folded(username)}", {})}
        return [Joined(one, self._members[one][1]) for one in found if one in self._members]

    async def conversation(self, conversation_id: str) -> Conversation | None:
        """Return an announced conversation as the store will have it; ``None`` if no message announced it."""
        members = await self.of(conversation_id)
        if not members:
            return None
        at_ms = self._members[conversation_id][1] if conversation_id in self._members else 0
        return Conversation(conversation_id, at_ms, tuple(Member(one, at_ms) for one in sorted(members)))

    def __contains__(self, conversation_id: str) -> bool:
        """Return whether the members of the conversation are known from a message."""
        return conversation_id in self._members

    async def of(self, conversation_id: str) -> Sequence[str]:
        """Return the members, as addresses and user ids; none if no message announced any."""
        named, _ = self._members.get(conversation_id, ((), 0))
        ids = await self._ids_of(named) if named else {}
        return [ids.get(one, one) for one in named if one in ids or not names_user(one)]
