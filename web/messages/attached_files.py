"""Attach files to messages. A file must be complete and belong to the message's conversation."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.direct import is_direct
from domain.errors import NotAllowed, NotFound
from domain.files import File
from domain.records import MessageAccepted
from web.circuit import CircuitBreaker
from web.conversations.memberships import Memberships
from web.errors import FieldErrors
from web.files.registry import DELETED

if TYPE_CHECKING:
    from web.files.registry import KnownFiles

LOOK_UPS_AT_ONCE = 32
# one text for all cases: it must not reveal files of other conversations
NO_SUCH_FILE = "the conversation has no such file; upload it there completely, or copy it there"


class AttachedFiles:
    """Adds a file's metadata to the message with its id.

    A file is looked up once. A circuit breaker guards the store: a batch of messages with files must not wait for one
    time-out after the other.
    """

    def __init__(self, files: KnownFiles, memberships: Memberships) -> None:
        self._files = files
        self._memberships = memberships
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._circuit = CircuitBreaker()

    async def attach(self, message: MessageAccepted) -> MessageAccepted:
        """Return the message with its file's metadata. No conversation is created.

        Raises ``FieldErrors`` about ``file_id``, ``NotAllowed`` for a sender outside the conversation, and
        ``StoreUnavailable`` if the membership or the file is not cached and the store cannot be read.
        """
        if message.file_id is None:
            return message
        await require_inside(self._memberships, message, FieldErrors([("file_id", NO_SUCH_FILE)]))
        file = self._files.remembered(message.file_id) or await self._look_up(message.file_id)
        if file is None or file.conversation_id != message.conversation_id:
            raise FieldErrors([("file_id", NO_SUCH_FILE)])
        if file.deleted_at_ms:
            raise FieldErrors([("file_id", DELETED)])
        return replace(message, file=file.metadata)

    async def _look_up(self, file_id: str) -> File | None:
        async with self._look_up_slots:
            return await self._circuit.call(lambda: self._files.get(file_id))


async def require_inside(memberships: Memberships, message: MessageAccepted, otherwise: FieldErrors) -> None:
    """Raise ``otherwise`` if the message's conversation does not exist, ``NotAllowed`` for a sender outside of it."""
    try:
        await memberships.check(message.conversation_id, message.sender_id)
    except NotFound:
        raise otherwise from None
    except NotAllowed:
        # do not reveal whether a direct conversation exists; the sender's own may not exist yet
        if is_direct(message.conversation_id):
            raise otherwise from None
        raise
