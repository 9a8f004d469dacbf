"""The last step of an upload that we hold: it becomes a file, or, if it is not what the client meant, nothing.

Whatever breaks off here can be done again by whoever comes next: the row says that all bytes are there, and if the
store does not know the upload in parts any more, the object is there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from domain.errors import Conflict, NotFound
from domain.files import PART_BYTES, File, FileMetadata, tail_key
from domain.ports import Part
from web.errors import ChecksumMismatch
from web.uploads.appending import Appending, drop_tail, start_over
from web.uploads.hashing import sha256_of, sha256_of_object
from web.uploads.held import Held
from web.uploads.sniffing import sniffed_type

if TYPE_CHECKING:
    from web.dependencies import Dependencies


async def complete(deps: Dependencies, held: Held, appending: Appending) -> File:
    """Return the file, all of whose bytes ``appending`` has.

    Raises ``ChecksumMismatch``: then nothing is left; ``WrongOffset``: the store has lost bytes; ``HoldLost``; and
    ``Unavailable``: then it may be a file.
    """
    upload, size_bytes = held.upload, appending.size_bytes
    if size_bytes <= PART_BYTES:
        data = appending.writer.waiting
        checksum, mimetype = await sha256_of(data, deps.upload_threads), sniffed_type(data, upload.filename)
        await _check(deps, held, checksum, appending.start)
        held.check()
        await deps.file_store.put(upload.key, data, mimetype)
    else:
        parts = await appending.flush()
        checksum = ""
        if appending.hashed is not None:
            await appending.writer.hash_rest()
            checksum = f"sha256:{appending.hashed.hexdigest()}"
            await _check(deps, held, checksum, appending.start)
        checksum = await _join(deps, held, parts, checksum)
        await _check(deps, held, checksum, appending.start)
        mimetype = held.upload.mimetype
    return await _finish(deps, held, checksum, mimetype, appending.start)


async def complete_stored(deps: Dependencies, held: Held) -> File:
    """Return the file of an upload whose bytes are all in the store, as its row says. Raises as ``complete``."""
    upload = held.upload
    parts: list[Part] = []
    with suppress(NotFound):
        parts += await deps.file_store.parts(upload.key, upload.store_upload)
    checksum = await _join(deps, held, parts, "")
    await _check(deps, held, checksum, upload.offset_bytes)
    return await _finish(deps, held, checksum, upload.mimetype, upload.offset_bytes)


async def destroy(deps: Dependencies, held: Held, tail_at: int) -> None:
    """Leave nothing of the upload, whose last tail ends at ``tail_at``.

    Raises ``HoldLost`` or ``Conflict`` if it is not ours, ``Unavailable``.
    """
    upload = held.upload
    await held.give_up()
    held.check()
    deps.resumable.hashes.forget(upload.upload_id)
    await deps.file_store.discard(upload.key)
    if tail_at % PART_BYTES:
        await deps.file_store.discard(tail_key(upload.upload_id, tail_at))
    if not await deps.files.forget(upload.upload_id, holder=held.holder):
        raise Conflict("the upload was taken over by another request")


async def _join(deps: Dependencies, held: Held, parts: list[Part], known: str) -> str:
    """Make the parts the object; return its checksum, read back if it is not ``known``."""
    upload, store, is_sure = held.upload, deps.file_store, bool(known)
    held.check()
    try:
        try:
            await store.finish(upload.key, upload.store_upload, parts)
        except Conflict:
            # somebody whose hold was over has stored parts once more
            is_sure, parts = False, [*await store.parts(upload.key, upload.store_upload)]
            await store.finish(upload.key, upload.store_upload, parts)
    except (NotFound, Conflict):
        is_sure = False
        if await store.size(upload.key) != upload.size_bytes:
            await start_over(held)
    if is_sure:
        return known
    checksum = await sha256_of_object(store, upload.key, deps.upload_threads)
    if known and checksum != known:
        await start_over(held)
    return checksum


async def _check(deps: Dependencies, held: Held, checksum: str, tail_at: int) -> None:
    expected = held.upload.expected_checksum
    if expected and expected != checksum:
        await destroy(deps, held, tail_at)
        raise ChecksumMismatch(f"the bytes that came have {checksum}, not {expected}; the upload is gone")


async def _finish(deps: Dependencies, held: Held, checksum: str, mimetype: str, tail_at: int) -> File:
    """Make it a file."""
    upload, now_ms = held.upload, deps.clock_ms()
    metadata = FileMetadata(upload.filename, upload.size_bytes or 0, mimetype, checksum, upload.key)
    file = File(upload.upload_id, upload.conversation_id, upload.uploader_id, metadata, now_ms)
    await held.finish(file)
    deps.known_files.add(file)
    deps.resumable.hashes.forget(upload.upload_id)
    deps.metrics.files_uploaded.count(metadata.size_bytes, max(0, now_ms - upload.started_at_ms) / 1000)
    await drop_tail(deps, upload.upload_id, tail_at)
    return file
