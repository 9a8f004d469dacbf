"""Files: upload, download, copy, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from chat4all.calls.base import Calls, path_part
from chat4all.downloads import Downloading
from chat4all.part_file import part_file, stream
from chat4all.source import opened
from chat4all.transfers import OnProgress, quietly
from chat4all.uploads import Uploading, UploadStore


class FileCalls(Calls):
    """Files: upload, download, copy, delete."""

    async def upload_file(
        self,
        path: Path,
        conversation_id: str,
        *,
        on_progress: OnProgress = quietly,
        upload_store: UploadStore | None = None,
        patience_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Upload a file into a conversation; return it as the API tells it, whole and with the right checksum.

        After an interruption (the API is away, the token expires) it goes on, as long as it gets further within
        ``patience_seconds``, by default ``retry_seconds``. With an ``upload_store`` a later call, also of another
        process, continues an unfinished upload. Raises ``LocalFault`` and ``Damaged``, too.
        """
        seconds = self._transport.retry_seconds if patience_seconds is None else patience_seconds
        async with opened(path) as source:
            return await Uploading(self._transport, source, conversation_id, upload_store, on_progress, seconds).run()

    async def file(self, file_id: str) -> dict[str, Any]:
        """Return a file's metadata. Raises ``NotFound``, also for a file of a conversation of others."""
        return await self._transport.call("GET", f"/v1/files/{path_part(file_id)}")

    async def delete_file(self, file_id: str) -> None:
        """Delete a file; nothing wrong if it was deleted before. Raises ``NotFound``, ``NotAllowed``."""
        await self._transport.call("DELETE", f"/v1/files/{path_part(file_id)}")

    async def copy_file(self, file_id: str, conversation_id: str) -> dict[str, Any]:
        """Copy a file into another conversation, without its bytes passing through here; return the copy.

        A repetition after a lost response makes another copy. Raises ``NotFound``, ``NotAllowed``.
        """
        body = {"conversation_id": conversation_id}
        return await self._transport.call("POST", f"/v1/files/{path_part(file_id)}/copy", body)

    async def download_file(
        self,
        file_id: str,
        target: Path | BinaryIO,
        *,
        overwrite: bool = False,
        on_progress: OnProgress = quietly,
        patience_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Fetch a file and return its metadata.

        ``target`` is there whole, with the right checksum, or not at all: until then there is `<target>.part`, with
        which the next call goes on. Bytes for a stream are checked when they are out. Raises ``TargetExists``,
        ``LocalFault`` and ``Damaged``, too.
        """
        seconds = self._transport.retry_seconds if patience_seconds is None else patience_seconds
        file = await self.file(file_id)
        if isinstance(target, Path):
            opening = part_file(target, int(file["size_bytes"]), overwrite=overwrite, on_progress=on_progress)
        else:
            opening = stream(target)
        async with opening as sink:
            await Downloading(self._transport, file, sink, on_progress, seconds).run()
        return file
