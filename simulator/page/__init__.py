"""The page at ``/``: telephones to play with, over the simulator's own REST interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent
_TYPES = {"index.html": "text/html", "phones.js": "text/javascript", "phones.css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def add_to(app: web.Application) -> None:
    """Add ``GET /`` and the page's two files."""
    for name in _TYPES:
        app.router.add_get("/" if name == "index.html" else f"/page/{name}", _handler(name))


def _handler(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = (FOLDER / name).read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}

    async def show(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=_TYPES[name], charset="utf-8", headers=headers)

    return show
