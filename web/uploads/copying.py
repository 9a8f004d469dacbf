"""Copy a file into another conversation. The store copies the bytes; this process does not read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from domain.files import File, storage_key
from domain.ids import uuid7
from domain.ports import Upload

if TYPE_CHECKING:
    from web.uploads.context import UploadContext


async def copy_file(context: UploadContext, source: File, conversation_id: str, user_id: str) -> File:
    """Return the new file, stored and recorded. It is independent of ``source``.

    It is an upload of one request (invariant 8), so the sweeper deletes the rest of an interrupted copy. Raises
    ``NotFound`` if the bytes of ``source`` are gone, ``LeaseLost``, ``Unavailable``.
    """
    now_ms = context.clock_ms()
    file_id, about = uuid7(now_ms, context.randomness(10)), source.metadata
    key = storage_key(conversation_id, file_id, about.filename)
    upload = Upload(
        file_id,
        conversation_id,
        user_id,
        about.filename,
        None,
        now_ms,
        now_ms,
        mimetype=about.mimetype,
        key=key,
        holder=context.new_holder(),
    )
    async with context.lease_of(upload) as lease:
        await lease.begin()
        await context.file_store.copy(about.storage_path, key)
        file = File(file_id, conversation_id, user_id, replace(about, storage_path=key), context.clock_ms())
        await lease.finish(file)
    return file
