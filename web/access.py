"""Who takes part in which conversation."""

from __future__ import annotations

from collections.abc import Callable

from domain.errors import NotAllowed, NotFound
from domain.ports import ConversationStore
from web.lru import BoundedCache

REMEMBERED = 200_000


class Memberships:
    """Asks the store once, then remembers who takes part: a send to a known conversation needs no Cassandra.

    Only "takes part" is remembered. Nobody leaves a conversation yet; the issue that lets people be removed must
    forget here, too.
    """

    def __init__(self, store: ConversationStore, clock_ms: Callable[[], int], limit: int = REMEMBERED) -> None:
        self._store = store
        self._clock_ms = clock_ms
        self._known: BoundedCache[tuple[str, str], bool] = BoundedCache(limit)

    async def enter(self, conversation_id: str, user_id: str) -> None:
        """Make sure that the user takes part; a conversation that does not exist is created with that user.

        Raises ``NotAllowed`` for somebody outside, ``StoreUnavailable`` if it is not known and cannot be asked.
        """
        if self._known.get((conversation_id, user_id)):
            return
        takes_part = await self._store.is_participant(conversation_id, user_id)
        if takes_part is None:
            takes_part = await self._store.create(conversation_id, [user_id], self._clock_ms())
        if not takes_part:
            # The caller's own first messages, sent at once, race to create it: this one may have looked before and
            # after another did. So nobody is turned away without a second look.
            takes_part = await self._store.is_participant(conversation_id, user_id)
        self._admit(conversation_id, user_id, takes_part)

    async def check(self, conversation_id: str, user_id: str) -> None:
        """Raises ``NotFound`` if there is no such conversation, ``NotAllowed`` for somebody outside."""
        if self._known.get((conversation_id, user_id)):
            return
        takes_part = await self._store.is_participant(conversation_id, user_id)
        if takes_part is None:
            raise NotFound("there is no such conversation")
        self._admit(conversation_id, user_id, takes_part)

    def _admit(self, conversation_id: str, user_id: str, takes_part: bool | None) -> None:
        if not takes_part:
            raise NotAllowed("you take no part in this conversation")
        self._known.put((conversation_id, user_id), True)
