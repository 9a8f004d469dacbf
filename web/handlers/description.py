"""The API's description: OpenAPI for programs, a self-contained page for people."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from web.http.responses import JSON

if TYPE_CHECKING:
    from web.http.route import Route

PAGE = Path(__file__).parent.parent / "description" / "docs.html"


class Description:
    """Built from ``routes`` on first use, because only the description needs the schemas of all responses.

    A starting process answers 0.25 s sooner without them.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    @cached_property
    def document(self) -> bytes:
        """The OpenAPI document. The first access takes 0.3 s, so call it in a thread."""
        from web.description.openapi import openapi_json

        return openapi_json(self._routes)

    @cached_property
    def page(self) -> bytes:
        """The page: style and script within, the document from ``/openapi.json``."""
        page = PAGE.read_text()
        for part in ("docs.css", "docs.js"):
            page = page.replace(f">{part}<", f">\n{PAGE.with_name(part).read_text()}<")
        return page.encode()

    @cached_property
    def page_policy(self) -> str:
        """A ``Content-Security-Policy`` for the page: its own script, its own style, requests to this API, and
        nothing else.
        """
        text = self.page.decode()
        return (
            f"default-src 'none'; script-src {_hashes(text, 'script')}; style-src {_hashes(text, 'style')}; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )


DESCRIPTION = web.AppKey("description", Description)


async def show_openapi(request: web.Request) -> web.Response:
    """``GET /openapi.json``."""
    description = request.app[DESCRIPTION]
    document = await asyncio.to_thread(lambda: description.document)
    return web.Response(body=document, headers={"Content-Type": JSON})


async def show_docs(request: web.Request) -> web.Response:
    """``GET /docs``."""
    description = request.app[DESCRIPTION]
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": description.page_policy,
    }
    return web.Response(body=description.page, headers=headers)


def _hashes(page: str, element: str) -> str:
    """Return the CSP sources for the contents of the page's elements of this name."""
    found = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in found)
