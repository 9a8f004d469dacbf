"""Files that are whole: show, delete, link to their bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from domain.conversations import require_admin
from domain.errors import NotAllowed, NotFound
from domain.files import File
from domain.signed_links import LinkState, validate
from web.errors import Gone
from web.files.downloads import send_file
from web.files.registry import DELETED

if TYPE_CHECKING:
    from domain.ports import ConversationStore, FileRecords, FileStore
    from web.files.downloads import Downloads
    from web.files.registry import KnownFiles


class Files:
    """The files of conversations. ``link_keys``: the keys of valid links; ``link_seconds``: how long they work."""

    def __init__(
        self,
        *,
        records: FileRecords,
        store: FileStore,
        known_files: KnownFiles,
        downloads: Downloads,
        conversations: ConversationStore,
        link_keys: Sequence[bytes],
        link_seconds: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._records = records
        self._store = store
        self._known_files = known_files
        self._downloads = downloads
        self._conversations = conversations
        self._link_keys = link_keys
        self._link_seconds = link_seconds
        self._clock_ms = clock_ms

    async def visible(self, file_id: str, user_id: str) -> File:
        """Return a file for a participant of its conversation. Raises ``NotFound``, and ``Gone`` if it was deleted."""
        return await self._known_files.visible(file_id, user_id)

    async def delete(self, file_id: str, user_id: str) -> None:
        """Delete the file's bytes; they may have been deleted before.

        Raises ``NotFound``, and ``NotAllowed`` unless the user is its uploader or an admin of its group.
        """
        file = await self._known_files.get(file_id)
        if file is None or file.uploader_id != user_id:
            file = await self._to_administer(file_id, user_id)
        deleted = await self._records.delete(file.file_id, self._clock_ms())
        if deleted is None:
            raise NotFound("there is no such file")
        self._known_files.add(deleted)
        await self._store.discard(deleted.metadata.storage_path)

    async def _to_administer(self, file_id: str, user_id: str) -> File:
        """Return another user's file, deletable by an admin of its group. Raises ``NotAllowed``, ``NotFound``."""
        file = await self._known_files.seen(file_id, user_id)
        conversation = await self._conversations.get(file.conversation_id)
        if conversation is None or not conversation.is_group:
            raise NotAllowed("only the uploader may delete a file")
        require_admin(conversation, user_id)
        return file

    def link(self, file: File) -> tuple[str, int]:
        """Return a temporary link to the file's bytes (a path of this API or a URL of the store), and its expiry in
        epoch milliseconds.
        """
        now_ms = self._clock_ms()
        link = self._store.link(file, self._link_seconds, now_ms)
        return link, (now_ms // 1000 + self._link_seconds) * 1000  # links count whole seconds

    async def linked(self, file_id: str, expires: str, signature: str) -> File:
        """Return the file of a link to this API. Raises ``NotAllowed`` unless the link is valid, and ``Gone``."""
        state = validate(self._link_keys, file_id, expires, signature, self._clock_ms())
        if state is LinkState.EXPIRED:
            raise NotAllowed("the link has expired; request a new one")
        file = await self._known_files.get(file_id) if state is LinkState.GOOD else None
        if file is None:
            raise NotAllowed("the link is not valid")
        if file.deleted_at_ms:
            raise Gone(DELETED)
        return file

    async def send(self, request: web.Request, file: File) -> web.StreamResponse:
        """Answer ``request`` with the file's bytes, or the range of them that it asks for."""
        return await send_file(request, self._downloads, file)


FILES = web.AppKey("files", Files)
