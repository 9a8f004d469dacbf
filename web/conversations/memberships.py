"""The members of a conversation, read from the store and cached."""

from __future__ import annotations

import math
from collections.abc import Callable

from cachetools import LRUCache

from domain.conversations import Membership
from domain.direct import is_made, is_reserved
from domain.errors import Chat4AllError, NotAllowed, NotFound, StoreUnavailable
from domain.ids import made_at_ms
from domain.ports import ConversationStore
from web.circuit import COOLDOWN_SECONDS, CircuitBreaker
from web.conversations.announced import AnnouncedMembers

REMEMBERED = 200_000
REMEMBERED_REMOVALS = 10_000
GROUP_SECONDS = 2.0
OUTAGE_SECONDS = 900.0
_FOR_EVER = math.inf
_OUTSIDE = "you are not a participant of this conversation"
_OUTSIDE_DIRECT = (
    "you are not a participant of this conversation, or it does not exist: ids of direct conversations are assigned by"
    " the system. Leave conversation_id out to write to a person directly"
)


def unknown_conversation(conversation_id: str) -> Chat4AllError:
    """Return the error for a conversation that does not exist.

    Anyone can compute the id of a direct conversation from its two sides. So the answer is the same whether it exists
    or not, and does not reveal who writes to whom.
    """
    return NotAllowed(_OUTSIDE_DIRECT) if is_reserved(conversation_id) else NotFound("there is no such conversation")


def outside(conversation_id: str) -> NotAllowed:
    """Return the error for a caller outside the conversation."""
    return NotAllowed(_OUTSIDE_DIRECT if is_reserved(conversation_id) else _OUTSIDE)


class Memberships:
    """Caches memberships read from the store: a send to a known conversation needs no Cassandra.

    Only positive answers are cached. Users cannot be removed from a conversation other than a group, so there a
    membership is cached for ever. In a group it is read again after ``group_seconds``: for so long a user removed by
    another process may still get in. A removal by this process calls ``forget`` and takes effect immediately. While
    the store is unavailable, cached memberships stay valid, and so does one that another process has checked: the log
    has a message of the user (in a group, one since this process started). In a group this ends ``outage_seconds``
    after the last check: another process may have removed the user before the outage, or may still reach the store.
    """

    def __init__(
        self,
        store: ConversationStore,
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float],
        limit: int = REMEMBERED,
        group_seconds: float = GROUP_SECONDS,
        outage_seconds: float = OUTAGE_SECONDS,
        announced: AnnouncedMembers | None = None,
    ) -> None:
        self._announced = announced or AnnouncedMembers()
        self._store = store
        self._clock_ms = clock_ms
        self._since_ms = clock_ms()
        self._monotonic = monotonic
        self._group_seconds = group_seconds
        self._outage_seconds = outage_seconds
        # when it was checked (seconds of the monotonic clock: the other one may be set back)
        self._known: LRUCache[tuple[str, str], float] = LRUCache(limit)
        self._removed: LRUCache[tuple[str, str], bool] = LRUCache(REMEMBERED_REMOVALS)
        self._circuit = CircuitBreaker(monotonic, COOLDOWN_SECONDS)
        self._removals = 0

    async def join_or_create(self, conversation_id: str, user_id: str, *others: str) -> bool:
        """Check the user's membership; create a conversation with the user and ``others`` if there is none.

        Return whether this call created it. Raises ``NotAllowed`` for a user outside and for a reserved id not in
        use, ``StoreUnavailable`` if the membership is not cached and the store cannot be read.
        """
        if self._holds(conversation_id, user_id):
            return False
        found = await self._ask(conversation_id, user_id)
        if found is None:
            if is_reserved(conversation_id):
                raise outside(conversation_id)
            now_ms = self._clock_ms()
            if await self._store.create(conversation_id, [user_id, *others], now_ms, created_by=user_id):
                self.remember(conversation_id, user_id)
                return True
        if found is None or not found.takes_part:
            # The caller's own first messages, sent concurrently, race to create it: this one may have looked before
            # another created it. So look a second time before refusing.
            found = await self._ask(conversation_id, user_id)
        self._require_member(conversation_id, found)
        return False

    async def check(self, conversation_id: str, user_id: str) -> None:
        """Raise ``NotFound`` if there is no such conversation, ``NotAllowed`` for a user outside."""
        if self._holds(conversation_id, user_id):
            return
        found = await self._ask(conversation_id, user_id)
        if found is None:
            raise unknown_conversation(conversation_id)
        self._require_member(conversation_id, found)

    def remember(self, conversation_id: str, user_id: str) -> None:
        """Cache the user's membership of a conversation other than a group."""
        self._known[conversation_id, user_id] = _FOR_EVER

    def wrote(self, conversation_id: str, user_id: str, at_ms: int) -> None:
        """Note a message of the user in the log: it is read again as soon as the store answers.

        ``at_ms``: when it was appended. One from before the start of this process proves nothing in a group: another
        process may have removed the user since. In a direct conversation the id alone tells who takes part.
        """
        if is_made(conversation_id) or (at_ms < self._since_ms and made_at_ms(conversation_id) is not None):
            return
        key = (conversation_id, user_id)
        if key not in self._known and key not in self._removed:
            self._known[key] = self._monotonic() - self._group_seconds

    def is_lasting(self, conversation_id: str, user_id: str) -> bool:
        """Return whether a permanent membership is cached: one of a conversation other than a group."""
        return self._known.get((conversation_id, user_id)) == _FOR_EVER

    def forget(self, conversation_id: str, user_id: str) -> None:
        """Drop a removed user's membership, including one being read."""
        self._removals += 1
        self._known.pop((conversation_id, user_id), None)
        self._removed[conversation_id, user_id] = True

    def _holds(self, conversation_id: str, user_id: str) -> bool:
        checked_at = self._known.get((conversation_id, user_id))
        return checked_at is not None and self._monotonic() - checked_at < self._group_seconds

    def _stands(self, conversation_id: str, user_id: str) -> bool:
        """Return whether a membership counts that cannot be checked now. An id of a client's own is no group's."""
        checked_at = self._known.get((conversation_id, user_id))
        if checked_at is None:
            return False
        return made_at_ms(conversation_id) is None or self._monotonic() - checked_at < self._outage_seconds

    async def _ask(self, conversation_id: str, user_id: str) -> Membership | None:
        """Read the membership and cache it, unless a user was removed meanwhile."""
        key, removals, asked_at = (conversation_id, user_id), self._removals, self._monotonic()
        try:
            found = await self._read(key)
            if found is None and user_id in await self._announced.of(conversation_id):
                found = Membership(takes_part=True, is_group=False)
        except StoreUnavailable:
            if not self._stands(*key):
                raise
            return Membership(takes_part=True, is_group=True)
        if found is None or not found.takes_part:
            self._known.pop(key, None)
        elif not found.is_group:
            self.remember(conversation_id, user_id)
        elif removals == self._removals:
            self._known[key] = asked_at
        return found

    async def _read(self, key: tuple[str, str]) -> Membership | None:
        """Read a membership. With a cached one, a store that was silent a moment ago is not waited for."""
        if self._known.get(key) is None:
            return await self._store.membership(*key)
        return await self._circuit.call(lambda: self._store.membership(*key))

    @staticmethod
    def _require_member(conversation_id: str, found: Membership | None) -> None:
        if found is None or not found.takes_part:
            raise outside(conversation_id)
