"""Keys of the services in the application, set by the composition and read by the HTTP layer."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from app.settings import Settings
from web.http.cors import CorsPolicy
from web.http.metrics import Metrics
from web.http.request_limits import RequestLimits

SETTINGS = web.AppKey("settings", Settings)
METRICS = web.AppKey("metrics", Metrics)
REQUEST_LIMITS = web.AppKey("request_limits", RequestLimits)
CORS = web.AppKey("cors", CorsPolicy)
# called after each request of a route that accepts messages
ON_MESSAGE_REQUEST: web.AppKey[Callable[[], None]] = web.AppKey("on_message_request")
