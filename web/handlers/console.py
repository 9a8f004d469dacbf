"""The console: the page at ``/`` and its files."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from domain.errors import NotFound
from web.console.files import PAGE, ConsoleFile

CONSOLE: web.AppKey[Mapping[str, ConsoleFile]] = web.AppKey("console", Mapping)
POLICY: web.AppKey[str] = web.AppKey("console_policy", str)


async def show_console(request: web.Request) -> web.Response:
    """``GET /``: the page. Its links are relative, so it works behind a path prefix."""
    return _answer(request, request.app[CONSOLE][PAGE])


async def show_console_file(request: web.Request) -> web.Response:
    """``GET /console/{name}``: a script, the style or a picture of the page."""
    file = request.app[CONSOLE].get(request.match_info["name"])
    if file is None:
        raise NotFound("the console has no such file")
    return _answer(request, file)


def _answer(request: web.Request, file: ConsoleFile) -> web.Response:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Content-Security-Policy": request.app[POLICY]}
    if request.headers.get("If-None-Match") == file.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.body, headers={**headers, "Content-Type": file.content_type})
