"""Registry of files: look them up, check access, describe them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from domain.errors import NotAllowed, NotFound, StoreUnavailable
from domain.files import File
from domain.ids import is_uuid
from web.contract.kind_bodies import Names, party_document
from web.contract.response_bodies import file_metadata_document
from web.errors import Gone
from web.http.responses import iso_utc

if TYPE_CHECKING:
    from domain.ports import FileRecords
    from web.conversations.memberships import Memberships

REMEMBERED = 20_000
SECONDS = 30.0
DELETED = "the file was deleted"
_NO_SUCH_FILE = "there is no such file"


class KnownFiles:
    """Caches files for ``SECONDS``. Files never change, but another process may delete one."""

    def __init__(
        self, records: FileRecords, memberships: Memberships, monotonic: Callable[[], float], limit: int = REMEMBERED
    ) -> None:
        self._records = records
        self._memberships = memberships
        self._monotonic = monotonic
        # until when (on the monotonic clock) it holds
        self._known: LRUCache[str, tuple[File, float]] = LRUCache(limit)
        self._announced: LRUCache[str, File] = LRUCache(limit)

    async def get(self, file_id: str) -> File | None:
        """Return the file, also a deleted one; ``None`` if there is none, or it is incomplete.

        An older cached file is used if the store cannot be read. Raises ``StoreUnavailable``.
        """
        file_id = file_id.lower()
        if not is_uuid(file_id):
            return None
        if (remembered := self.remembered(file_id)) is not None:
            return remembered
        try:
            found = await self._records.get(file_id)
        except StoreUnavailable:
            if (stale := self._known.get(file_id)) is not None:
                return stale[0]
            if file_id not in self._announced:
                raise
            found = None
        if found is None:
            return self._announced.get(file_id)
        self.add(found)
        return found

    def announce(self, file: File) -> None:
        """Note the file of a person's message: the mirror stores its row some time later."""
        self._announced[file.file_id] = file

    def remembered(self, file_id: str) -> File | None:
        """Return the file if it is cached and fresh."""
        known = self._known.get(file_id)
        return known[0] if known is not None and (known[0].deleted_at_ms or known[1] > self._monotonic()) else None

    def add(self, file: File) -> None:
        """Cache a new file, or a new version of it after its deletion."""
        self._known[file.file_id] = (file, self._monotonic() + SECONDS)

    def forget(self, file_id: str) -> None:
        """Drop the cached file; the next call reads it from the store."""
        self._known.pop(file_id.lower(), None)

    async def visible(self, file_id: str, user_id: str) -> File:
        """Return the file. Raises as ``seen``, and ``Gone`` if it was deleted."""
        found = await self.seen(file_id, user_id)
        if found.deleted_at_ms:
            raise Gone(DELETED)
        return found

    async def seen(self, file_id: str, user_id: str) -> File:
        """Return the file, also a deleted one. Raises ``NotFound`` also if the user takes no part in its
        conversation."""
        found = await self.get(file_id)
        if found is None:
            raise NotFound(_NO_SUCH_FILE)
        try:
            await self._memberships.check(found.conversation_id, user_id)
        except (NotAllowed, NotFound):
            raise NotFound(_NO_SUCH_FILE) from None
        return found


def file_document(file: File, names: Names) -> dict[str, Any]:
    """Return the JSON document of a file."""
    return {
        "file_id": file.file_id,
        "conversation_id": file.conversation_id,
        "uploader_id": file.uploader_id,
        "uploader": party_document(file.uploader_id, names),
        **file_metadata_document(file.metadata),
        "storage_path": file.metadata.storage_path,
        "uploaded_at": iso_utc(file.uploaded_at_ms),
    }
