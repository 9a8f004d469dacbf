"""Files on their way in: forms, copies, and resumable uploads."""

from __future__ import annotations

from aiohttp import web

from domain.errors import NotFound
from domain.files import File
from web.uploads.body import Body
from web.uploads.context import UploadContext
from web.uploads.copying import copy_file
from web.uploads.form import Form
from web.uploads.form_upload import receive
from web.uploads.resumable import ResumableUploads


class Uploads:
    """The uploads of one process. ``resumable``: those of tus. At most so many run as the ``limit`` of ``context``."""

    def __init__(self, context: UploadContext) -> None:
        self._context = context
        self.resumable = ResumableUploads(context)

    def body_of(self, request: web.Request) -> Body:
        """Return the request's body, which fails if no bytes arrive for the configured time."""
        return Body(request, self._context.settings.upload_stall_seconds)

    async def receive_form(self, request: web.Request, user_id: str) -> File:
        """Store the file of a form. Raises ``Unavailable`` beyond the limit, and as ``form_upload.receive``."""
        form = Form(request.headers.get("Content-Type", ""), self.body_of(request))
        with self._context.limit.acquire(user_id):
            return await receive(self._context, form, user_id)

    async def copy(self, file_id: str, user_id: str, *, conversation_id: str, recipient_id: str) -> File:
        """Copy a file of the user's into another conversation, or into the direct one with ``recipient_id``.

        Raises ``NotFound``, ``Gone``, ``Unavailable``, and as ``ExistingUsers.join_for_upload``.
        """
        context = self._context
        source = await context.known_files.visible(file_id, user_id)
        target = await context.existing_users.join_for_upload(conversation_id, recipient_id, user_id)
        with context.limit.acquire(user_id):
            try:
                file = await copy_file(context, source, target, user_id)
            except NotFound:
                context.known_files.forget(source.file_id)
                await context.known_files.visible(source.file_id, user_id)  # it may have been deleted meanwhile
                raise
        context.known_files.add(file)
        return file


UPLOADS = web.AppKey("uploads", Uploads)
