"""Who is named in a request and does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain.conversations import is_address
from web.problems import FieldErrors

if TYPE_CHECKING:
    from web.dependencies import Dependencies

LOOK_UPS_AT_ONCE = 16


async def require_users(deps: Dependencies, field: str, named: Sequence[str], known: str) -> None:
    """Raise ``FieldErrors`` naming every user id among ``named`` that nobody has.

    ``known`` is the caller, who need not be looked up. Addresses need not be anybody's.
    """
    turns = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    async def exists(user_id: str) -> bool:
        async with turns:
            user = await deps.users.by_id(user_id)
        if user is not None:
            deps.usernames.learn(user_id, user.username)
        return user is not None

    asked = [user_id for user_id in dict.fromkeys(named) if user_id != known and not is_address(user_id)]
    found = dict(zip(asked, await asyncio.gather(*map(exists, asked)), strict=True))
    missing = [user_id for user_id, is_there in found.items() if not is_there]
    if missing:
        raise FieldErrors([(field, _missing(user_id)) for user_id in missing])


def _missing(user_id: str) -> str:
    hint = "" if "-" in user_id else f"; user:{user_id} means the user of that name"
    return f"there is no user {user_id}{hint}"
