"""Append a request's bytes to a leased upload. Bytes of a resumable upload received before a failure are kept."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from app.fault_points import reach
from domain.errors import Chat4AllError, NotFound, Unavailable
from domain.files import incomplete_part_key
from domain.ports import Part, Upload
from web.errors import BodyTooLarge, WrongOffset
from web.uploads.hashing import RequestDigest
from web.uploads.lease import Lease
from web.uploads.part_writer import Hash, PartWriter
from web.uploads.sniffing import HEAD_BYTES, UNKNOWN, sniffed_type

if TYPE_CHECKING:
    from web.uploads.context import UploadContext

log = logging.getLogger(__name__)


class LeasedUpload:
    """An upload leased by this request. It takes bytes, and ends as a file, kept for a later request, or deleted.

    ``hashed``: the SHA-256 of the bytes before the request, ``None`` if unknown. With ``digest``, no byte of the
    request counts before the whole body has arrived and matches it. ``incomplete_part``: ``read_incomplete_part``.
    """

    def __init__(
        self,
        context: UploadContext,
        lease: Lease,
        *,
        incomplete_part: bytes = b"",
        hashed: Hash | None,
        digest: RequestDigest | None = None,
    ) -> None:
        upload = lease.upload
        self.lease = lease
        self.hashed = hashed
        announced = upload.size_bytes
        self._most_bytes = announced if announced is not None else context.settings.files_max_bytes
        self.start = self.end = upload.offset_bytes
        self._part_bytes = context.file_store.part_bytes
        self._first = self.start // self._part_bytes + 1
        self._head = incomplete_part if self._first == 1 else bytes(HEAD_BYTES)
        self._context = context
        self._digest = digest
        self._has_begun = False
        self._last_byte_ms = 0
        self._is_consistent = True
        self.writer = PartWriter(
            context.file_store,
            upload.key,
            self._begin_parts,
            context.part_slots,
            context.threads,
            first=self._first,
            incomplete_part=incomplete_part,
            checksum=hashed,
        )
        if upload.is_resumable:
            lease.progress = self._progress

    @property
    def has_all(self) -> bool:
        """Whether the last byte of the file has arrived. Unknown (``False``) if its size was not announced."""
        return self.end == self.lease.upload.size_bytes

    async def append(self, chunks: AsyncIterator[bytes]) -> None:
        """Add the bytes. Raises ``BodyTooLarge``, and the errors of ``chunks`` and of the stores."""
        async for chunk in chunks:
            self._check_size(self.end + len(chunk))
            self._context.metrics.file_bytes_received.count += len(chunk)
            if self._digest is not None:
                await self._digest.update(chunk)
            if len(self._head) < HEAD_BYTES:
                self._head += chunk
            self._is_consistent = False  # on a cancellation or a store's failure some of the bytes are lost
            await self.writer.write(chunk)
            self._is_consistent = True
            self.end += len(chunk)
            self._last_byte_ms = self._context.clock_ms()
            await self._context.throttle.acquire(len(chunk))

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes <= self._most_bytes:
            return
        if self.lease.upload.is_resumable:
            raise BodyTooLarge(f"the body exceeds the upload's size of {self._most_bytes} bytes")
        raise BodyTooLarge(f"a file may have {self._most_bytes} bytes at most")

    async def keep(self) -> None:
        """Make the received bytes durable and release the lease, in the order of invariant 3.

        Raises ``LeaseLost``, ``Unavailable``, and ``WrongOffset`` if the store has lost the upload, which then starts
        over.
        """
        failure = None
        try:
            end = await self._keep_bytes()
        except NotFound:
            await start_over(self.lease)
        except Chat4AllError as error:
            failure, end = error, self._durable_end()
        await self.lease.release(**self._changes(end))
        if end > self.start:
            await discard_incomplete_part(self._context, self.lease.upload.upload_id, self.start)
        if failure is not None:
            raise failure

    async def drop(self) -> None:
        """Release the lease without a byte of this request. Raises ``LeaseLost``, ``Unavailable``."""
        with suppress(Chat4AllError):
            await self.writer.settle()  # invariant 4
        await self.lease.release(offset_bytes=self.start)

    async def flush(self) -> list[Part]:
        """Return all parts of the file, durable, and the row of a resumable upload says so. Raises as ``keep``."""
        upload = self.lease.upload
        parts: dict[int, Part] = {}
        try:
            written = await self.writer.flush()
            if self._first > 1:
                there = await self._context.file_store.parts(upload.key, upload.store_upload)
                parts = {part.number: part for part in there}
        except NotFound:
            await start_over(self.lease)
        reach("upload-whole")
        if upload.is_resumable:
            await self.lease.save(**self._changes(self.end))
        return [part for _, part in sorted((parts | {part.number: part for part in written}).items())]

    async def _keep_bytes(self) -> int:
        """Make as many bytes durable as possible; return the offset of their end."""
        await self.writer.settle()
        if not self._is_consistent or self.has_all or self.end == self.start:
            return self._durable_end()  # a complete upload is stored as a whole file or as whole parts
        if self.end % self._part_bytes == 0:
            await self.writer.flush()
            return self.end
        upload_id = self.lease.upload.upload_id
        await self._context.file_store.put(incomplete_part_key(upload_id, self.end), self.writer.waiting, UNKNOWN)
        return self.end

    def _durable_end(self) -> int:
        durable = self.writer.durable_bytes  # as if the last part, too, were a full one
        return min(self._most_bytes, (self._first - 1) * self._part_bytes + durable) if durable else self.start

    def _progress(self, upload: Upload) -> Upload:
        return upload if self._digest is not None else replace(upload, **self._changes(self._durable_end()))

    def _changes(self, end: int) -> dict[str, Any]:
        """Return the changes to the row once all bytes before ``end`` are durable."""
        upload = self.lease.upload
        if end <= upload.offset_bytes:
            return {}
        expiry_ms = int(self._context.settings.upload_expiry_hours * 3_600_000)
        return {"offset_bytes": end, "expires_at_ms": max(upload.expires_at_ms, self._last_byte_ms + expiry_ms)}

    async def _begin_parts(self) -> str:
        """Called before each part is stored."""
        reach("upload-part")
        lease = self.lease
        if self._first == 1 and not self._has_begun:
            # always: the stored type may be from bytes discarded later
            mimetype = sniffed_type(self._head, lease.upload.filename)
            await self.hold_row(mimetype=mimetype)
            name = lease.upload.store_upload or await self._context.file_store.begin(lease.upload.key, mimetype)
            if lease.upload.is_resumable:
                await lease.save(store_upload=name, mimetype=mimetype)
            else:
                lease.amend(store_upload=name)
            self._has_begun = True
        lease.check()
        return lease.upload.store_upload

    async def hold_row(self, **of_a_new_row: Any) -> None:
        """Store the row unless it exists (invariant 1), or check the lease. Raises ``LeaseLost``, ``Unavailable``."""
        if self.lease.has_row:
            self.lease.check()
        else:
            self.lease.amend(**of_a_new_row)
            await self.lease.begin()


async def read_incomplete_part(context: UploadContext, lease: Lease) -> bytes:
    """Return the bytes of the upload after its last whole part.

    Raises ``WrongOffset`` if the store has lost them, ``LeaseLost``, ``Unavailable``; then the lease is released.
    """
    upload = lease.upload
    length = upload.offset_bytes % context.file_store.part_bytes
    incomplete_part = bytearray()
    try:
        if length:
            async for chunk in context.file_store.read(incomplete_part_key(upload.upload_id, upload.offset_bytes)):
                incomplete_part += chunk
    except NotFound:
        pass
    except Unavailable:
        await lease.try_to_release()
        raise
    if len(incomplete_part) != length:
        log.warning("the store has lost the last bytes of upload %s", upload.upload_id)
        await lease.release(offset_bytes=upload.offset_bytes - length)
        raise wrong_offset(lease.upload)
    return bytes(incomplete_part)


async def start_over(lease: Lease) -> NoReturn:
    """Reset an upload to offset 0 after the store has lost it, release its lease and raise ``WrongOffset``.

    Raises ``Unavailable`` for an upload of one request: only its client has the bytes.
    """
    if not lease.upload.is_resumable:
        raise Unavailable("the store has lost bytes of this file; send it again")
    log.warning("the store has lost the parts of upload %s", lease.upload.upload_id)
    await lease.release(offset_bytes=0, store_upload="", mimetype="")
    raise wrong_offset(lease.upload)


async def discard_incomplete_part(context: UploadContext, upload_id: str, offset_bytes: int) -> None:
    """Discard the incomplete part of an earlier offset. If the store fails, the sweeper deletes it later."""
    if offset_bytes % context.file_store.part_bytes:
        with suppress(Chat4AllError):
            await context.file_store.discard(incomplete_part_key(upload_id, offset_bytes))


def wrong_offset(upload: Upload) -> WrongOffset:
    """Return the error with the offset at which the client must resume."""
    detail = f"the upload is at offset {upload.offset_bytes}; resume from there"
    return WrongOffset(detail, upload.offset_bytes)
