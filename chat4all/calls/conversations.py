"""Conversations and groups."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from chat4all.calls.base import Calls, given, path_part


class ConversationCalls(Calls):
    """Conversations and groups."""

    async def create_conversation(
        self, participants: Sequence[str], conversation_id: str | None = None, name: str | None = None
    ) -> dict[str, Any]:
        """Begin a conversation with users (``user:<username>``, or ids) and addresses.

        Repeated only if it has an id.
        """
        body = given(participants=list(participants), conversation_id=conversation_id, name=name)
        is_repeatable = conversation_id is not None
        return await self._transport.call("POST", "/v1/conversations", body, is_repeatable=is_repeatable)

    async def direct_conversation(self, recipient: str) -> dict[str, Any]:
        """Return the direct conversation with an address, a user (``user:<username>``) or a user's id. It is begun if
        it is not there."""
        body = {"recipient_id": recipient}
        return await self._transport.call("POST", "/v1/conversations", body, is_repeatable=True)

    def conversations(self, limit: int | None = None) -> AsyncIterator[dict[str, Any]]:
        """Yield the user's conversations, most recently active first; at most ``limit``."""
        return self._pages("/v1/conversations", "conversations", {}, limit)

    async def conversation(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation."""
        return await self._transport.call("GET", f"/v1/conversations/{path_part(conversation_id)}")

    async def create_group(
        self, name: str, members: Sequence[str] = (), description: str | None = None
    ) -> dict[str, Any]:
        """Create a group with the user as its first admin. Not repeated: a lost response may mean success."""
        body = given(name=name, description=description, initial_members=list(members))
        return await self._transport.call("POST", "/v1/groups", body)

    async def group(self, group_id: str) -> dict[str, Any]:
        """Return a group with its members and admins."""
        return await self._transport.call("GET", f"/v1/groups/{path_part(group_id)}")

    async def add_member(self, group_id: str, user_id: str) -> dict[str, Any]:
        """Add a member; return the group. Raises ``Forbidden`` unless an admin, ``Conflict`` for a present member."""
        return await self._transport.call("POST", f"/v1/groups/{path_part(group_id)}/members", {"user_id": user_id})

    async def remove_member(self, group_id: str, user_id: str) -> dict[str, Any]:
        """Remove a member, or leave; return the group."""
        return await self._transport.call("DELETE", f"/v1/groups/{path_part(group_id)}/members/{path_part(user_id)}")

    async def make_admin(self, group_id: str, user_id: str) -> dict[str, Any]:
        """Make a member an admin; return the group."""
        return await self._transport.call("PUT", f"/v1/groups/{path_part(group_id)}/admins/{path_part(user_id)}")
