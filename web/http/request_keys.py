"""Keys of values in a request, set by the middleware."""

from __future__ import annotations

from aiohttp import web

TRACEPARENT = web.RequestKey("traceparent", str)  # of the request's own span, if there are traces
REQUEST_ID = web.RequestKey("request_id", str)
