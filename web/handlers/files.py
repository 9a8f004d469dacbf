"""Files: upload, show, download, copy, delete."""

from __future__ import annotations

from aiohttp import web

from domain.conversations import require_admin
from domain.errors import NotAllowed, NotFound
from domain.files import File
from domain.signed_links import LinkState, validate
from web.bootstrap import DEPENDENCIES, Dependencies
from web.contract.file_requests import CopyFile
from web.errors import Gone
from web.files.downloads import send_file
from web.files.links import absolute
from web.files.registry import DELETED, file_document
from web.http.bodies import body_as, max_bytes_of, refuse_early
from web.http.caller import Caller
from web.http.responses import iso_utc, json_response
from web.uploads.body import Body
from web.uploads.copying import copy_file
from web.uploads.form import Form
from web.uploads.form_upload import receive


async def create_file(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/files``: 201 once the bytes and the metadata are durable."""
    deps = request.app[DEPENDENCIES]
    refuse_early(request, max_bytes_of(request))
    body = Body(request, deps.settings.upload_stall_seconds)
    form = Form(request.headers.get("Content-Type", ""), body)
    with deps.upload_limit.acquire(caller.user_id):
        file = await receive(deps.upload_context, form, caller.user_id)
    document = file_document(file, await deps.usernames.names_of([file.uploader_id]))
    return json_response(document, 201, {"Location": f"/v1/files/{file.file_id}"})


async def show_file(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/files/{file_id}``: for participants of its conversation; 404 for other callers."""
    deps = request.app[DEPENDENCIES]
    file = await deps.known_files.visible(request.match_info["file_id"], caller.user_id)
    return json_response(file_document(file, await deps.usernames.names_of([file.uploader_id])))


async def delete_file(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/files/{file_id}``: 204 once its bytes are deleted, also if they were before. For its uploader, or
    an admin of its group.
    """
    deps, file_id = request.app[DEPENDENCIES], request.match_info["file_id"]
    file = await deps.known_files.get(file_id)
    if file is None or file.uploader_id != caller.user_id:
        file = await _to_administer(deps, file_id, caller.user_id)
    deleted = await deps.files.delete(file.file_id, deps.clock_ms())
    if deleted is None:
        raise NotFound("there is no such file")
    deps.known_files.add(deleted)
    await deps.file_store.discard(deleted.metadata.storage_path)
    return web.Response(status=204)


async def _to_administer(deps: Dependencies, file_id: str, user_id: str) -> File:
    """Return another user's file, deletable by an admin of its group. Raises ``NotAllowed``, ``NotFound``."""
    file = await deps.known_files.seen(file_id, user_id)
    conversation = await deps.conversations.get(file.conversation_id)
    if conversation is None or not conversation.is_group:
        raise NotAllowed("only the uploader may delete a file")
    require_admin(conversation, user_id)
    return file


async def copy_to(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/files/{file_id}/copy``: 201 with an independent copy in another conversation."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(CopyFile, request)
    source = await deps.known_files.visible(request.match_info["file_id"], caller.user_id)
    conversation_id = await deps.existing_users.join_for_upload(
        wanted.conversation_id or "", wanted.recipient_id or "", caller.user_id
    )
    with deps.upload_limit.acquire(caller.user_id):
        try:
            file = await copy_file(deps.upload_context, source, conversation_id, caller.user_id)
        except NotFound:
            deps.known_files.forget(source.file_id)
            await deps.known_files.visible(source.file_id, caller.user_id)  # it may have been deleted meanwhile
            raise
    deps.known_files.add(file)
    document = file_document(file, await deps.usernames.names_of([file.uploader_id]))
    return json_response(document, 201, {"Location": f"/v1/files/{file.file_id}"})


async def show_download(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/files/{file_id}/download``: with a temporary link; the link needs no token."""
    deps = request.app[DEPENDENCIES]
    file = await deps.known_files.visible(request.match_info["file_id"], caller.user_id)
    now_ms, seconds = deps.clock_ms(), deps.settings.files_link_seconds
    link = deps.file_store.link(file, seconds, now_ms)
    document = {
        **file_document(file, await deps.usernames.names_of([file.uploader_id])),
        "download_url": absolute(link, request, deps.settings.public_url),
        "expires_at": iso_utc((now_ms // 1000 + seconds) * 1000),  # links count whole seconds
    }
    return json_response(document)


async def send_content(request: web.Request, caller: Caller) -> web.StreamResponse:
    """``GET /v1/files/{file_id}/content``: the bytes, or a range of them."""
    deps = request.app[DEPENDENCIES]
    file = await deps.known_files.visible(request.match_info["file_id"], caller.user_id)
    return await send_file(request, deps.downloads, file)


async def follow_link(request: web.Request) -> web.StreamResponse:
    """``GET /v1/files/{file_id}/link``: the bytes, for any holder of a link signed by this API."""
    deps = request.app[DEPENDENCIES]
    file_id, query = request.match_info["file_id"], request.query
    state = validate(deps.link_keys, file_id, query.get("expires", ""), query.get("signature", ""), deps.clock_ms())
    if state is LinkState.EXPIRED:
        raise NotAllowed("the link has expired; request a new one")
    file = await deps.known_files.get(file_id) if state is LinkState.GOOD else None
    if file is None:
        raise NotAllowed("the link is not valid")
    if file.deleted_at_ms:
        raise Gone(DELETED)
    return await send_file(request, deps.downloads, file)
