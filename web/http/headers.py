"""Headers of every response: request id, security, CORS, rate limits."""

from __future__ import annotations

import math

from aiohttp import web

from web.http.app_keys import CORS, SETTINGS
from web.http.cors import preflight_headers
from web.http.request_keys import REQUEST_ID
from web.http.request_limits import RATE_LIMIT
from web.http.route import route_of
from web.http.security import SECURITY_HEADERS, SERVER


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers just before the response's head is sent, so streams and WebSockets have them, too.

    A header already set by the handler stays.
    """
    app, headers = request.app, response.headers
    settings, cors = app[SETTINGS], app[CORS]
    if (request_id := request.get(REQUEST_ID)) is not None:  # else an error before the handlers, which has set it
        headers["X-Request-Id"] = request_id
    headers["Server"] = SERVER
    if (route := route_of(request)) is not None and route.answer_headers:
        headers.update(route.answer_headers)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if "Authorization" in request.headers:
        headers.setdefault("Cache-Control", "no-store")
    if settings.hsts_seconds > 0:
        headers.setdefault("Strict-Transport-Security", f"max-age={settings.hsts_seconds}")
    limit = request.get(RATE_LIMIT)
    if limit is not None and "RateLimit-Limit" not in headers:
        taken, burst = limit
        headers["RateLimit-Limit"] = str(burst)
        headers["RateLimit-Remaining"] = str(taken.remaining)
        headers["RateLimit-Reset"] = str(math.ceil(taken.reset_seconds))
    if cors.is_on:
        headers.update(cors.headers_for(request.headers.get("Origin")))


def preflight(request: web.Request) -> web.Response | None:
    """Return the answer to a page's question whether it may call, ``None`` if ``request`` is none or it may not."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    cors = request.app[CORS]
    if not cors.allows(request.headers.get("Origin", "")):
        return None
    error = request.match_info.http_exception
    if isinstance(error, web.HTTPMethodNotAllowed):
        methods = set(error.allowed_methods)
    elif error is None and request.match_info.route.resource is not None:
        methods = {route.method for route in request.match_info.route.resource}
    else:
        return None
    return web.Response(status=204, headers=preflight_headers(methods))
