"""Which files there are, for whom, and where they can be had."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from domain.errors import NotAllowed, NotFound
from domain.files import File
from web.answers import iso_utc
from web.documents import Names, file_metadata_document, party_document
from web.lru import BoundedCache

if TYPE_CHECKING:
    from domain.ports import FileRecords
    from web.access import Memberships

REMEMBERED = 20_000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NO_SUCH_FILE = "there is no such file"


class KnownFiles:
    """Files are never changed nor deleted, so whoever was found once is remembered."""

    def __init__(self, records: FileRecords, memberships: Memberships, limit: int = REMEMBERED) -> None:
        self._records = records
        self._memberships = memberships
        self._known: BoundedCache[str, File] = BoundedCache(limit)

    async def get(self, file_id: str) -> File | None:
        """Return the file; ``None`` if there is none, or it is not whole yet. Raises ``StoreUnavailable``."""
        file_id = file_id.lower()
        if not _UUID.fullmatch(file_id):
            return None
        found = self._known.get(file_id)
        if found is None:
            found = await self._records.get(file_id)
            if found is not None:
                self._known.put(file_id, found)
        return found

    def remembered(self, file_id: str) -> File | None:
        """Return the file if it need not be asked for."""
        return self._known.get(file_id)

    def add(self, file: File) -> None:
        """It has just come to be."""
        self._known.put(file.file_id, file)

    async def visible(self, file_id: str, user_id: str) -> File:
        """Return the file. Raises ``NotFound`` also if it is there and the user takes no part in its conversation."""
        found = await self.get(file_id)
        if found is None:
            raise NotFound(_NO_SUCH_FILE)
        try:
            await self._memberships.check(found.conversation_id, user_id)
        except (NotAllowed, NotFound):
            raise NotFound(_NO_SUCH_FILE) from None
        return found


def file_document(file: File, names: Names) -> dict[str, Any]:
    """Return what the API tells of a file."""
    return {
        "file_id": file.file_id,
        "conversation_id": file.conversation_id,
        "uploader_id": file.uploader_id,
        "uploader": party_document(file.uploader_id, names),
        **file_metadata_document(file.metadata),
        "storage_path": file.metadata.storage_path,
        "uploaded_at": iso_utc(file.uploaded_at_ms),
    }
