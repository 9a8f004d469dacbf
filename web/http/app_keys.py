"""Keys of the services in the application, set by the composition and read by the HTTP layer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from app.settings import Settings
from app.tracing import Tracing
from web.http.client_address import ClientAddresses
from web.http.cors import CorsPolicy
from web.http.metrics import Metrics
from web.http.request_limits import RequestLimits
from web.http.siblings import Siblings

SETTINGS = web.AppKey("settings", Settings)
METRICS = web.AppKey("metrics", Metrics)
SIBLINGS = web.AppKey("siblings", Siblings)
REQUEST_LIMITS = web.AppKey("request_limits", RequestLimits)
CORS = web.AppKey("cors", CorsPolicy)
# ``None`` while no collector of traces is set
TRACING: web.AppKey[Tracing | None] = web.AppKey("tracing")
# called after each request of a route that accepts messages
ON_MESSAGE_REQUEST: web.AppKey[Callable[[], None]] = web.AppKey("on_message_request")
CLIENT_ADDRESSES = web.AppKey("client_addresses", ClientAddresses)
# the time in epoch milliseconds
CLOCK_MS: web.AppKey[Callable[[], int]] = web.AppKey("clock_ms")

# Returns if the component answers; raises ``domain.errors.Unavailable`` (or does not return in time) if it does not.
Probe = Callable[[], Awaitable[None]]
PROBES: web.AppKey[Mapping[str, Probe]] = web.AppKey("probes")
