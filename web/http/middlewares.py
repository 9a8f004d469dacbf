"""The middleware of every request: request id, mapping of errors to problems, measurement."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import web

from app.logs import logged_request_id
from app.tracing import traceparent_of as span_traceparent
from domain.errors import Chat4AllError, Unavailable
from web.http.app_keys import METRICS, ON_MESSAGE_REQUEST, REQUEST_LIMITS, TRACING
from web.http.headers import preflight
from web.http.in_flight import IN_FLIGHT
from web.http.problems import INTERNAL, problem_answer, problem_of, problem_of_http
from web.http.request_keys import REQUEST_ID, TRACEPARENT
from web.http.route import route_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SLOW_SECONDS = 1.0
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
# W3C Trace Context: version-traceid-parentid-flags; all-zero ids are invalid, as is version ff
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def request_id_of(headers: Mapping[str, str]) -> str:
    """Return the client's ``X-Request-Id`` if it is sane, else a new one."""
    given = headers.get("X-Request-Id")
    return given if given is not None and _SANE_ID.fullmatch(given) else os.urandom(16).hex()


def traceparent_of(headers: Mapping[str, str]) -> str:
    """Return the client's ``traceparent`` if it is valid, else the start of a new trace."""
    given = headers.get("traceparent")
    if given is not None and _TRACEPARENT.fullmatch(given):
        return given
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


@web.middleware
async def answer_every_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One layer, not three: each costs a coroutine a request."""
    started = perf_counter()
    span = _begun(request) if request.app[TRACING] is not None else None
    request_id = request[REQUEST_ID] = request_id_of(request.headers)
    logged_request_id.set(request_id)  # of this connection's task, so until its next request
    app = request.app
    requests = app[IN_FLIGHT]
    requests.count += 1
    try:
        response = await _answer(request, handler, request_id)
        if span is not None:
            span.set_attribute("http.response.status_code", response.status)
        if requests.is_stopping:
            response.force_close()
    finally:
        requests.end()
        if span is not None:
            span.end()
    if isinstance(response, web.WebSocketResponse):
        return response  # how long it stayed is no duration of a request
    seconds = perf_counter() - started
    route = route_of(request)
    # the methods of a table are few, those of the world are not: a metric's labels are bounded
    method, path = ("-", "unknown") if route is None else (request.method, route.path)
    app[METRICS].requests.count(seconds, method, path, str(response.status))
    if route is not None and route.accepts_messages:
        app[ON_MESSAGE_REQUEST]()
    if response.status >= 500 or (seconds > SLOW_SECONDS and not (route is not None and route.is_transfer)):
        _report(logging.WARNING, request, response.status, seconds)
    elif log.isEnabledFor(logging.DEBUG):
        _report(logging.DEBUG, request, response.status, seconds)
    return response


def _begun(request: web.Request) -> Span | None:
    """Return the span of a request that may accept messages; it continues the client's trace."""
    tracing, route = request.app[TRACING], route_of(request)
    if tracing is None or route is None or not route.accepts_messages:
        return None
    about = {"http.request.method": request.method, "http.route": route.path}
    given = request.headers.get("traceparent", "")
    span = tracing.start(f"{request.method} {route.path}", "SERVER", given, about=about)
    request[TRACEPARENT] = span_traceparent(span)
    return span


async def _answer(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    """Return the handler's response, or a problem for its error."""
    try:
        if (limits := request.app[REQUEST_LIMITS]).limits_addresses:
            limits.take_for_address(request)
        if request.method == "OPTIONS" and (answer := preflight(request)) is not None:
            return answer
        return await handler(request)
    except Chat4AllError as error:
        if isinstance(error, Unavailable):
            log.warning("a dependency is unavailable: %s", error, extra={"request_id": request_id})
        problem = problem_of(error)
    except web.HTTPException as error:
        problem = problem_of_http(error)
    except ConnectionError:
        raise  # the client has disconnected: no response and no error
    except Exception:
        log.exception("a handler failed", extra={"request_id": request_id, "path": request.path})
        problem = INTERNAL
    return problem_answer(problem, request.rel_url.raw_path, request_id)


def _report(level: int, request: web.Request, status: int, seconds: float) -> None:
    facts = {
        "request_id": request[REQUEST_ID],
        "method": request.method,
        "path": request.rel_url.raw_path[:200],
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    log.log(level, "%(method)s %(path)s %(status)s in %(ms)s ms", facts, extra=facts)
