"""Webhooks of the providers."""

from __future__ import annotations

from aiohttp import web

from web.http.app_keys import REQUEST_LIMITS
from web.http.bodies import max_bytes_of, read_body
from web.webhooks.service import WEBHOOKS


async def verify_webhook(request: web.Request) -> web.Response:
    """``GET /webhooks/{channel}`` and ``/webhooks/{channel}/{account}``: 200 with the challenge."""
    request.app[REQUEST_LIMITS].take_for_webhook(request)
    answer = request.app[WEBHOOKS].challenge(*_place_of(request), request.query)
    return web.Response(text=answer)


async def receive_webhook(request: web.Request) -> web.Response:
    """``POST`` to the same paths: 200 once the body is durable. It is not parsed."""
    request.app[REQUEST_LIMITS].take_for_webhook(request)
    body = await read_body(request, max_bytes_of(request))
    await request.app[WEBHOOKS].receive(*_place_of(request), _headers_of(request), body)
    return web.Response()


def _place_of(request: web.Request) -> tuple[str, str | None]:
    return request.match_info["channel"].lower(), request.match_info.get("account")


def _headers_of(request: web.Request) -> dict[str, str]:
    """Return the headers by their names in lower case; the values of a repeated one are joined (RFC 9110, 5.3).

    So two proofs of which one is right are no proof, whichever of them somebody before us looked at.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
