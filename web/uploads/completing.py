"""Turn a leased upload with all its bytes into a file, or delete it if its checksum is wrong.

Every step can be retried by another process: the row says that all bytes are stored. If the multipart upload no
longer exists, the object has already been assembled.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from domain.errors import Conflict, NotFound
from domain.files import PART_BYTES, File, FileMetadata, incomplete_part_key
from domain.ports import Part
from web.errors import ChecksumMismatch
from web.uploads.appending import Appending, discard_incomplete_part, start_over
from web.uploads.hashing import sha256_of, sha256_of_object
from web.uploads.lease import Lease
from web.uploads.sniffing import sniffed_type

if TYPE_CHECKING:
    from web.uploads.context import UploadContext


async def complete(context: UploadContext, lease: Lease, appending: Appending) -> File:
    """Return the file. ``appending`` has all of its bytes.

    Raises ``ChecksumMismatch`` (the upload is deleted), ``WrongOffset`` (the store has lost bytes), ``LeaseLost``,
    and ``Unavailable`` (the file may or may not exist).
    """
    upload, size_bytes = lease.upload, appending.size_bytes
    if size_bytes <= PART_BYTES:
        data = appending.writer.waiting
        checksum, mimetype = await sha256_of(data, context.threads), sniffed_type(data, upload.filename)
        await _check(context, lease, checksum, appending.start)
        lease.check()
        await context.file_store.put(upload.key, data, mimetype)
    else:
        parts = await appending.flush()
        checksum = ""
        if appending.hashed is not None:
            await appending.writer.hash_rest()
            checksum = f"sha256:{appending.hashed.hexdigest()}"
            await _check(context, lease, checksum, appending.start)
        checksum = await _join(context, lease, parts, checksum)
        await _check(context, lease, checksum, appending.start)
        mimetype = lease.upload.mimetype
    return await _finish(context, lease, checksum, mimetype, appending.start)


async def complete_stored(context: UploadContext, lease: Lease) -> File:
    """Return the file of an upload. Its row says that all bytes are in the store. Raises as ``complete``."""
    upload = lease.upload
    parts: list[Part] = []
    with suppress(NotFound):
        parts += await context.file_store.parts(upload.key, upload.store_upload)
    checksum = await _join(context, lease, parts, "")
    await _check(context, lease, checksum, upload.offset_bytes)
    return await _finish(context, lease, checksum, upload.mimetype, upload.offset_bytes)


async def destroy(context: UploadContext, lease: Lease, incomplete_part_end: int) -> None:
    """Delete the upload with all its bytes. ``incomplete_part_end``: the offset of its incomplete part.

    Raises ``LeaseLost`` or ``Conflict`` if another request holds it, ``Unavailable``.
    """
    upload = lease.upload
    await lease.abandon()
    lease.check()
    context.hashes.forget(upload.upload_id)
    await context.file_store.discard(upload.key)
    if incomplete_part_end % PART_BYTES:
        await context.file_store.discard(incomplete_part_key(upload.upload_id, incomplete_part_end))
    if not await context.files.forget(upload.upload_id, holder=lease.holder):
        raise Conflict("the upload was taken over by another request")


async def _join(context: UploadContext, lease: Lease, parts: list[Part], known: str) -> str:
    """Assemble the object from the parts; return its checksum, read back from the store if it is not ``known``."""
    upload, store, is_sure = lease.upload, context.file_store, bool(known)
    lease.check()
    try:
        try:
            await store.finish(upload.key, upload.store_upload, parts)
        except Conflict:
            # a process with an expired lease has stored parts again
            is_sure, parts = False, [*await store.parts(upload.key, upload.store_upload)]
            await store.finish(upload.key, upload.store_upload, parts)
    except (NotFound, Conflict):
        is_sure = False
        if await store.size(upload.key) != upload.size_bytes:
            await start_over(lease)
    if is_sure:
        return known
    checksum = await sha256_of_object(store, upload.key, context.threads)
    if known and checksum != known:
        await start_over(lease)
    return checksum


async def _check(context: UploadContext, lease: Lease, checksum: str, incomplete_part_end: int) -> None:
    expected = lease.upload.expected_checksum
    if expected and expected != checksum:
        await destroy(context, lease, incomplete_part_end)
        raise ChecksumMismatch(f"the received bytes have {checksum}, not {expected}; the upload was deleted")


async def _finish(context: UploadContext, lease: Lease, checksum: str, mimetype: str, incomplete_part_end: int) -> File:
    """Replace the upload's row by the row of the file."""
    upload, now_ms = lease.upload, context.clock_ms()
    metadata = FileMetadata(upload.filename, upload.size_bytes or 0, mimetype, checksum, upload.key)
    file = File(upload.upload_id, upload.conversation_id, upload.uploader_id, metadata, now_ms)
    await lease.finish(file)
    context.known_files.add(file)
    context.hashes.forget(upload.upload_id)
    context.metrics.files_uploaded.count(metadata.size_bytes, max(0, now_ms - upload.started_at_ms) / 1000)
    await discard_incomplete_part(context, upload.upload_id, incomplete_part_end)
    return file
