"""Whom a record concerns: the participants of its conversation, asked for once in a while and remembered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import NamedTuple

from domain.conversations import MAX_MEMBERS
from domain.errors import Unavailable
from domain.ports import ConversationStore
from web.live.heard import Heard
from web.lru import BoundedCache

REMEMBERED = 50_000
LOOK_UPS_AT_ONCE = 32
# a group in use is asked for again in the background from this part of the time on: nobody waits for that
_REFRESH_FROM = 0.5
# after a look-up that failed, what is known is used for so long before the store is asked again
_AWAY_SECONDS = 1.0
_FOR_EVER = math.inf


class _Known(NamedTuple):
    """``users`` take part, as of ``asked_at``; ``unwritten`` are those of them who may not be on record yet."""

    users: Sequence[str] = ()
    asked_at: float = -math.inf
    unwritten: frozenset[str] = frozenset()


_NEVER = _Known()


class Participants:
    """Asks once for a conversation that is no group: there nobody goes, and who comes is told by ``wrote_to``. For a
    group it answers at once if it was asked for within ``usable_seconds``. While the store is away, what was known last
    stands.

    An address joins when a message to it is accepted, and is on record some time after that, written by the process
    that accepted. So what ``wrote_to`` tells counts beside what the store says, and ``is_unwritten`` tells them apart.
    """

    def __init__(self, store: ConversationStore, usable_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._usable_seconds = usable_seconds
        self._clock = clock
        self._known: BoundedCache[str, _Known] = BoundedCache(REMEMBERED)
        self._asking: dict[str, asyncio.Task[Sequence[str]]] = {}
        # who was written to in conversations that are not known yet, or are being looked up
        self._heard = Heard()
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._away_until = -math.inf

    def known(self, conversation_id: str) -> Sequence[str] | None:
        """Return who takes part if that is known well enough; else ``None``, and the store is being asked."""
        users, asked_at, _ = self._known.get(conversation_id) or _NEVER
        age_seconds = self._clock() - asked_at
        if age_seconds > self._usable_seconds * _REFRESH_FROM:
            self._ask(conversation_id)
            if age_seconds > self._usable_seconds:
                return None
        return users

    async def of(self, conversation_id: str) -> Sequence[str]:
        """Return who takes part, nobody if there is no such conversation. Raises ``Unavailable`` if that was never
        known and cannot be asked."""
        users = self.known(conversation_id)
        return users if users is not None else await asyncio.shield(self._ask(conversation_id))

    async def of_now(self, conversation_id: str) -> Sequence[str]:
        """As ``of``, by a look-up that began after the call if it is a group: another process may have changed it."""
        known = self._known.get(conversation_id) or _NEVER
        if known.asked_at == _FOR_EVER or (known is not _NEVER and self._clock() < self._away_until):
            return known.users
        if (earlier := self._asking.get(conversation_id)) is not None:
            await asyncio.wait([earlier])
        return await asyncio.shield(self._ask(conversation_id))

    def is_lasting(self, conversation_id: str) -> bool:
        """Return whether it is known who takes part in a conversation that is no group."""
        known = self._known.get(conversation_id)
        return known is not None and known.asked_at == _FOR_EVER

    def wrote_to(self, conversation_id: str, address: str) -> None:
        """Somebody wrote to ``address``: it takes part by now, unless it is a group, whose admins choose."""
        known = self._known.get(conversation_id) or _NEVER
        if known.asked_at == _FOR_EVER:
            self._known.put(conversation_id, _with(known, [address]))
            return
        self._heard.add(conversation_id, address)

    def unwritten(self, conversation_id: str) -> frozenset[str]:
        """Return the participants who may not be on record yet, because this process has only heard of them."""
        return (self._known.get(conversation_id) or _NEVER).unwritten

    def written(self, conversation_id: str, address: str) -> None:
        """The address is on record."""
        known = self._known.get(conversation_id)
        if known is not None and address in known.unwritten:
            self._known.put(conversation_id, known._replace(unwritten=known.unwritten - {address}))

    def forget(self, conversation_id: str) -> None:
        """Ask again next time: somebody came or went."""
        self._known.put(conversation_id, _NEVER)
        self._asking.pop(conversation_id, None)

    def _ask(self, conversation_id: str) -> asyncio.Task[Sequence[str]]:
        """Return the one look-up of a conversation that is under way."""
        task = self._asking.get(conversation_id)
        if task is None:
            task = self._asking[conversation_id] = asyncio.create_task(self._look_up(conversation_id))
            task.add_done_callback(lambda done: self._asked(conversation_id, done))
        return task

    def _asked(self, conversation_id: str, task: asyncio.Task[Sequence[str]]) -> None:
        if self._asking.get(conversation_id) is task:
            del self._asking[conversation_id]
        if not task.cancelled():
            task.exception()  # whoever waited has it; in the background nobody did

    async def _look_up(self, conversation_id: str) -> Sequence[str]:
        async with self._look_up_slots:
            asked_at = self._clock()
            try:
                found = await self._store.get(conversation_id)
            except Unavailable:
                self._away_until = self._clock() + _AWAY_SECONDS
                last = self._known.get(conversation_id)
                if last is None or last is _NEVER:
                    raise
                self._known.put(conversation_id, last._replace(asked_at=asked_at))
                return last.users
        known = _Known(() if found is None else tuple(found.participants), asked_at)
        if found is not None and not found.is_group:
            known = _with(known._replace(asked_at=_FOR_EVER), self._heard.of(conversation_id))
        if self._asking.get(conversation_id) is asyncio.current_task():  # else this is from before it was forgotten
            self._known.put(conversation_id, known)
            if found is not None:
                self._heard.drop(conversation_id)
        return known.users


def _with(known: _Known, addresses: Iterable[str]) -> _Known:
    """Return ``known`` with more addresses that were written to, as far as there is room."""
    new = [one for one in addresses if one not in known.users][: max(0, MAX_MEMBERS - len(known.users))]
    if not new:
        return known
    return known._replace(users=(*known.users, *new), unwritten=known.unwritten.union(new))
