"""Open conversations for senders: create direct ones, and let the addresses written to join the others.

An address joins with the first message to it, so later messages need not name it. A group's members are chosen by its
admins, and a direct conversation keeps its two sides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cachetools import LRUCache

from domain.conversations import MAX_MEMBERS, Conversation
from domain.direct import direct_id, is_direct
from domain.errors import StoreUnavailable
from web.circuit import COOLDOWN_SECONDS, CircuitBreaker
from web.conversations.beginnings import Beginning, DirectBeginnings
from web.conversations.joins import JoinWriter
from web.errors import FieldErrors

if TYPE_CHECKING:
    from domain.ports import ConversationStore
    from web.conversations.memberships import Memberships
    from web.conversations.participants import Participants

REMEMBERED = 200_000
_NOT_THIS_ONE = "is not a participant of this direct conversation; leave conversation_id out to write to them directly"


class ConversationOpener:
    """Opens conversations for senders and their recipients.

    Caches up to ``limit`` triples (conversation, sender, other side) without anything left to read or write. Outside
    of groups a membership is permanent, so a cached triple stays valid.
    """

    def __init__(
        self,
        store: ConversationStore,
        memberships: Memberships,
        participants: Participants,
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float],
        limit: int = REMEMBERED,
    ) -> None:
        self._store = store
        self._memberships = memberships
        self._participants = participants
        self._clock_ms = clock_ms
        self._circuit = CircuitBreaker(monotonic, COOLDOWN_SECONDS)
        self._joins = JoinWriter(store, clock_ms, participants.written)
        self._beginnings = DirectBeginnings(store, self._is_stored)
        self._settled: LRUCache[tuple[str, str, str], bool] = LRUCache(limit)

    async def open(self, conversation_id: str, user_id: str, address: str) -> None:
        """Check the sender's membership, and let the address join unless the conversation is a group.

        A conversation that does not exist is created with both. Raises ``NotAllowed``, ``StoreUnavailable`` if the
        sender's membership is unknown, and ``FieldErrors`` for a direct conversation with a third party. While the
        store is unavailable a sender with a cached membership gets in, and the address joins with a later message.
        """
        triple = (conversation_id, user_id, address)
        if self._settled.get(triple):
            return
        if is_direct(conversation_id):
            await self.open_direct(conversation_id, user_id, address)
            return
        is_new = await self._memberships.join_or_create(conversation_id, user_id, address)
        if not self._memberships.is_lasting(conversation_id, user_id):
            return  # a group
        if is_new or await self._has_joined(conversation_id, address):
            self._settled[triple] = True

    async def open_direct(self, conversation_id: str, user_id: str, other: str) -> None:
        """Check the id of a direct conversation of the two, and have the conversation written if it does not exist.

        ``stored`` waits for that. ``other`` is an address or the id of an existing user. Raises ``FieldErrors`` if
        the id belongs to the sender's direct conversation with a third party, ``NotAllowed`` if it is none of the
        sender's, ``StoreUnavailable``.
        """
        triple = (conversation_id, user_id, other)
        if self._settled.get(triple):
            return
        if conversation_id != direct_id(user_id, other):
            await self._memberships.check(conversation_id, user_id)
            raise FieldErrors([("recipient_id", _NOT_THIS_ONE)])
        if conversation_id in self._beginnings:
            return
        now_ms = self._clock_ms()
        self._beginnings.begin(Beginning(conversation_id, user_id, other, now_ms))
        self._memberships.remember(conversation_id, user_id)
        self._participants.announce(conversation_id, tuple(sorted({user_id, other})), now_ms)

    def _is_stored(self, beginning: Beginning) -> None:
        self._settled[beginning.conversation_id, beginning.user_id, beginning.other] = True

    async def stored(self, conversation_id: str) -> None:
        """Return once a direct conversation begun here is in the store, or cannot be for now."""
        if conversation_id in self._beginnings:
            await self._beginnings.wait(conversation_id)

    async def find_or_create_direct(self, user_id: str, other: str) -> tuple[Conversation, bool]:
        """Return the direct conversation of the two, and whether this call created it. Raises ``StoreUnavailable``."""
        conversation_id = direct_id(user_id, other)
        found, is_new = await self._store.get(conversation_id), False
        if found is None:
            now_ms = self._clock_ms()
            await self._store.begin_direct(conversation_id, sorted({user_id, other}), now_ms, user_id)
            found = await self._store.get(conversation_id)
            if found is None:
                raise StoreUnavailable("the conversation was created but cannot be read yet; retry")
            is_new = (found.created_at_ms, found.created_by) == (now_ms, user_id)
        self._memberships.remember(conversation_id, user_id)
        self._settled[conversation_id, user_id, other] = True
        return found, is_new

    async def _has_joined(self, conversation_id: str, address: str) -> bool:
        """Let the address join in the background; return whether the join is stored already, or there is no room for
        it.
        """
        if (conversation_id, address) in self._joins:
            return False
        try:
            known = await self._circuit.call(lambda: self._others(conversation_id))
        except StoreUnavailable:
            return False
        known = self._participants.known(conversation_id) or known  # others may have joined while this waited
        if address in known:
            if address not in self._participants.unwritten(conversation_id):
                return True
        elif len(known) >= MAX_MEMBERS:
            return True
        self._join(conversation_id, address)
        return False

    def _join(self, conversation_id: str, address: str) -> None:
        if self._joins.add(conversation_id, address):
            self._participants.wrote_to(conversation_id, address)

    def write_joins(self, conversation_id: str) -> None:
        """Repeat the joins known only from the log: the accepting process may have been killed before it stored
        them.
        """
        for address in self._participants.unwritten(conversation_id):
            if (conversation_id, address) not in self._joins:
                self._joins.add(conversation_id, address)

    async def _others(self, conversation_id: str) -> Sequence[str]:
        known = await self._participants.of(conversation_id)
        if not known:  # remembered from before it was created
            self._participants.forget(conversation_id)
            known = await self._participants.of(conversation_id)
        return known

    async def close(self, limit_seconds: float) -> None:
        """Write the waiting joins and direct conversations, each within ``limit_seconds``."""
        await asyncio.gather(self._joins.close(limit_seconds), self._beginnings.close(limit_seconds))
