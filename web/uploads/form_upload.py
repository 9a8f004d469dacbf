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
from typing import TYPE_CHECKING

from domain.errors import Chat4AllError
from domain.files import File, safe_filename, staging_key, storage_key
from domain.ids import uuid7
from domain.ports import Upload
from web.contract.file_requests import FileForm
from web.errors import FieldErrors
from web.http.bodies import validated
from web.http.field_names import names_of, shown_name
from web.uploads.completing import WrongChecksum, complete, destroy
from web.uploads.lease import Lease, LeaseLost
from web.uploads.leased_upload import LeasedUpload
from web.uploads.part_writer import new_checksum
from web.uploads.uncancelled import uncancelled

if TYPE_CHECKING:
    from web.uploads.context import UploadContext
    from web.uploads.form import Form

log = logging.getLogger(__name__)

_CLEAN_UP_SECONDS = 20.0


async def receive(context: UploadContext, form: Form, user_id: str) -> File:
    """Store and record the file of ``form`` and return it, or leave nothing behind.

    Raises ``FieldErrors``, ``NotAllowed``, ``BodyTooLarge``, ``BodyTimeout``, ``MalformedBody``, ``Unavailable``.
    """
    async with context.lease_of(_new_upload(context, user_id)) as lease:
        upload = FormUpload(context, lease)
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
            await uncancelled(upload.undo(), _CLEAN_UP_SECONDS)
            raise


def _new_upload(context: UploadContext, user_id: str) -> Upload:
    now_ms = context.clock_ms()
    file_id = uuid7(now_ms, context.randomness(10))
    return Upload(file_id, "", user_id, "", None, now_ms, now_ms, holder=context.new_holder())


class FormUpload:
    """The fields of a form, and its file as an upload. ``lease``: its upload has no row before a byte is stored."""

    def __init__(self, context: UploadContext, lease: Lease) -> None:
        self._context = context
        self._lease = lease
        self._fields: dict[str, str] = {}
        self._file: LeasedUpload | None = None

    async def add_field(self, name: str, value: str) -> None:
        """Take another field of the form. Raises ``FieldErrors``, ``NotAllowed``."""
        if name in self._fields:
            raise FieldErrors([(name, "must be given once")])
        self._fields[name] = value
        if name in ("conversation_id", "recipient_id"):
            given = {one: value for one, value in self._fields.items() if one in ("conversation_id", "recipient_id")}
            form = validated(FileForm, given, strict=True)
            conversation_id = await self._context.existing_users.join_for_upload(
                form.conversation_id or "", form.recipient_id or "", self._lease.upload.uploader_id
            )
            self._lease.amend(conversation_id=conversation_id)

    async def add_file(self, filename: str, chunks: AsyncIterator[bytes]) -> None:
        """Read the file's bytes. Raises ``BodyTooLarge``, ``FieldErrors``, and the errors of ``chunks`` and of the
        stores.
        """
        if self._file is not None:
            raise FieldErrors([("file", "must be given once")])
        lease = self._lease
        lease.amend(filename=safe_filename(filename))
        lease.amend(key=self._final_key() if lease.upload.conversation_id else staging_key(lease.upload.upload_id))
        self._file = LeasedUpload(self._context, lease, hashed=new_checksum())
        await self._file.append(chunks)

    async def finish(self) -> File:
        """Return the file, once its bytes and then its row are durable."""
        file, form = self._checked()
        self._lease.amend(expected_checksum=form.checksum)
        try:
            return await complete(self._context, file, self._final_key())
        except WrongChecksum as wrong:
            raise FieldErrors([("checksum", f"the received bytes have {wrong.actual}")]) from None

    async def undo(self) -> None:
        """Delete the stored bytes and the row. If a store is unavailable, the sweeper deletes the rest later."""
        if self._file is not None:
            await self._file.writer.stop()
        if not self._lease.has_row or self._lease.may_be_a_file:
            return  # invariant 6
        try:
            async with asyncio.timeout(_CLEAN_UP_SECONDS):
                await destroy(self._context, self._lease, 0)
        except LeaseLost:
            pass  # the new holder takes care of it
        except (Chat4AllError, TimeoutError) as error:
            log.warning("upload %s is left to the sweeper: %s", self._lease.upload.upload_id, error)

    def _checked(self) -> tuple[LeasedUpload, FileForm]:
        """Return the file and the other fields. Raises ``FieldErrors`` with every wrong or missing one."""
        wrong, form = [], None
        if self._file is None:
            wrong.append(("file", "is required"))
        try:
            form = validated(FileForm, self._fields, strict=True)
        except FieldErrors as error:
            wrong += error.found
        if self._file is None or form is None:
            raise FieldErrors(wrong)
        return self._file, form

    def _final_key(self) -> str:
        upload = self._lease.upload
        return storage_key(upload.conversation_id, upload.upload_id, upload.filename)
