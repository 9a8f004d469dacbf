"""Files: upload, show, download, copy, delete."""

from __future__ import annotations

from aiohttp import web

from domain.files import File
from web.contract.file_requests import CopyFile
from web.conversations.usernames import USERNAMES
from web.files.links import absolute
from web.files.registry import file_document
from web.files.service import FILES
from web.http.app_keys import SETTINGS
from web.http.bodies import body_as, max_bytes_of, refuse_early
from web.http.caller import Caller
from web.http.responses import iso_utc, json_response
from web.uploads.service import UPLOADS


async def create_file(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/files``: 201 once the bytes and the metadata are durable."""
    refuse_early(request, max_bytes_of(request))
    return await _created(request, await request.app[UPLOADS].receive_form(request, caller.user_id))


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
    wanted = await body_as(CopyFile, request)
    file = await request.app[UPLOADS].copy(
        request.match_info["file_id"],
        caller.user_id,
        conversation_id=wanted.conversation_id or "",
        recipient_id=wanted.recipient_id or "",
    )
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
    files = request.app[FILES]
    return await files.send(request, await files.visible(request.match_info["file_id"], caller.user_id))


async def follow_link(request: web.Request) -> web.StreamResponse:
    """``GET /v1/files/{file_id}/link``: the bytes, for any holder of a link signed by this API."""
    files, query = request.app[FILES], request.query
    file = await files.linked(request.match_info["file_id"], query.get("expires", ""), query.get("signature", ""))
    return await files.send(request, file)
