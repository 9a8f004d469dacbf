"""Groups: conversations with members chosen by admins."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from domain.addresses import normal_address
from domain.conversations import (
    MAX_MEMBERS,
    Conversation,
    Member,
    require_admin,
    with_admin,
    with_member,
    without_member,
)
from domain.direct import is_direct
from domain.errors import NotAllowed, NotFound, Unavailable
from domain.ids import uuid7
from web.errors import FieldErrors

if TYPE_CHECKING:
    from domain.ports import ConversationStore
    from web.conversations.existing_users import ExistingUsers
    from web.conversations.memberships import Memberships
    from web.conversations.participants import Participants
    from web.conversations.usernames import Usernames

# Each attempt is a read and a lightweight transaction; one of several concurrent changes always succeeds.
CHANGE_ATTEMPTS = 10
_PAUSE_SECONDS = 0.05


class Groups:
    """Creates and changes groups. ``participants`` and ``memberships`` forget a group after each change."""

    def __init__(
        self,
        *,
        store: ConversationStore,
        usernames: Usernames,
        existing_users: ExistingUsers,
        participants: Participants,
        memberships: Memberships,
        clock_ms: Callable[[], int],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._usernames = usernames
        self._existing_users = existing_users
        self._participants = participants
        self._memberships = memberships
        self._clock_ms = clock_ms
        self._randomness = randomness

    async def create(
        self, creator_id: str, initial_members: Sequence[str], *, name: str, description: str | None
    ) -> Conversation:
        """Create a group; the creator is the first admin. Raises ``FieldErrors`` for unknown or too many members."""
        named = await self._usernames.resolved("initial_members", initial_members)
        members = sorted({creator_id, *named})
        if len(members) > MAX_MEMBERS:
            raise FieldErrors([("initial_members", f"a group has at most {MAX_MEMBERS} members, including you")])
        await self._existing_users.require("initial_members", named, creator_id)
        now_ms = self._clock_ms()
        group_id = uuid7(now_ms, self._randomness(10))
        await self._store.create(
            group_id, members, now_ms, created_by=creator_id, name=name, description=description, is_group=True
        )
        return Conversation(
            group_id,
            now_ms,
            tuple(Member(one, now_ms, one == creator_id) for one in members),
            creator_id,
            name,
            description,
            is_group=True,
        )

    async def find(self, group_id: str, user_id: str) -> Conversation:
        """Return a group of the user. Raises ``NotFound``; ``NotAllowed`` for a user outside."""
        group = await self._store.get(group_id)
        if group is None or is_direct(group_id):
            raise NotFound("there is no such group")
        if group.member(user_id) is None:
            raise NotAllowed("you are not a participant of this conversation")
        if not group.is_group:
            raise NotFound("this conversation is no group")
        return group

    async def add_member(self, group_id: str, admin_id: str, named: str) -> Conversation:
        """Add a user or an address; return the changed group.

        Raises as ``find``; ``NotAllowed`` unless ``admin_id`` is an admin, ``FieldErrors`` for an unknown user,
        ``Conflict`` for a member, and for a full group.
        """
        # a caller without the right to add members does not learn whether a user exists
        before = await self.find(group_id, admin_id)
        require_admin(before, admin_id)
        (user_id,) = await self._usernames.resolved("user_id", [named])
        with_member(before, admin_id, user_id, 0)
        await self._existing_users.require("user_id", [user_id], admin_id)
        now_ms = self._clock_ms()
        return await self._change(group_id, admin_id, lambda group: with_member(group, admin_id, user_id, now_ms))

    async def remove_member(self, group_id: str, actor_id: str, member: str) -> Conversation:
        """Remove a member, by an admin or by the member; return the changed group. Raises as ``find``; ``NotAllowed``
        for another actor; ``NotFound`` if there is no such member; ``Conflict`` for the last admin.
        """
        return await self._change(
            group_id, actor_id, lambda group: without_member(group, actor_id, _on_record(member, group))
        )

    async def make_admin(self, group_id: str, admin_id: str, member: str) -> Conversation:
        """Make a member an admin; the same again changes nothing. Raises as ``find``; ``NotAllowed`` unless
        ``admin_id`` is an admin; ``NotFound`` if there is no such member.
        """
        return await self._change(
            group_id, admin_id, lambda group: with_admin(group, admin_id, _on_record(member, group))
        )

    async def _change(
        self, group_id: str, user_id: str, decide: Callable[[Conversation], Conversation]
    ) -> Conversation:
        """Store the group as ``decide`` returns it; decide again if another change came first."""
        for _ in range(CHANGE_ATTEMPTS):
            before = await self.find(group_id, user_id)
            after = decide(before)
            try:
                if after is before or await self._store.change(before, after):
                    return after
            finally:  # even without an answer from the store it may have been changed
                self._participants.forget(group_id)
                for gone in set(before.participants) - set(after.participants):
                    self._memberships.forget(group_id, gone)
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS))
        raise Unavailable("concurrent changes of this group; retry", 1)


def _on_record(named: str, group: Conversation) -> str:
    """Return the member ``named`` as the group has it: an older release may have written another form of an address."""
    if group.member(named) is not None:
        return named
    return next((member for member in group.participants if normal_address(member) == named), named)


GROUPS = web.AppKey("groups", Groups)
