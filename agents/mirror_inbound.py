"""The rows made along with a message: its conversation with the members, and a person's file's row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from cachetools import LRUCache

from domain.direct import is_direct, is_of
from domain.errors import StoreUnavailable
from domain.files import File
from domain.ports import ConversationStore, FileRecords, MirrorEntry, NewParticipant, Upload, UserStore
from domain.records import MessageAccepted
from domain.usernames import names_user, username_of

log = logging.getLogger(__name__)

REMEMBERED = 50_000  # conversations that are known to have their members
WRITES_AT_ONCE = 16
HOLDER = "mirror"
_DAY_MS = 24 * 3_600_000


class InboundMirror:
    """Writes conversations, members and files of people's messages, and the direct conversations of ours; every write
    may be repeated."""

    def __init__(self, conversations: ConversationStore, users: UserStore, files: FileRecords) -> None:
        self._conversations = conversations
        self._users = users
        self._files = files
        self._settled: LRUCache[str, tuple[str, ...]] = LRUCache(REMEMBERED)
        self._slots = asyncio.Semaphore(WRITES_AT_ONCE)

    async def write(self, entries: Sequence[MirrorEntry]) -> None:
        """Write the rows for the messages of ``entries``. Raises ``StoreUnavailable``; call it again then.

        A request that the store refuses is logged: the message itself is mirrored all the same.
        """
        inbound = [(entry.message, entry.position.accepted_at_ms) for entry in entries if _is_inbound(entry.message)]
        first: dict[str, tuple[MessageAccepted, int]] = {}
        for message, at_ms in inbound:
            if message is not None and message.members:
                first.setdefault(message.conversation_id, (message, at_ms))
        work = [self._conversation(message, at_ms) for message, at_ms in first.values()]
        work += [self._direct(message, at_ms) for message, at_ms in self._begun(entries)]
        work += [self._file(message, at_ms) for message, at_ms in inbound if message is not None and message.file_id]
        await asyncio.gather(*work)

    def _begun(self, entries: Sequence[MirrorEntry]) -> Iterable[tuple[MessageAccepted, int]]:
        """Return the first message of each direct conversation that is not known to be in the store."""
        first: dict[str, tuple[MessageAccepted, int]] = {}
        for entry in entries:
            message = entry.message
            if message is None or not is_direct(message.conversation_id):
                continue
            if message.conversation_id in first or message.conversation_id in self._settled:
                continue
            if is_of(message.conversation_id, message.sender_id, message.recipient_id):
                first[message.conversation_id] = (message, entry.position.accepted_at_ms)
        return first.values()

    async def _direct(self, message: MessageAccepted, at_ms: int) -> None:
        """Write a direct conversation whose API process ended before it did."""
        conversation_id, sides = message.conversation_id, tuple(sorted({message.sender_id, message.recipient_id}))
        async with self._slots:
            try:
                if await self._conversations.get(conversation_id) is None:
                    await self._conversations.begin_direct(conversation_id, sides, at_ms, message.sender_id)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("the direct conversation %s was not written", conversation_id)
                return
        self._settled[conversation_id] = sides

    async def _conversation(self, message: MessageAccepted, at_ms: int) -> None:
        conversation_id = message.conversation_id
        if self._settled.get(conversation_id) == message.members:
            return
        async with self._slots:
            try:
                participants = [one for named in message.members if (one := await self._participant(named))]
                if not await self._conversations.create(conversation_id, participants, at_ms):
                    known = set(await self._conversations.participants(conversation_id) or ())
                    new = [one for one in participants if one not in known]
                    if new:
                        await self._conversations.join([NewParticipant(conversation_id, one, at_ms) for one in new])
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("the conversation %s of a person's message was not written", conversation_id)
                return
        if len(participants) == len(message.members):  # else a user of the inbox may yet register
            self._settled[conversation_id] = message.members

    async def _participant(self, named: str) -> str | None:
        """Return a user's id or an address; ``None``, with a line in the log, for a username that nobody has."""
        if not names_user(named):
            return named
        user = await self._users.by_username(username_of(named))
        if user is None:
            log.warning("accounts.toml names a user as inbox whom there is not: %s", named)
            return None
        return user.user_id

    async def _file(self, message: MessageAccepted, at_ms: int) -> None:
        if message.file is None or message.file_id is None:
            return
        row = Upload(
            upload_id=message.file_id,
            conversation_id=message.conversation_id,
            uploader_id=message.sender_id,
            filename=message.file.filename,
            size_bytes=None,
            started_at_ms=at_ms,
            expires_at_ms=at_ms + _DAY_MS,
            offset_bytes=message.file.size_bytes,
            mimetype=message.file.mimetype,
            key=message.file.storage_path,
            holder=HOLDER,
            held_until_ms=at_ms + _DAY_MS,
        )
        file = File(message.file_id, message.conversation_id, message.sender_id, message.file, at_ms)
        async with self._slots:
            try:
                await self._files.begin(row)
                if not await self._files.finish(file, holder=HOLDER):
                    log.warning("the row of file %s of a person's message belongs to another upload", file.file_id)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("the row of file %s of a person's message was not written", file.file_id)


def _is_inbound(message: MessageAccepted | None) -> bool:
    return message is not None and message.is_inbound
