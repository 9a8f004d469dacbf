"""Resumable uploads: tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

from aiohttp import web

from web.http.app_keys import SETTINGS
from web.http.bodies import max_bytes_of, refuse_early
from web.http.caller import Caller
from web.http.paths import UPLOADS_PATH
from web.uploads import tus
from web.uploads.service import UPLOADS


async def describe_uploads(request: web.Request) -> web.Response:
    """``OPTIONS``: the supported parts of tus. Needs no token."""
    settings = request.app[SETTINGS]
    headers = {
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(settings.files_max_bytes),
        "Tus-Checksum-Algorithm": ",".join(tus.ALGORITHMS),
        "Allow": ", ".join(sorted({route.method for route in request.match_info.route.resource or ()})),
    }
    return web.Response(status=204, headers=headers)


async def create_upload(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/uploads``: 201 with the upload's address; with a body also with its first bytes."""
    headers = request.headers
    tus.check_version(headers)
    refuse_early(request, max_bytes_of(request))
    creation, wanted, body = tus.creation_of(headers), tus.digest_of(headers), None
    if request.can_read_body:
        tus.check_media_type(request.content_type)
        body = request.app[UPLOADS].body_of(request)
    made = await request.app[UPLOADS].resumable.create(caller.user_id, creation, body, wanted)
    upload_id = tus.id_of(made)
    return web.Response(status=201, headers={"Location": f"{UPLOADS_PATH}/{upload_id}", **tus.headers_of(made)})


async def show_upload(request: web.Request, caller: Caller) -> web.Response:
    """``HEAD /v1/uploads/{upload_id}``: the offset, the length and the kept metadata."""
    tus.check_version(request.headers)
    found = await request.app[UPLOADS].resumable.look(caller.user_id, request.match_info["upload_id"])
    return web.Response(headers={**tus.headers_of(found), **tus.facts_of(found), "Cache-Control": "no-store"})


async def append_to_upload(request: web.Request, caller: Caller) -> web.Response:
    """``PATCH /v1/uploads/{upload_id}``: 204 once the bytes are durable, and after the last one the file is."""
    headers = request.headers
    tus.check_version(headers)
    tus.check_media_type(request.content_type)
    refuse_early(request, max_bytes_of(request))
    offset_bytes, wanted = tus.offset_of(headers), tus.digest_of(headers)
    body = request.app[UPLOADS].body_of(request)
    made = await request.app[UPLOADS].resumable.append(
        caller.user_id, request.match_info["upload_id"], offset_bytes, body, wanted
    )
    return web.Response(status=204, headers=tus.headers_of(made))


async def end_upload(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/uploads/{upload_id}``: 204 once nothing of it is left; 409 if it is a file already."""
    tus.check_version(request.headers)
    await request.app[UPLOADS].resumable.terminate(caller.user_id, request.match_info["upload_id"])
    return web.Response(status=204)
