"""Dead letters, the accounts of channels and users, for users with the role admin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chat4all.calls.base import Calls, given, path_part

_LETTERS = "/v1/admin/dead-letters"
_CHANNELS = "/v1/admin/channels"
_USERS = "/v1/admin/users"


class AdminCalls(Calls):
    """Dead letters, the accounts of channels, and users. Every method raises ``Forbidden`` without the role admin.

    Filters of letters: ``reason``, ``topic``, ``conversation_id``, ``since`` and ``until`` (ISO-8601 with a zone).
    """

    def dead_letters(
        self, *, state: str | None = None, limit: int | None = None, **filters: str | None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield dead letters, the oldest first; at most ``limit``. ``state``: open, redriven or discarded."""
        return self._pages(_LETTERS, "dead_letters", given(state=state, **filters), limit)

    async def dead_letter(self, letter_id: str) -> dict[str, Any]:
        """Return a dead letter with the original record. Raises ``NotFound``."""
        return await self._transport.call("GET", f"{_LETTERS}/{path_part(letter_id)}")

    async def redrive_dead_letter(
        self, letter_id: str, *, note: str = "", again: bool = False, may_repeat: bool = False
    ) -> dict[str, Any]:
        """Send a letter's record again; return the letter. One with a resolution stays as it is, unless ``again``.

        ``may_repeat``: also if the channel may have the message. Raises ``NotFound``, ``Conflict``. Repeated unless
        ``again``: the API does it once.
        """
        body = {"note": note, "again": again, "may_repeat": may_repeat}
        path = f"{_LETTERS}/{path_part(letter_id)}/redrive"
        return await self._transport.call("POST", path, body, is_repeatable=not again)

    async def discard_dead_letter(self, letter_id: str, *, note: str = "", again: bool = False) -> dict[str, Any]:
        """Put on record that a letter needs nothing more; return the letter. As ``redrive_dead_letter``."""
        path = f"{_LETTERS}/{path_part(letter_id)}/discard"
        return await self._transport.call("POST", path, {"note": note, "again": again}, is_repeatable=not again)

    async def resolve_dead_letters(
        self, verb: str, *, dry_run: bool = False, again: bool = False, **body: object
    ) -> AsyncIterator[dict[str, Any]]:
        """Redrive or discard (``verb``) the letters that a filter wants; yield the result of each part of the set.

        ``body``: filters, ``all``, ``note`` and, to redrive, ``may_repeat``. With ``dry_run`` nothing is written.
        """
        cursor: str | None = None
        while True:
            asked = {**given(cursor=cursor, **body), "dry_run": dry_run, "again": again}
            path = f"{_LETTERS}/{path_part(verb)}"
            part = await self._transport.call("POST", path, asked, is_repeatable=dry_run or not again)
            yield part
            cursor = part["next_cursor"]
            if cursor is None:
                return

    async def channels(self) -> dict[str, Any]:
        """Return the accounts of all channels as the workers report them, and ``as_of``."""
        return await self._transport.call("GET", _CHANNELS)

    async def flow(self, *, since: int | None = None) -> dict[str, Any]:
        """Return what flows: counts by second after ``since`` (epoch seconds), delays, lag, the ledger."""
        return await self._transport.call("GET", "/v1/admin/flow", params=given(since=since))

    async def pause_account(self, channel: str, account: str, *, note: str = "") -> dict[str, Any]:
        """Let the deliveries of an account wait. Raises ``NotFound``."""
        return await self._command(channel, account, "pause", note)

    async def resume_account(self, channel: str, account: str, *, note: str = "") -> dict[str, Any]:
        """Let a paused account go on. Raises ``NotFound``."""
        return await self._command(channel, account, "resume", note)

    async def _command(self, channel: str, account: str, verb: str, note: str) -> dict[str, Any]:
        path = f"{_CHANNELS}/{path_part(channel)}/{path_part(account)}/{verb}"
        return await self._transport.call("POST", path, {"note": note}, is_repeatable=True)

    async def user(self, user: str) -> dict[str, Any]:
        """Return a user, by id or name, with roles and identities. Raises ``NotFound``."""
        return await self._transport.call("GET", f"{_USERS}/{path_part(user)}")
