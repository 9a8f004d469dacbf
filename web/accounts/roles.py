"""The role admin: looked up by user id, not claimed by the token, so a revoked admin loses it in seconds.

A claim would be valid as long as the token, ``CHAT4ALL_JWT_TTL_SECONDS``. Only a yes is cached: an admin made just now
is one at the next request, and requests of others are bounded by their rate limit.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from cachetools import TTLCache

from domain.errors import NotAllowed
from domain.ports import AdminStore
from web.http.caller import Caller

ADMIN = "admin"
ADMIN_SECONDS = 10.0
REMEMBERED = 1_000


class Roles:
    """Checks the role admin. A revoked admin keeps it for at most ``ADMIN_SECONDS`` of the clock ``monotonic``."""

    def __init__(self, store: AdminStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._admins: TTLCache[str, bool] = TTLCache(REMEMBERED, ADMIN_SECONDS, monotonic)

    async def require_admin(self, caller: Caller) -> None:
        """Return if the caller is an admin. Raises ``NotAllowed``, ``StoreUnavailable``."""
        if not await self.is_admin(caller.user_id):
            raise NotAllowed(
                "this is for admins; `chat4all admin grant USERNAME`, on a machine of the system, makes one"
            )

    async def is_admin(self, user_id: str) -> bool:
        """Return whether the user is an admin. Raises ``StoreUnavailable``."""
        if user_id not in self._admins and await self._store.is_admin(user_id):
            self._admins[user_id] = True
        return user_id in self._admins


ROLES = web.AppKey("roles", Roles)
