"""Linked identities: the users' addresses on the channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import web

from domain.addresses import parse_recipient
from domain.errors import InvalidInput
from domain.ports import Identity, IdentityStore


class LinkedIdentities:
    """Links addresses to users. ``on_change`` is called with the user id after each change, also a failed one."""

    def __init__(self, store: IdentityStore, clock_ms: Callable[[], int], on_change: Callable[[str], None]) -> None:
        self._store = store
        self._clock_ms = clock_ms
        self._on_change = on_change

    async def link(self, user_id: str, platform: str, value: str) -> Identity:
        """Link an address, unproven; one linked before is returned as it is.

        Raises ``AlreadyExists`` if another user has proven it, ``Conflict`` at the limit.
        """
        # nothing proves yet that the address is the caller's
        identity = Identity(user_id, platform, value, False, self._clock_ms())
        try:
            return await self._store.link(identity)
        finally:  # even without an answer from the store it may be linked
            self._on_change(user_id)

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return all of the user's identities, by platform and value."""
        return await self._store.of_user(user_id)

    async def unlink(self, user_id: str, platform: str, value: str) -> str:
        """Unlink an address; return it in its normal form. Raises ``NotFound``."""
        with suppress(InvalidInput):  # it may have been linked under an older rule
            value = parse_recipient(f"{platform}:{value}").address
        try:
            await self._store.unlink(user_id, platform, value)
        finally:
            self._on_change(user_id)
        return value


IDENTITIES = web.AppKey("identities", LinkedIdentities)
