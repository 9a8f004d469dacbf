"""Usernames: resolve ``user:<username>`` to user ids, and add usernames to the user ids in responses.

Usernames never change, so known ones are cached. A missing one is not cached: it may be registered at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aiohttp import web
from cachetools import LRUCache

from domain.conversations import is_address
from domain.errors import StoreUnavailable
from domain.usernames import folded, names_user, username_of
from web.circuit import COOLDOWN_SECONDS, CircuitBreaker
from web.errors import FieldErrors

if TYPE_CHECKING:
    from domain.ports import UserStore

REMEMBERED = 100_000
LOOK_UPS_AT_ONCE = 16
# an answer is complete without names, so it does not wait longer than this for them
LOOK_UP_SECONDS = 0.5


class Usernames:
    """Looks names up in batches. ``limit``: how many users are cached, in each direction."""

    def __init__(self, users: UserStore, monotonic: Callable[[], float], limit: int = REMEMBERED) -> None:
        self._users = users
        self._circuit = CircuitBreaker(monotonic, COOLDOWN_SECONDS)
        self._ids: LRUCache[str, str] = LRUCache(limit)
        self._names: LRUCache[str, str] = LRUCache(limit)
        self._asking: asyncio.Task[None] | None = None
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    def learn(self, user_id: str, username: str) -> None:
        """Cache a known name."""
        self._names[user_id] = username
        self._ids[folded(username)] = user_id

    def known(self, user_id: str) -> str | None:
        """Return the user's cached name."""
        return self._names.get(user_id)

    def is_ready(self, user_id: str) -> bool:
        """Return whether there is no reason to wait for the user's name: it is cached, or the store is unavailable.

        In the latter case the store is asked in the background.
        """
        if self._names.get(user_id) is not None or is_address(user_id):
            return True
        if self._circuit.is_open and self._asking is None:
            self._asking = asyncio.create_task(self._ask_in_background(user_id))
        return self._circuit.is_open

    async def _ask_in_background(self, user_id: str) -> None:
        try:
            await self.names_of([user_id])
        finally:
            self._asking = None

    async def resolved(self, field: str, participants: Sequence[str]) -> list[str]:
        """Return ``participants`` with the user's id in place of each ``user:<username>``.

        Raises ``FieldErrors`` with every unknown one under ``field``, and ``StoreUnavailable``.
        """
        ids = await self.ids_of(participants)
        unknown = [named for named in dict.fromkeys(participants) if names_user(named) and named not in ids]
        if unknown:
            raise FieldErrors([(field, no_such(named)) for named in unknown])
        return [ids.get(participant, participant) for participant in participants]

    async def ids_of(self, named: Iterable[str]) -> dict[str, str]:
        """Return the ids of the existing users among ``user:<username>`` (folded). Raises ``StoreUnavailable``."""
        wanted = [one for one in dict.fromkeys(named) if names_user(one)]
        if not wanted:
            return {}
        found = await asyncio.gather(*(self._id_of(username_of(one)) for one in wanted))
        return {one: user_id for one, user_id in zip(wanted, found, strict=True) if user_id is not None}

    async def _id_of(self, username: str) -> str | None:
        known = self._ids.get(username)
        if known is not None:
            return known
        async with self._look_up_slots:
            user = await self._users.by_username(username)
        if user is None:
            return None
        self.learn(user.user_id, user.username)
        return user.user_id

    async def names_of(self, participants: Iterable[str]) -> Mapping[str, str]:
        """Return the names of the users among ``participants``. Addresses and unknown ids are left out.

        Never raises: while the store does not answer, users without a cached name are left out too.
        """
        found: dict[str, str] = {}
        missing: list[str] = []
        for one in dict.fromkeys(participants):
            if one and not is_address(one):
                name = self._names.get(one)
                if name is None:
                    missing.append(one)
                else:
                    found[one] = name
        if missing:
            found.update(await self._asked(missing))
        return found

    async def _asked(self, user_ids: Sequence[str]) -> Mapping[str, str]:
        try:
            asked = await self._circuit.call(lambda: self._in_time(user_ids))
        except StoreUnavailable:
            return {}
        for user_id, username in asked.items():
            self.learn(user_id, username)
        return asked

    async def _in_time(self, user_ids: Sequence[str]) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await self._users.usernames(user_ids)
        except TimeoutError:
            raise StoreUnavailable("the usernames were not read in time") from None


def no_such(named: str) -> str:
    """Return the error text for an unknown ``user:<username>``."""
    return f"there is no user {username_of(named)}"


USERNAMES = web.AppKey("usernames", Usernames)
