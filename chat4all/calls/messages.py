"""Messages, their status, and notifications."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Literal

from chat4all.answers import Accepted, Change, accepted_of, changes_of, has_reached
from chat4all.calls.base import Calls, given, path_part
from chat4all.contract import Status
from chat4all.errors import ApiUnavailable, NotChat4All, Unconfirmed
from chat4all.notifications import Notifications

LIVE_SECONDS = 300.0
POLL_SECONDS = 0.1


class MessageCalls(Calls):
    """Messages, their status, and notifications."""

    async def send(
        self,
        recipient: str | None,
        content: str = "",
        conversation_id: str | None = None,
        *,
        file_id: str | None = None,
        template: Mapping[str, Any] | None = None,
        interactive: Mapping[str, Any] | None = None,
        location: Mapping[str, Any] | None = None,
        reaction: Mapping[str, Any] | None = None,
        reply_to: str | None = None,
        account: str | None = None,
        expires_at: datetime | None = None,
        priority: Literal["normal", "bulk"] | None = None,
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Send a message and return once it is durable.

        Without a ``conversation_id`` it goes to the direct conversation with the recipient, which ``Accepted`` names.
        ``recipient`` ``None``: everyone in the conversation.

        ``file_id``: a file of this conversation; ``content`` may be empty then.
        ``template``, ``location``, ``reaction``: in place of ``content``. ``interactive``: the choices under it.
        docs/sending.md has their forms. ``reply_to``: the id of the message of this conversation that it answers.
        ``account``: which of the system's accounts on the recipient's channel sends it.
        ``expires_at``: a time with an offset, after which it is not sent any more: then it is FAILED, ``expired``.
        ``priority`` ``"bulk"``: it gives way to the other messages of its account.
        It has an idempotency key (default: a new one), so however often it has to be repeated, there is one message.
        Raises ``Unconfirmed`` if it may have been accepted although no answer says so.
        """
        body = given(
            conversation_id=conversation_id,
            recipient_id=recipient,
            content=content,
            file_id=file_id,
            template=template,
            interactive=interactive,
            location=location,
            reaction=reaction,
            reply_to=reply_to,
            account=account,
            expires_at=None if expires_at is None else expires_at.isoformat(),
            priority=priority,
        )
        key = idempotency_key or str(uuid.uuid4())
        headers = {"Idempotency-Key": key}
        try:
            answer = await self._transport.call("POST", "/v1/messages", body, headers=headers, is_repeatable=True)
        except ApiUnavailable as error:
            if not error.is_in_doubt or isinstance(error, NotChat4All):
                raise
            raise Unconfirmed(error, key) from error
        return accepted_of(answer)

    async def react(self, message_id: str, emoji: str, conversation_id: str | None = None) -> Accepted:
        """React to a message with one emoji, to everyone in its conversation; an empty one takes the reaction back.

        Without a ``conversation_id`` the message is looked up first. Raises as ``send``.
        """
        if conversation_id is None:
            conversation_id = str((await self.message(message_id))["conversation_id"])
        reaction = {"message_id": message_id, "emoji": emoji}
        return await self.send(None, conversation_id=conversation_id, reaction=reaction)

    async def message(self, message_id: str) -> dict[str, Any]:
        """Return the message as the API tells it."""
        return await self._transport.call("GET", f"/v1/messages/{path_part(message_id)}")

    def messages(
        self, conversation_id: str, *, order: Literal["asc", "desc"] = "asc", limit: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield a conversation's messages, page by page; at most ``limit``."""
        return self._pages(
            f"/v1/conversations/{path_part(conversation_id)}/messages", "messages", {"order": order}, limit
        )

    async def read(self, message_id: str, *, typing: bool = False) -> dict[str, Any]:
        """Tell that the user has read it. Raises ``Forbidden`` if it is not for them, ``Conflict`` if it failed.

        ``typing``: show the person who wrote it, for some seconds, that an answer is being written.
        """
        path = f"/v1/messages/{path_part(message_id)}/read"
        return await self._transport.call("POST", path, {"typing": True} if typing else None, is_repeatable=True)

    async def trace(self, message_id: str) -> list[dict[str, Any]]:
        """Return the recorded hops of a message."""
        return list((await self._transport.call("GET", f"/v1/messages/{path_part(message_id)}/trace"))["events"])

    async def follow(
        self, message_id: str, until: Status = Status.READ, timeout_seconds: float = 30.0
    ) -> AsyncIterator[Change]:
        """Yield each change of the message, in order, up to ``until`` or FAILED or the end of the time."""
        known: set[Status] = set()
        async for message in self.watch(message_id, timeout_seconds):
            for change in changes_of(message):
                if change.status not in known:
                    known.add(change.status)
                    yield change
            if has_reached(known, until) or Status.FAILED in known:
                return

    async def watch(self, message_id: str, timeout_seconds: float = 30.0) -> AsyncIterator[dict[str, Any]]:
        """Yield the message as it is, ten times a second, until the caller stops or the time is over."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            yield await self.message(message_id)
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(POLL_SECONDS)

    def notifications(
        self, since: str | None = None, *, patience_seconds: float = LIVE_SECONDS
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield events of the user's conversations as they happen, until the caller stops.

        Frames are those of the API: ``connected`` (each time), ``new_message``, ``status``, ``resync_required``. Each
        has a ``cursor``; with ``since`` one of them, the events after it come first. A lost connection is made again
        without a gap; ``ApiUnavailable`` is raised after ``patience_seconds`` without a connection.
        """
        return Notifications(self._transport, since, patience_seconds).frames()
