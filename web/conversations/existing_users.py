"""Check the existence of users named in a request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain.conversations import Conversation, is_address
from web.errors import FieldErrors

if TYPE_CHECKING:
    from domain.ports import UserStore
    from web.conversations.memberships import Memberships
    from web.conversations.opener import ConversationOpener
    from web.conversations.usernames import Usernames

LOOK_UPS_AT_ONCE = 16


class ExistingUsers:
    """Looks up the users named in a request."""

    def __init__(
        self, users: UserStore, usernames: Usernames, memberships: Memberships, conversation_opener: ConversationOpener
    ) -> None:
        self._users = users
        self._usernames = usernames
        self._memberships = memberships
        self._conversation_opener = conversation_opener

    async def require(self, field: str, named: Sequence[str], known: str) -> None:
        """Raise ``FieldErrors`` with every unknown user id among ``named``.

        ``known`` is the caller; neither the caller nor addresses are looked up.
        """
        slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

        async def exists(user_id: str) -> bool:
            async with slots:
                user = await self._users.by_id(user_id)
            if user is not None:
                self._usernames.learn(user_id, user.username)
            return user is not None

        asked = [user_id for user_id in dict.fromkeys(named) if user_id != known and not is_address(user_id)]
        found = dict(zip(asked, await asyncio.gather(*map(exists, asked)), strict=True))
        missing = [user_id for user_id, is_there in found.items() if not is_there]
        if missing:
            raise FieldErrors([(field, _missing(user_id)) for user_id in missing])

    async def find_or_create_direct(self, recipient_id: str, caller_id: str) -> tuple[Conversation, bool]:
        """Return the caller's direct conversation with an address or a user, and whether this call created it.

        Raises ``FieldErrors`` if the user does not exist, ``StoreUnavailable``.
        """
        (other,) = await self._usernames.resolved("recipient_id", [recipient_id])
        await self.require("recipient_id", [other], caller_id)
        return await self._conversation_opener.find_or_create_direct(caller_id, other)

    async def join_for_upload(self, conversation_id: str, recipient_id: str, caller_id: str) -> str:
        """Check or create the conversation of a file for the caller; return its id.

        With a ``recipient_id`` it is the direct one. Raises ``NotAllowed``, and as ``find_or_create_direct``.
        """
        if recipient_id:
            return (await self.find_or_create_direct(recipient_id, caller_id))[0].conversation_id
        await self._memberships.join_or_create(conversation_id, caller_id)
        return conversation_id


def _missing(user_id: str) -> str:
    hint = "" if "-" in user_id else f"; user:{user_id} means the user of that name"
    return f"there is no user {user_id}{hint}"
