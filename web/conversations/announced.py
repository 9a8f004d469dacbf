"""Conversations that people begin: their messages announce the members, and the mirror stores them some time later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from cachetools import LRUCache

from domain.usernames import names_user

REMEMBERED = 50_000
IdsOf = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


async def _nobody(named: Sequence[str]) -> Mapping[str, str]:
    return {}


class AnnouncedMembers:
    """The members of conversations that may not be in the store yet.

    ``ids_of`` returns the user ids of those of ``user:<username>`` who exist; it raises ``StoreUnavailable``.
    """

    def __init__(self, ids_of: IdsOf = _nobody, limit: int = REMEMBERED) -> None:
        self._ids_of = ids_of
        self._members: LRUCache[str, tuple[str, ...]] = LRUCache(limit)

    def announce(self, conversation_id: str, members: tuple[str, ...]) -> None:
        """Note the members that a message names: addresses, user ids and ``user:<username>``."""
        self._members[conversation_id] = members

    async def of(self, conversation_id: str) -> Sequence[str]:
        """Return the members, as addresses and user ids; none if no message announced any."""
        named = self._members.get(conversation_id, ())
        ids = await self._ids_of(named) if named else {}
        return [ids.get(one, one) for one in named if one in ids or not names_user(one)]
