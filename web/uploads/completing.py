"""Turn a leased upload with all its bytes into a file, or delete it. Each step can be repeated (invariant 5)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from domain.errors import Conflict, NotFound
from domain.files import File, FileMetadata, incomplete_part_key, staging_key
from domain.ports import Part, Upload
from web.uploads.hashing import sha256_of, sha256_of_object
from web.uploads.lease import Lease
from web.uploads.leased_upload import LeasedUpload, discard_incomplete_part, start_over
from web.uploads.sniffing import sniffed_type

if TYPE_CHECKING:
    from web.uploads.context import UploadContext


class WrongChecksum(Exception):
    """The received bytes have the checksum ``actual``, not the one announced."""

    def __init__(self, actual: str) -> None:
        super().__init__(actual)
        self.actual = actual


async def complete(context: UploadContext, received: LeasedUpload, key: str) -> File:
    """Return the file, with its object at ``key``. ``received`` has all of its bytes.

    Raises ``WrongChecksum``, ``WrongOffset`` (the store has lost bytes of a resumable upload), ``LeaseLost``, and
    ``Unavailable`` (the file may or may not exist).
    """
    lease, size_bytes = received.lease, received.end
    if size_bytes <= context.file_store.part_bytes:
        data = received.writer.waiting
        checksum, mimetype = await sha256_of(data, context.threads), sniffed_type(data, lease.upload.filename)
        _check(lease, checksum)
        await received.hold_row(mimetype=mimetype, key=key)
        await context.file_store.put(key, data, mimetype)
    else:
        parts = await received.flush()
        checksum = ""
        if received.hashed is not None:
            await received.writer.hash_rest()
            checksum = f"sha256:{received.hashed.hexdigest()}"
            _check(lease, checksum)
        checksum = await _join(context, lease, parts, size_bytes, checksum)
        _check(lease, checksum)
        await _move(context, lease, key)
        mimetype = lease.upload.mimetype
    return await _finish(context, lease, size_bytes, checksum, mimetype, received.start)


async def complete_stored(context: UploadContext, lease: Lease) -> File:
    """Return the file of an upload. Its row says that all bytes are in the store. Raises as ``complete``."""
    upload = lease.upload
    parts: list[Part] = []
    with suppress(NotFound):
        parts += await context.file_store.parts(upload.key, upload.store_upload)
    size_bytes = upload.offset_bytes
    checksum = await _join(context, lease, parts, size_bytes, "")
    _check(lease, checksum)
    return await _finish(context, lease, size_bytes, checksum, upload.mimetype, size_bytes)


async def destroy(context: UploadContext, lease: Lease, incomplete_part_end: int) -> None:
    """Delete the upload with all its bytes (invariant 7). ``incomplete_part_end``: the offset of its incomplete part.

    Raises ``LeaseLost`` or ``Conflict`` if another request holds it, ``Unavailable``.
    """
    upload = lease.upload
    await lease.abandon()
    context.hashes.forget(upload.upload_id)
    for key in _keys(upload, incomplete_part_end, context.file_store.part_bytes):
        await context.file_store.discard(key)
    if not await context.files.forget(upload.upload_id, holder=lease.holder):
        raise Conflict("the upload was taken over by another request")


def _keys(upload: Upload, incomplete_part_end: int, part_bytes: int) -> set[str]:
    if not upload.is_resumable:
        return {upload.key, staging_key(upload.upload_id)}
    if incomplete_part_end % part_bytes:
        return {upload.key, incomplete_part_key(upload.upload_id, incomplete_part_end)}
    return {upload.key}


async def _join(context: UploadContext, lease: Lease, parts: list[Part], size_bytes: int, known: str) -> str:
    """Assemble the object from the parts; return its checksum.

    It is ``known`` if the object consists of the hashed parts (invariant 4); else it is read back from the store.
    """
    upload, store, is_sure = lease.upload, context.file_store, bool(known)
    lease.check()
    try:
        try:
            await store.finish(upload.key, upload.store_upload, parts)
        except Conflict:
            # a process with an expired lease has stored parts again (invariant 4)
            is_sure, parts = False, [*await store.parts(upload.key, upload.store_upload)]
            await store.finish(upload.key, upload.store_upload, parts)
    except (NotFound, Conflict):  # invariant 5
        is_sure = False
        if await store.size(upload.key) != size_bytes:
            await start_over(lease)
    if is_sure:
        return known
    checksum = await sha256_of_object(store, upload.key, context.threads)
    if known and checksum != known:
        await start_over(lease)
    return checksum


async def _move(context: UploadContext, lease: Lease, key: str) -> None:
    """Move the object to ``key``, if it is not there. The row names the new key first (invariant 1)."""
    stored_at = lease.upload.key
    if stored_at != key:
        await lease.save(key=key)
        await context.file_store.move(stored_at, key)


def _check(lease: Lease, checksum: str) -> None:
    expected = lease.upload.expected_checksum
    if expected and expected != checksum:
        raise WrongChecksum(checksum)


async def _finish(
    context: UploadContext, lease: Lease, size_bytes: int, checksum: str, mimetype: str, incomplete_part_end: int
) -> File:
    """Replace the upload's row by the row of the file (invariants 5 and 6)."""
    upload, now_ms = lease.upload, context.clock_ms()
    metadata = FileMetadata(upload.filename, size_bytes, mimetype, checksum, upload.key)
    file = File(upload.upload_id, upload.conversation_id, upload.uploader_id, metadata, now_ms)
    await lease.finish(file)
    context.known_files.add(file)
    context.hashes.forget(upload.upload_id)
    context.metrics.files_uploaded.count(metadata.size_bytes, max(0, now_ms - upload.started_at_ms) / 1000)
    if upload.is_resumable:
        await discard_incomplete_part(context, upload.upload_id, incomplete_part_end)
    return file
