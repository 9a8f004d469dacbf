"""Map errors to HTTP: the one mapping, and the RFC 9457 document of every error.

HTTP/1.1 400 Bad Request
Content-Type: application/problem+json

{"type":"urn:chat4all:problem:invalid-input","title":"Bad Request","status":400,
 "detail":"content: must not be empty","instance":"/v1/messages","request_id":"5f0c…",
 "error":"content: must not be empty","errors":[{"field":"content","detail":"must not be empty"}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from domain import errors
from web.errors import (
    BodyTimeout,
    BodyTooLarge,
    ChecksumMismatch,
    FieldErrors,
    Gone,
    Locked,
    RateLimited,
    UnsupportedEncoding,
    UnsupportedMediaType,
    UnsupportedTransferCoding,
    UnsupportedTusVersion,
    UpgradeRequired,
    WrongOffset,
)
from web.http.security import SECURITY_HEADERS, SERVER

PROBLEM_JSON = "application/problem+json"
_MAX_INSTANCE_CHARS = 1_000


CHECKSUM_MISMATCH = 460  # of tus; HTTP has no such status
_TITLES = {CHECKSUM_MISMATCH: "Checksum Mismatch"}

# The first class that fits decides, so leaves stand above their parents.
STATUS_OF: tuple[tuple[type[errors.Chat4AllError], int], ...] = (
    (errors.InvalidInput, HTTPStatus.BAD_REQUEST),
    (errors.NotAuthenticated, HTTPStatus.UNAUTHORIZED),
    (errors.NotAllowed, HTTPStatus.FORBIDDEN),
    (Gone, HTTPStatus.GONE),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (BodyTimeout, HTTPStatus.REQUEST_TIMEOUT),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.NotDeliverable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedEncoding, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (UnsupportedTusVersion, HTTPStatus.PRECONDITION_FAILED),
    (Locked, HTTPStatus.LOCKED),
    (ChecksumMismatch, CHECKSUM_MISMATCH),
    (RateLimited, HTTPStatus.TOO_MANY_REQUESTS),
    (UpgradeRequired, HTTPStatus.UPGRADE_REQUIRED),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the client gets it. ``headers``: of the response. ``more``: additional members of the document."""

    status: int
    code: str
    detail: str
    errors: Sequence[tuple[str, str]] = ()
    headers: dict[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


# What the adapters say of an outage names hosts and drivers: that is for the log, not for clients.
_OUTAGES: tuple[tuple[type[errors.Unavailable], str], ...] = (
    (errors.InDoubt, "the message log did not acknowledge in time, so this may be done or not; try again"),
    (errors.LogUnavailable, "the message log does not take records just now; nothing was accepted, try again"),
    (errors.StoreUnavailable, "the store of accounts, conversations and history does not answer; try again"),
    (errors.FileStoreUnavailable, "the store of files does not answer; try again"),
)

INTERNAL = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "internal error; it has been logged")


def problem_of(error: errors.Chat4AllError) -> Problem:
    """Return the problem for ``error``."""
    status = next((status for cls, status in STATUS_OF if isinstance(error, cls)), HTTPStatus.INTERNAL_SERVER_ERROR)
    more: Mapping[str, Any] = {}
    if isinstance(error, errors.MayBeAccepted):
        detail, more = str(error), {"message_id": error.message_id, "may_have_been_accepted": True}
    else:
        detail = next((text for cls, text in _OUTAGES if isinstance(error, cls)), str(error))
    headers = _headers_of(error)
    found: Sequence[tuple[str, str]] = ()
    if isinstance(error, FieldErrors):
        found = error.found
    elif isinstance(error, errors.InvalidInput) and error.field:
        found = ((error.field, str(error)),)
    code = error.reason if isinstance(error, errors.NotDeliverable) else error.code
    return Problem(status, code, detail, found, headers, more)


def _headers_of(error: errors.Chat4AllError) -> dict[str, str]:
    match error:
        case RateLimited():
            # the names of draft-ietf-httpapi-ratelimit-headers-06, which clients know; later drafts changed them
            return {
                "Retry-After": str(error.retry_after_seconds),
                "RateLimit-Limit": str(error.limit),
                "RateLimit-Remaining": str(error.remaining),
                "RateLimit-Reset": str(error.reset_seconds),
            }
        case Locked() | errors.Unavailable():
            return {"Retry-After": str(error.retry_after_seconds)}
        case errors.NotAuthenticated():
            return {"WWW-Authenticate": 'Bearer realm="chat4all"'}
        case WrongOffset():
            return {"Upload-Offset": str(error.offset_bytes)}
        case UnsupportedTusVersion():
            return {"Tus-Version": error.supported}
        case UpgradeRequired():
            return {"Upgrade": "websocket", "Connection": "Upgrade"}
        case UnsupportedEncoding():
            return {"Accept-Encoding": "identity"}
    return {}


def problem_of_http(error: web.HTTPException) -> Problem:
    """Return the problem for an error of aiohttp itself: unknown path, wrong method, unknown ``Expect``."""
    status = HTTPStatus(error.status)
    details = {
        HTTPStatus.NOT_FOUND: "there is nothing at this path",
        HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take this method; see Allow",
    }
    headers = {name: error.headers[name] for name in ("Allow", "Location") if name in error.headers}
    code = status.phrase.lower().replace(" ", "-")
    return Problem(status, code, details.get(status, error.reason), (), headers)


def problem_document(problem: Problem, raw_path: str, request_id: str) -> dict[str, Any]:
    """Return the RFC 9457 document."""
    document: dict[str, Any] = {
        "type": f"urn:chat4all:problem:{problem.code}",
        "title": _TITLES.get(problem.status) or HTTPStatus(problem.status).phrase,
        "status": int(problem.status),
        "detail": _printable(problem.detail),
        "instance": _printable(raw_path[:_MAX_INSTANCE_CHARS]),
        "request_id": request_id,
        "error": _printable(problem.detail),
        **problem.more,
    }
    if problem.errors:
        document["errors"] = [
            {"field": _printable(name), "detail": _printable(detail)} for name, detail in problem.errors
        ]
    return document


def problem_answer(problem: Problem, raw_path: str, request_id: str) -> web.Response:
    """Return the ``application/problem+json`` answer."""
    document = problem_document(problem, raw_path, request_id)
    # the security headers, too: malformed HTTP is answered outside the application
    headers = {"Content-Type": PROBLEM_JSON, "X-Request-Id": request_id, "Server": SERVER, **SECURITY_HEADERS}
    headers |= problem.headers
    reason = _TITLES.get(problem.status)
    return web.Response(body=orjson.dumps(document), status=problem.status, reason=reason, headers=headers)


def _printable(text: str) -> str:
    """Replace lone surrogates by question marks: JSON in UTF-8 cannot hold them, and a path may contain any bytes."""
    return text.encode("utf-8", "replace").decode()
