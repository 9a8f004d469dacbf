"""The page at ``/``: telephones to play with, over the simulator's own REST interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def add_to(app: web.Application) -> None:
    """Add ``GET /`` and the page's files."""
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            app.router.add_get("/" if path.name == "index.html" else f"/page/{path.name}", _handler(path))


def _handler(path: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = path.read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}

    async def show(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=_TYPES[path.suffix], charset="utf-8", headers=headers)

    return show
