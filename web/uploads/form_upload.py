"""One file in one request: ``POST /v1/files``.

    curl -F conversation_id=family -F file=@photo.jpg …

If the conversation's field precedes the file, the caller's membership is checked before the file is read. If the file
comes first, up to one part of it waits in memory; a longer file is stored under a staging key and moved once its
conversation is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from domain.errors import Chat4AllError
from domain.files import File, FileMetadata, safe_filename, staging_key, storage_key
from domain.ids import uuid7
from domain.ports import Upload
from web.contract.file_requests import FileForm
from web.errors import BodyTooLarge, FieldErrors
from web.http.bodies import validated
from web.http.field_names import names_of, shown_name
from web.uploads.lease import Lease, LeaseLost
from web.uploads.part_writer import PartWriter, new_checksum
from web.uploads.sniffing import HEAD_BYTES, sniffed_type

if TYPE_CHECKING:
    from web.uploads.context import UploadContext
    from web.uploads.form import Form

log = logging.getLogger(__name__)

_CLEAN_UP_SECONDS = 20.0


async def receive(context: UploadContext, form: Form, user_id: str) -> File:
    """Store and record the file of ``form`` and return it, or leave nothing behind.

    Raises ``FieldErrors``, ``NotAllowed``, ``BodyTooLarge``, ``BodyTimeout``, ``MalformedBody``, ``Unavailable``.
    """
    async with AsyncExitStack() as stack:
        upload = FormUpload(context, user_id, stack)
        try:
            async for field in form.fields():
                if field.name == "file":
                    await upload.add_file(field.filename or "", form.chunks_of(field))
                elif field.name in FileForm.model_fields:
                    await upload.add_field(field.name, await form.text_of(field))
                else:
                    raise FieldErrors([(shown_name(field.name), names_of(FileForm).unknown(field.name))])
            return await upload.finish()
        except BaseException:
            await upload.undo()
            raise


class FormUpload:
    """A file being received. Its row is written before its first byte is stored."""

    def __init__(self, context: UploadContext, user_id: str, stack: AsyncExitStack) -> None:
        self._context = context
        self._user_id = user_id
        self._stack = stack
        self._started_at_ms = context.clock_ms()
        self._file_id = uuid7(self._started_at_ms, context.randomness(10))
        self._fields: dict[str, str] = {}
        self._conversation_id = ""
        self._filename: str | None = None
        self._head = b""
        self._size_bytes = 0
        self._checksum = new_checksum()
        self._writer: PartWriter | None = None
        self._lease: Lease | None = None
        self._store_upload = ""
        self._key = ""
        self._may_be_a_file = False

    async def add_field(self, name: str, value: str) -> None:
        """Take another field of the form. Raises ``FieldErrors``, ``NotAllowed``."""
        if name in self._fields:
            raise FieldErrors([(name, "must be given once")])
        self._fields[name] = value
        if name in ("conversation_id", "recipient_id"):
            given = {one: value for one, value in self._fields.items() if one in ("conversation_id", "recipient_id")}
            form = validated(FileForm, given, strict=True)
            self._conversation_id = await self._context.existing_users.join_for_upload(
                form.conversation_id or "", form.recipient_id or "", self._user_id
            )

    async def add_file(self, filename: str, chunks: AsyncIterator[bytes]) -> None:
        """Read the file's bytes. Raises ``BodyTooLarge``, ``FieldErrors``, and the errors of ``chunks`` and of the
        stores.
        """
        if self._filename is not None:
            raise FieldErrors([("file", "must be given once")])
        self._filename = safe_filename(filename)
        self._key = self._final_key() if self._conversation_id else staging_key(self._file_id)
        context, most = self._context, self._context.settings.files_max_bytes
        writer = self._writer = PartWriter(
            context.file_store,
            self._key,
            self._begin_parts,
            context.part_slots,
            context.threads,
            checksum=self._checksum,
        )
        async for chunk in chunks:
            self._size_bytes += len(chunk)
            context.metrics.file_bytes_received.count += len(chunk)
            if self._size_bytes > most:
                raise BodyTooLarge(f"a file may have {most} bytes at most")
            if len(self._head) < HEAD_BYTES:
                self._head += chunk
            await writer.write(chunk)
            await context.throttle.acquire(len(chunk))

    async def finish(self) -> File:
        """Return the file, once its bytes and then its row are durable."""
        self._check_fields()
        assert self._filename is not None
        assert self._writer is not None
        writer, key = self._writer, self._final_key()
        await writer.hash_rest()
        checksum = f"sha256:{self._checksum.hexdigest()}"
        expected = self._fields.get("checksum", "")
        if expected and expected.lower() != checksum:
            raise FieldErrors([("checksum", f"the received bytes have {checksum}")])
        mimetype = sniffed_type(self._head, self._filename)
        if self._lease is not None:
            self._lease.check()
        if self._store_upload:
            await self._context.file_store.finish(self._key, self._store_upload, await writer.flush())
            if self._key != key:
                assert self._lease is not None
                await self._lease.save(key=key, conversation_id=self._conversation_id)
                await self._context.file_store.move(self._key, key)
                self._key = key
        else:
            self._key = key
            await self._begin_row(mimetype)
            await self._context.file_store.put(key, writer.waiting, mimetype)
        metadata = FileMetadata(self._filename, self._size_bytes, mimetype, checksum, key)
        file = File(self._file_id, self._conversation_id, self._user_id, metadata, self._context.clock_ms())
        assert self._lease is not None
        self._may_be_a_file = True
        await self._lease.finish(file)
        return file

    async def undo(self) -> None:
        """Delete the stored bytes and the row. If a store is unavailable, the sweeper deletes the rest later."""
        clean_up = asyncio.ensure_future(self._undo())
        try:
            await asyncio.shield(clean_up)
        except asyncio.CancelledError:
            await asyncio.wait([clean_up], timeout=_CLEAN_UP_SECONDS)
            raise

    async def _undo(self) -> None:
        if self._writer is not None:
            await self._writer.stop()
        if self._lease is None or self._may_be_a_file:
            return
        try:
            async with asyncio.timeout(_CLEAN_UP_SECONDS):
                self._lease.check()
                for key in {self._key, staging_key(self._file_id)}:
                    await self._context.file_store.discard(key)
                await self._context.files.forget(self._file_id, holder=self._lease.holder)
        except LeaseLost:
            pass  # the new holder takes care of it
        except (Chat4AllError, TimeoutError) as error:
            log.warning("upload %s is left to the sweeper: %s", self._file_id, error)

    def _check_fields(self) -> None:
        wrong = []
        if self._filename is None:
            wrong.append(("file", "is required"))
        try:
            validated(FileForm, self._fields, strict=True)
        except FieldErrors as error:
            wrong += error.found
        if wrong:
            raise FieldErrors(wrong)

    def _final_key(self) -> str:
        assert self._filename is not None
        return storage_key(self._conversation_id, self._file_id, self._filename)

    async def _begin_parts(self) -> str:
        """Called before each part is stored."""
        if self._lease is None:
            assert self._filename is not None
            mimetype = sniffed_type(self._head, self._filename)
            await self._begin_row(mimetype)
            self._store_upload = await self._context.file_store.begin(self._key, mimetype)
        else:
            self._lease.check()
        return self._store_upload

    async def _begin_row(self, mimetype: str) -> None:
        context = self._context
        until_ms = context.clock_ms() + int(context.settings.upload_hold_seconds * 1000)
        assert self._filename is not None
        upload = Upload(
            self._file_id,
            self._conversation_id,
            self._user_id,
            self._filename,
            None,
            self._started_at_ms,
            until_ms,
            mimetype=mimetype,
            key=self._key,
            holder=context.randomness(8).hex(),
            held_until_ms=until_ms,
        )
        self._lease = Lease(context.files, upload, context.settings.upload_hold_seconds, context.clock_ms)
        await context.files.begin(upload)
        await self._stack.enter_async_context(self._lease)
