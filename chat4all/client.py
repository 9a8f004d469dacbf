"""One method for each thing that a user can do. What comes back is the API's own document unless it says otherwise."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self
from urllib.parse import quote

from chat4all import files
from chat4all.answers import Accepted, Change, accepted_of, changes_of, has_reached
from chat4all.contract import Status
from chat4all.errors import NotChat4All, NotLoggedIn, Refused, Unconfirmed, Unreachable
from chat4all.notifications import Notifications
from chat4all.tokens import Keeper, MemoryKeeper, Tokens, tokens_of
from chat4all.transfers import OnProgress, quietly
from chat4all.transport import Transport
from chat4all.uploads import UploadMemory

REQUEST_SECONDS = 10.0
RETRY_SECONDS = 15.0
LIVE_SECONDS = 300.0
POLL_SECONDS = 0.1
PAGE = 100


class Client:
    """One connection pool to one API, for one user. Each request takes at most ``request_seconds``.

    ``retry_seconds``: how long to repeat what is safe to repeat, all attempts together; 0: not at all.
    ``keeper``: where the session's tokens are kept; default: in memory, beginning with ``token``.
    Every method raises ``Unreachable`` or ``Refused`` (``chat4all/errors.py``).
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        request_seconds: float = REQUEST_SECONDS,
        *,
        retry_seconds: float = RETRY_SECONDS,
        keeper: Keeper | None = None,
    ) -> None:
        self._transport = Transport(url, keeper or MemoryKeeper(Tokens(token)), request_seconds, retry_seconds)
        self.url = self._transport.url

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def token(self) -> str:
        """The access token that requests carry; empty: none."""
        return self._transport.tokens.access_token

    @property
    def user_id(self) -> str:
        """Who logged in, as far as this client knows."""
        return self._transport.tokens.user_id

    async def keep_in(self, keeper: Keeper) -> None:
        """Keep the session there from now on."""
        async with keeper.lock():
            keeper.save(self._transport.tokens)
        self._transport.keeper = keeper

    # accounts and sessions

    async def register(self, username: str, password: str, email: str | None = None) -> str:
        """Make an account and return its user id. Raises ``Conflict`` if the name is taken."""
        body = {"username": username, "password": password, **({"email": email} if email else {})}
        made = await self._transport.call("POST", "/auth/register", body, with_token=False)
        return str(made["user_id"])

    async def login(self, username: str, password: str) -> None:
        """Begin a session, whose tokens later requests carry. Raises ``NotLoggedIn`` if name or password is wrong."""
        body = {"username": username, "password": password}
        answer = await self._transport.call("POST", "/auth/login", body, is_repeatable=True, with_token=False)
        async with self._transport.keeper.lock():
            self._transport.keep(tokens_of(answer))

    async def refresh(self) -> None:
        """Get new tokens for the session; happens by itself when the old one is refused. Raises ``NotLoggedIn``."""
        if not await self._transport.refresh(self.token):
            raise NotLoggedIn(401, "the session cannot be continued; log in again")

    async def logout(self) -> None:
        """End the session, and forget its tokens."""
        await self._transport.call("POST", "/auth/logout", is_repeatable=True)
        async with self._transport.keeper.lock():
            self._transport.keep(Tokens())

    async def me(self) -> dict[str, Any]:
        """Return ``user_id``, ``username``, ``email`` and ``created_at``."""
        return await self._transport.call("GET", "/v1/users/me")

    async def identities(self) -> list[dict[str, Any]]:
        """Return the addresses that are linked with the account."""
        return list((await self._transport.call("GET", "/v1/users/identities"))["identities"])

    async def link_identity(self, platform: str, value: str) -> dict[str, Any]:
        """Link an address, such as ``whatsapp`` and ``+5511999999999``. Raises ``Conflict`` if it is another user's."""
        body = {"platform": platform, "value": value}
        return await self._transport.call("POST", "/v1/users/identities", body, is_repeatable=True)

    async def unlink_identity(self, platform: str, value: str) -> dict[str, Any]:
        """Unlink an address. Raises ``NotFound``."""
        return await self._transport.call("DELETE", f"/v1/users/identities/{_part(platform)}/{_part(value)}")

    # conversations and groups

    async def create_conversation(
        self, participants: Sequence[str], conversation_id: str | None = None, name: str | None = None
    ) -> dict[str, Any]:
        """Begin a conversation with users (``user:<username>``, or ids) and addresses.

        Repeated only if it has an id.
        """
        body = _given(participants=list(participants), conversation_id=conversation_id, name=name)
        is_repeatable = conversation_id is not None
        return await self._transport.call("POST", "/v1/conversations", body, is_repeatable=is_repeatable)

    async def direct_conversation(self, recipient: str) -> dict[str, Any]:
        """Return the direct conversation with an address, a user (``user:<username>``) or a user's id. It is begun if
        it is not there."""
        body = {"recipient_id": recipient}
        return await self._transport.call("POST", "/v1/conversations", body, is_repeatable=True)

    def conversations(self, limit: int | None = None) -> AsyncIterator[dict[str, Any]]:
        """Yield the user's conversations, what happened last first; at most ``limit``."""
        return self._pages("/v1/conversations", "conversations", {}, limit)

    async def conversation(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation."""
        return await self._transport.call("GET", f"/v1/conversations/{_part(conversation_id)}")

    async def create_group(
        self, name: str, members: Sequence[str] = (), description: str | None = None
    ) -> dict[str, Any]:
        """Make a group, whose first admin one is. Not repeated: it may have been made although no answer came."""
        body = _given(name=name, description=description, initial_members=list(members))
        return await self._transport.call("POST", "/v1/groups", body)

    async def group(self, group_id: str) -> dict[str, Any]:
        """Return a group with its members and admins."""
        return await self._transport.call("GET", f"/v1/groups/{_part(group_id)}")

    async def add_member(self, group_id: str, user_id: str) -> dict[str, Any]:
        """Add a member; return the group. Raises ``Forbidden`` unless an admin, ``Conflict`` for one who is in it."""
        return await self._transport.call("POST", f"/v1/groups/{_part(group_id)}/members", {"user_id": user_id})

    async def remove_member(self, group_id: str, user_id: str) -> dict[str, Any]:
        """Remove a member, or leave; return the group."""
        return await self._transport.call("DELETE", f"/v1/groups/{_part(group_id)}/members/{_part(user_id)}")

    async def make_admin(self, group_id: str, user_id: str) -> dict[str, Any]:
        """Make a member an admin; return the group."""
        return await self._transport.call("PUT", f"/v1/groups/{_part(group_id)}/admins/{_part(user_id)}")

    # messages

    async def send(
        self,
        recipient: str | None,
        content: str,
        conversation_id: str | None = None,
        *,
        file_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Send a message and return once it is durable.

        Without a ``conversation_id`` it goes to the direct conversation with the recipient, which ``Accepted`` names.
        ``recipient`` ``None``: everyone in the conversation.

        ``file_id``: a file of this conversation; ``content`` may be empty then.
        It has an idempotency key (default: a new one), so however often it has to be repeated, there is one message.
        Raises ``Unconfirmed`` if it may have been accepted although no answer says so.
        """
        body = _given(conversation_id=conversation_id, recipient_id=recipient, content=content, file_id=file_id)
        key = idempotency_key or str(uuid.uuid4())
        headers = {"Idempotency-Key": key}
        try:
            answer = await self._transport.call("POST", "/v1/messages", body, headers=headers, is_repeatable=True)
        except Unreachable as error:
            if not error.is_in_doubt or isinstance(error, NotChat4All):
                raise
            raise Unconfirmed(error, key) from error
        return accepted_of(answer)

    async def message(self, message_id: str) -> dict[str, Any]:
        """Return the message as the API tells it."""
        return await self._transport.call("GET", f"/v1/messages/{_part(message_id)}")

    def messages(
        self, conversation_id: str, *, order: Literal["asc", "desc"] = "asc", limit: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield a conversation's messages, page by page; at most ``limit``."""
        return self._pages(f"/v1/conversations/{_part(conversation_id)}/messages", "messages", {"order": order}, limit)

    async def read(self, message_id: str) -> dict[str, Any]:
        """Tell that the user has read it. Raises ``Forbidden`` if it is not for them, ``Conflict`` if it failed."""
        return await self._transport.call("POST", f"/v1/messages/{_part(message_id)}/read", is_repeatable=True)

    async def trace(self, message_id: str) -> list[dict[str, Any]]:
        """Return what is on record of a message's way."""
        return list((await self._transport.call("GET", f"/v1/messages/{_part(message_id)}/trace"))["events"])

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
        """Yield what happens in the user's conversations, as it happens, until the caller stops.

        Frames are those of the API: ``connected`` (each time), ``new_message``, ``status``, ``resync_required``. Each
        has a ``cursor``; ``since`` one of them, what came after it is told first. A connection that is lost is made
        again without a gap; ``Unreachable`` is raised when there was none for ``patience_seconds``.
        """
        return Notifications(self._transport, since, patience_seconds).frames()

    # files

    async def upload_file(
        self,
        path: Path,
        conversation_id: str,
        *,
        on_progress: OnProgress = quietly,
        memory: UploadMemory | None = None,
        patience_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Upload a file into a conversation; return it as the API tells it, whole and with the right checksum.

        What breaks it off (the API is away, the token expires) is outlived as long as it gets further within
        ``patience_seconds``, by default ``retry_seconds``. With a ``memory`` another call, also of another process,
        goes on where one ended that did not get so far. Raises ``LocalFault`` and ``Damaged``, too.
        """
        seconds = self._transport.retry_seconds if patience_seconds is None else patience_seconds
        return await files.upload(self._transport, path, conversation_id, memory, on_progress, seconds)

    async def file(self, file_id: str) -> dict[str, Any]:
        """Return what is known of a file. Raises ``NotFound`` also for one of somebody else's conversation."""
        return await self._transport.call("GET", f"/v1/files/{_part(file_id)}")

    async def delete_file(self, file_id: str) -> None:
        """Delete a file; nothing wrong if it was deleted before. Raises ``NotFound``, ``NotAllowed``."""
        await self._transport.call("DELETE", f"/v1/files/{_part(file_id)}")

    async def copy_file(self, file_id: str, conversation_id: str) -> dict[str, Any]:
        """Copy a file into another conversation, without its bytes passing through here; return the copy.

        Repeated after an answer that was lost, it makes another copy. Raises ``NotFound``, ``NotAllowed``.
        """
        body = {"conversation_id": conversation_id}
        return await self._transport.call("POST", f"/v1/files/{_part(file_id)}/copy", body)

    async def download_file(
        self,
        file_id: str,
        target: Path | BinaryIO,
        *,
        overwrite: bool = False,
        on_progress: OnProgress = quietly,
        patience_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Fetch a file and return what is known of it.

        ``target`` is there whole, with the right checksum, or not at all: until then there is `<target>.part`, with
        which the next call goes on. Bytes for a stream are checked when they are out. Raises ``TargetExists``,
        ``LocalFault`` and ``Damaged``, too.
        """
        seconds = self._transport.retry_seconds if patience_seconds is None else patience_seconds
        file = await self.file(file_id)
        await files.download(self._transport, file, target, overwrite, on_progress, seconds)
        return file

    async def is_ready(self) -> bool:
        """Return whether the API and what it depends on answer."""
        try:
            await self._transport.call("GET", "/health/ready", with_token=False, retry_seconds=0)
        except (Unreachable, Refused):
            return False
        return True

    async def _pages(
        self, path: str, field: str, params: Mapping[str, Any], limit: int | None
    ) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            asked = {**params, "limit": size, **({"cursor": cursor} if cursor else {})}
            page = await self._transport.call("GET", path, params=asked)
            for item in page[field]:
                yield item
            cursor = page["pagination"]["next_cursor"]
            if cursor is None:
                return
            left = None if left is None else left - len(page[field])


def _part(text: str) -> str:
    """One part of a path."""
    return quote(text, safe="")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
