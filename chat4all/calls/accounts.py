"""Accounts, sessions and linked addresses."""

from __future__ import annotations

from typing import Any

from chat4all.calls.base import Calls, path_part
from chat4all.errors import NotLoggedIn
from chat4all.tokens import Tokens, tokens_of


class AccountCalls(Calls):
    """Accounts, sessions and linked addresses."""

    async def register(self, username: str, password: str, email: str | None = None) -> str:
        """Make an account and return its user id. Raises ``Conflict`` if the name is taken."""
        body = {"username": username, "password": password, **({"email": email} if email else {})}
        made = await self._transport.call("POST", "/auth/register", body, with_token=False)
        return str(made["user_id"])

    async def login(self, username: str, password: str) -> None:
        """Start a session; later requests carry its tokens. Raises ``NotLoggedIn`` for a wrong name or password."""
        body = {"username": username, "password": password}
        answer = await self._transport.call("POST", "/auth/login", body, is_repeatable=True, with_token=False)
        async with self._transport.token_store.lock():
            self._transport.keep(tokens_of(answer))

    async def refresh(self) -> None:
        """Get new tokens for the session; happens by itself when the old one is refused. Raises ``NotLoggedIn``."""
        if not await self._transport.refresh(self._transport.tokens.access_token):
            raise NotLoggedIn(401, "the session cannot be continued; log in again")

    async def logout(self) -> None:
        """End the session, and forget its tokens."""
        await self._transport.call("POST", "/auth/logout", is_repeatable=True)
        async with self._transport.token_store.lock():
            self._transport.keep(Tokens())

    async def me(self) -> dict[str, Any]:
        """Return ``user_id``, ``username``, ``email`` and ``created_at``."""
        return await self._transport.call("GET", "/v1/users/me")

    async def identities(self) -> list[dict[str, Any]]:
        """Return the addresses linked with the account."""
        return list((await self._transport.call("GET", "/v1/users/identities"))["identities"])

    async def link_identity(self, platform: str, value: str) -> dict[str, Any]:
        """Link an address, such as ``whatsapp`` and ``+5511999999999``. Raises ``Conflict`` if it is another user's."""
        body = {"platform": platform, "value": value}
        return await self._transport.call("POST", "/v1/users/identities", body, is_repeatable=True)

    async def unlink_identity(self, platform: str, value: str) -> dict[str, Any]:
        """Unlink an address. Raises ``NotFound``."""
        return await self._transport.call("DELETE", f"/v1/users/identities/{path_part(platform)}/{path_part(value)}")
