"""Files: upload, show, download, copy, delete."""

from __future__ import annotations

from aiohttp import web

from domain.errors import NotFound
from domain.files import File
from web.contract.file_requests import CopyFile
from web.conversations.usernames import USERNAMES
from web.files.downloads import DOWNLOADS, send_file
from web.files.links import absolute
from web.files.registry import file_document
from web.files.service import FILES
from web.http.app_keys import SETTINGS
from web.http.bodies import body_as, max_bytes_of, refuse_early
from web.http.caller import Caller
from web.http.responses import iso_utc, json_response
from web.uploads.body import Body
from web.uploads.context import UPLOADS
from web.uploads.copying import copy_file
from web.uploads.form import Form
from web.uploads.form_upload import receive


async def create_file(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/files``: 201 once the bytes and the metadata are durable."""
    uploads = request.app[UPLOADS]
    refuse_early(request, max_bytes_of(request))
    body = Body(request, uploads.settings.upload_stall_seconds)
    form = Form(request.headers.get("Content-Type", ""), body)
    with uploads.limit.acquire(caller.user_id):
        file = await receive(uploads, form, caller.user_id)
    return await _created(request, file)


async def _created(request: web.Request, file: File) -> web.Response:
    return json_response(await _document(request, file), 201, {"Location": f"/v1/files/{file.file_id}"})


async def _document(request: web.Request, file: File) -> dict[str, object]:
    return file_document(file, await request.app[USERNAMES].names_of([file.uploader_id]))


async def show_file(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/files/{file_id}``: for participants of its conversation; 404 for other callers."""
    file = await request.app[FILES].visible(request.match_info["file_id"], caller.user_id)
    return json_response(await _document(request, file))


async def delete_file(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/files/{file_id}``: 204 once its bytes are deleted, also if they were before. For its uploader, or
    an admin of its group.
    """
    await request.app[FILES].delete(request.match_info["file_id"], caller.user_id)
    return web.Response(status=204)


async def copy_to(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/files/{file_id}/copy``: 201 with an independent copy in another conversation."""
    uploads = request.app[UPLOADS]
    wanted = await body_as(CopyFile, request)
    source = await uploads.known_files.visible(request.match_info["file_id"], caller.user_id)
    conversation_id = await uploads.existing_users.join_for_upload(
        wanted.conversation_id or "", wanted.recipient_id or "", caller.user_id
    )
    with uploads.limit.acquire(caller.user_id):
        try:
            file = await copy_file(uploads, source, conversation_id, caller.user_id)
        except NotFound:
            uploads.known_files.forget(source.file_id)
            await uploads.known_files.visible(source.file_id, caller.user_id)  # it may have been deleted meanwhile
            raise
    uploads.known_files.add(file)
    return await _created(request, file)


async def show_download(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/files/{file_id}/download``: with a temporary link; the link needs no token."""
    files = request.app[FILES]
    file = await files.visible(request.match_info["file_id"], caller.user_id)
    link, expires_at_ms = files.link(file)
    document = {
        **await _document(request, file),
        "download_url": absolute(link, request, request.app[SETTINGS].public_url),
        "expires_at": iso_utc(expires_at_ms),
    }
    return json_response(document)


async def send_content(request: web.Request, caller: Caller) -> web.StreamResponse:
    """``GET /v1/files/{file_id}/content``: the bytes, or a range of them."""
    file = await request.app[FILES].visible(request.match_info["file_id"], caller.user_id)
    return await send_file(request, request.app[DOWNLOADS], file)


async def follow_link(request: web.Request) -> web.StreamResponse:
    """``GET /v1/files/{file_id}/link``: the bytes, for any holder of a link signed by this API."""
    query = request.query
    file = await request.app[FILES].linked(
        request.match_info["file_id"], query.get("expires", ""), query.get("signature", "")
    )
    return await send_file(request, request.app[DOWNLOADS], file)
