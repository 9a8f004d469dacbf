"""Fake of ``FileRecords``: one dict in place of the table."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

from domain.files import File
from domain.ports import Upload
from fakes.stores import Outage


class MemoryFileRecords(Outage):
    """``FileRecords`` over one dict, of uploads and of what they became."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Upload | File] = {}
        self._identity = str(uuid.uuid4())

    async def begin(self, upload: Upload) -> None:
        """Store a new upload."""
        self.check()
        self.rows.setdefault(upload.upload_id, _held(upload))

    async def upload(self, upload_id: str) -> Upload | None:
        """Return the upload, ``None`` if there is none or it is a file by now."""
        found = await self.find(upload_id)
        return found if isinstance(found, Upload) else None

    async def acquire_lease(self, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        """Take or renew the lease; ``None`` if it is another's, or the upload is gone or has expired."""
        found = await self.upload(upload_id)
        return self._acquire(found, holder, now_ms, until_ms, found is not None and now_ms < found.expires_at_ms)

    async def acquire_expired_lease(self, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        """Take or renew the lease of an upload that has expired."""
        found = await self.upload(upload_id)
        return self._acquire(found, holder, now_ms, until_ms, found is not None and found.expires_at_ms <= now_ms)

    def _acquire(self, found: Upload | None, holder: str, now_ms: int, until_ms: int, is_for_it: bool) -> Upload | None:
        if not holder:
            raise ValueError("a lease needs a holder")
        if found is None or not (found.holder == holder or (is_for_it and found.held_until_ms <= now_ms)):
            return None
        taken = replace(found, holder=holder, held_until_ms=until_ms)
        self.rows[found.upload_id] = taken
        return taken

    async def save(self, upload: Upload, *, holder: str) -> bool:
        """Store ``upload`` if the lease is ``holder``'s."""
        found, wanted = await self.upload(upload.upload_id), _held(upload)
        if not _has(found, holder):
            return found == wanted
        self.rows[upload.upload_id] = wanted
        return True

    async def finish(self, file: File, *, holder: str) -> bool:
        """Make the upload the file if the lease is ``holder``'s."""
        if not _has(await self.upload(file.file_id), holder):
            return self.rows.get(file.file_id) == file
        self.rows[file.file_id] = file
        return True

    async def forget(self, upload_id: str, *, holder: str) -> bool:
        """Delete the upload if the lease is ``holder``'s."""
        if not _has(await self.upload(upload_id), holder):
            return upload_id not in self.rows
        del self.rows[upload_id]
        return True

    async def delete(self, file_id: str, now_ms: int) -> File | None:
        """Mark the file as deleted."""
        found = await self.get(file_id)
        if found is not None and not found.deleted_at_ms:
            found = self.rows[file_id] = replace(found, deleted_at_ms=now_ms)
        return found

    async def get(self, file_id: str) -> File | None:
        """Return the file, ``None`` if there is none or it is not whole yet."""
        found = await self.find(file_id)
        return found if isinstance(found, File) else None

    async def find(self, file_id: str) -> Upload | File | None:
        """Return what stands under this id."""
        self.check()
        return self.rows.get(file_id)

    async def identity(self) -> str:
        """Return what tells these records from all others."""
        self.check()
        return self._identity

    async def files(self) -> AsyncIterator[File]:
        """Yield all files."""
        self.check()
        for found in tuple(self.rows.values()):
            if isinstance(found, File):
                yield found

    async def expired(self, now_ms: int) -> AsyncIterator[Upload]:
        """Yield the uploads that have expired and have no lease."""
        self.check()
        for found in tuple(self.rows.values()):
            if isinstance(found, Upload) and found.expires_at_ms <= now_ms and found.held_until_ms <= now_ms:
                yield found


def _held(upload: Upload) -> Upload:
    return upload if upload.holder else replace(upload, held_until_ms=0)


def _has(found: Upload | None, holder: str) -> bool:
    return found is not None and found.holder == holder != ""
