"""The participants of conversations, read from the store and cached."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import NamedTuple

from cachetools import LRUCache

from domain.conversations import MAX_MEMBERS
from domain.direct import is_of
from domain.errors import Unavailable
from domain.ports import ConversationStore
from web.conversations.announced import AnnouncedMembers
from web.conversations.heard import Heard

REMEMBERED = 50_000
LOOK_UPS_AT_ONCE = 32
# a group in use is refreshed in the background from this part of the time on, so no caller waits for it
_REFRESH_FROM = 0.5
# after a failed look-up, the cached participants are used for so long before the next one
_AWAY_SECONDS = 1.0
_FOR_EVER = math.inf


class _Known(NamedTuple):
    """``users``: the participants as of ``asked_at``. ``unwritten``: those of them perhaps not in the store yet."""

    users: Sequence[str] = ()
    asked_at: float = -math.inf
    unwritten: frozenset[str] = frozenset()


_NEVER = _Known()


class Participants:
    """Caches the participants of conversations.

    A conversation other than a group is read once: its participants never leave, and ``wrote_to`` adds new ones. A
    group's are used for ``usable_seconds`` before they are read again. While the store is unavailable, the last known
    ones stay in use.

    An address joins when a message to it is accepted; the accepting process stores it some time later. So the
    addresses of ``wrote_to`` are added to those in the store, and ``unwritten`` returns the ones perhaps not stored
    yet.
    """

    def __init__(
        self,
        store: ConversationStore,
        usable_seconds: float,
        clock: Callable[[], float] = monotonic,
        announced: AnnouncedMembers | None = None,
    ) -> None:
        self._store = store
        self._announced = announced or AnnouncedMembers()
        self._usable_seconds = usable_seconds
        self._clock = clock
        self._known: LRUCache[str, _Known] = LRUCache(REMEMBERED)
        self._asking: dict[str, asyncio.Task[Sequence[str]]] = {}
        # recipient addresses in conversations not cached yet, or being looked up
        self._heard = Heard()
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._away_until = -math.inf

    def known(self, conversation_id: str) -> Sequence[str] | None:
        """Return the cached participants; ``None`` if they are missing or too old, and start a look-up."""
        users, asked_at, _ = self._known.get(conversation_id) or _NEVER
        age_seconds = self._clock() - asked_at
        if age_seconds > self._usable_seconds * _REFRESH_FROM:
            self._ask(conversation_id)
            if age_seconds > self._usable_seconds:
                return None
        return users

    async def of(self, conversation_id: str) -> Sequence[str]:
        """Return the participants; none if there is no such conversation. Raises ``Unavailable`` if they are not
        cached and the store cannot be read.
        """
        users = self.known(conversation_id)
        return users if users is not None else await asyncio.shield(self._ask(conversation_id))

    async def of_now(self, conversation_id: str) -> Sequence[str]:
        """As ``of``, but a group is read from the store after the call: another process may have changed it."""
        known = self._known.get(conversation_id) or _NEVER
        if known.asked_at == _FOR_EVER or (known is not _NEVER and self._clock() < self._away_until):
            return known.users
        if (earlier := self._asking.get(conversation_id)) is not None:
            await asyncio.wait([earlier])
        return await asyncio.shield(self._ask(conversation_id))

    def is_lasting(self, conversation_id: str) -> bool:
        """Return whether the participants of a conversation other than a group are cached."""
        known = self._known.get(conversation_id)
        return known is not None and known.asked_at == _FOR_EVER

    def wrote_to(self, conversation_id: str, address: str) -> None:
        """Note a message to ``address``: the address joins, except in a group, where admins choose the members."""
        known = self._known.get(conversation_id) or _NEVER
        if known.asked_at == _FOR_EVER:
            self._known[conversation_id] = _with(known, [address])
            return
        self._heard.add(conversation_id, address)

    def announce(self, conversation_id: str, members: tuple[str, ...], at_ms: int = 0) -> None:
        """Note the members of a conversation that a person's message begins: the store may not have it yet."""
        self._announced.announce(conversation_id, members, at_ms)
        known = self._known.get(conversation_id)
        if known is not None and not known.users:  # from before it existed
            self.forget(conversation_id)

    def announce_direct(self, conversation_id: str, sender_id: str, recipient_id: str, at_ms: int) -> None:
        """Note the sides of a direct conversation, of a message in it: the store may not have it yet.

        Nothing is noted unless the id is that of the two.
        """
        if conversation_id not in self._announced and is_of(conversation_id, sender_id, recipient_id):
            self.announce(conversation_id, tuple(sorted({sender_id, recipient_id})), at_ms)

    def unwritten(self, conversation_id: str) -> frozenset[str]:
        """Return the participants perhaps not in the store yet, because this process only saw a message to them."""
        return (self._known.get(conversation_id) or _NEVER).unwritten

    def written(self, conversation_id: str, address: str) -> None:
        """Note that the store has the address."""
        known = self._known.get(conversation_id)
        if known is not None and address in known.unwritten:
            self._known[conversation_id] = known._replace(unwritten=known.unwritten - {address})

    def forget(self, conversation_id: str) -> None:
        """Drop the cached participants after a change."""
        self._known[conversation_id] = _NEVER
        self._asking.pop(conversation_id, None)

    def _ask(self, conversation_id: str) -> asyncio.Task[Sequence[str]]:
        """Start a look-up of the conversation, or return the one in progress."""
        task = self._asking.get(conversation_id)
        if task is None:
            task = self._asking[conversation_id] = asyncio.create_task(self._look_up(conversation_id))
            task.add_done_callback(lambda done: self._asked(conversation_id, done))
        return task

    def _asked(self, conversation_id: str, task: asyncio.Task[Sequence[str]]) -> None:
        if self._asking.get(conversation_id) is task:
            del self._asking[conversation_id]
        if not task.cancelled():
            task.exception()  # retrieve it: a background look-up has no waiter

    async def _look_up(self, conversation_id: str) -> Sequence[str]:
        async with self._look_up_slots:
            asked_at = self._clock()
            try:
                found = await self._store.get(conversation_id)
                announced = await self._announced.of(conversation_id) if found is None else ()
            except Unavailable:
                self._away_until = self._clock() + _AWAY_SECONDS
                last = self._known.get(conversation_id)
                if last is None or last is _NEVER:
                    raise
                self._known[conversation_id] = last._replace(asked_at=asked_at)
                return last.users
        known = _Known(tuple(announced if found is None else found.participants), asked_at)
        if found is not None and not found.is_group:
            known = _with(known._replace(asked_at=_FOR_EVER), self._heard.of(conversation_id))
        if self._asking.get(conversation_id) is asyncio.current_task():  # else this is from before it was forgotten
            self._known[conversation_id] = known
            if found is not None:
                self._heard.drop(conversation_id)
        return known.users


def _with(known: _Known, addresses: Iterable[str]) -> _Known:
    """Return ``known`` with the recipient addresses added, up to ``MAX_MEMBERS`` participants."""
    new = [one for one in addresses if one not in known.users][: max(0, MAX_MEMBERS - len(known.users))]
    if not new:
        return known
    return known._replace(users=(*known.users, *new), unwritten=known.unwritten.union(new))
