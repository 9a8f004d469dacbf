"""Whom a record concerns: the participants of its conversation, asked for once in a while and remembered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from time import monotonic

from domain.conversations import MAX_MEMBERS
from domain.errors import Unavailable
from domain.ports import ConversationStore
from web.lru import BoundedCache

REMEMBERED = 50_000
LOOK_UPS_AT_ONCE = 32
# a group in use is asked for again in the background from this part of the time on: nobody waits for that
_REFRESH_FROM = 0.5
_NEVER: tuple[Sequence[str], float] = ((), -math.inf)


class Participants:
    """Asks once for a conversation that is no group: there nobody goes, and who comes is told by ``wrote_to``. For a
    group it answers at once if it was asked for within ``usable_seconds``. While the store is away, what was known last
    stands."""

    def __init__(self, store: ConversationStore, usable_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._usable_seconds = usable_seconds
        self._clock = clock
        # who takes part, and when that was asked
        self._known: BoundedCache[str, tuple[Sequence[str], float]] = BoundedCache(REMEMBERED)
        self._asking: dict[str, asyncio.Task[Sequence[str]]] = {}
        # who joined while a look-up was under way
        self._joined: dict[str, set[str]] = {}
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    def known(self, conversation_id: str) -> Sequence[str] | None:
        """Return who takes part if that is known well enough; else ``None``, and the store is being asked."""
        users, asked_at = self._known.get(conversation_id) or _NEVER
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

    def wrote_to(self, conversation_id: str, address: str) -> None:
        """Somebody wrote to ``address``: it takes part by now, unless it is a group, whose admins choose."""
        if conversation_id in self._asking:  # the answer may be from before
            self._joined.setdefault(conversation_id, set()).add(address)
        users, asked_at = self._known.get(conversation_id) or _NEVER
        if asked_at == math.inf and address not in users and len(users) < MAX_MEMBERS:
            self._known.put(conversation_id, ((*users, address), math.inf))

    def forget(self, conversation_id: str) -> None:
        """Ask again next time: somebody came or went."""
        self._known.put(conversation_id, _NEVER)
        self._asking.pop(conversation_id, None)
        self._joined.pop(conversation_id, None)

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
            self._joined.pop(conversation_id, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; in the background nobody did

    async def _look_up(self, conversation_id: str) -> Sequence[str]:
        async with self._look_up_slots:
            asked_at = self._clock()
            try:
                found = await self._store.get(conversation_id)
            except Unavailable:
                last = self._known.get(conversation_id)
                if last is None or last is _NEVER:
                    raise
                self._known.put(conversation_id, (last[0], asked_at))
                return last[0]
        users = () if found is None else tuple(found.participants)
        can_change = found is None or found.is_group
        joined = self._joined.get(conversation_id, set()).difference(users)
        if joined and not can_change:
            users = (*users, *sorted(joined))[:MAX_MEMBERS]
        self._known.put(conversation_id, (users, asked_at if can_change else math.inf))
        return users
