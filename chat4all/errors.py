"""Errors of requests and transfers.

ClientError
├── LocalFault            a file of this machine cannot be read or written
│   ├── TargetExists      a download would replace a file
│   └── OutputClosed      the reader of a download closed the output
├── Damaged               the received bytes do not match the checksum
├── ApiUnavailable        nothing answers, or the API cannot serve this now (503); trying again later can help
│   ├── Unconfirmed       … and the sent message may have been accepted nevertheless
│   └── NotChat4All       another kind of server answers
└── ApiError              the API answered with a problem (RFC 9457)
    ├── InvalidRequest    400: the request is invalid; ``fields`` lists the errors by field
    ├── NotLoggedIn       401: no token, or an invalid one that cannot be refreshed; log in
    ├── Forbidden         403: this user may not do this
    ├── NotFound          404: there is no such resource, or this user may not know of it
    ├── Conflict          409: the request contradicts the current state
    └── TooManyRequests   429: ``retry_after_seconds`` says when to try again
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of the tree; ``str(error)`` is a sentence for people."""


class LocalFault(ClientError):
    """A file of this machine cannot be read or written, or is changed by somebody else meanwhile."""


class TargetExists(LocalFault):
    """A download would replace a file."""


class OutputClosed(LocalFault):
    """The reader of a download closed the output."""


class Damaged(ClientError):
    """The received bytes do not match the file's SHA-256."""


class ApiUnavailable(ClientError):
    """Nothing answers at the API's address, or the API cannot serve the request now (503); try again later.

    ``never_arrived``: no server accepted the connection. ``is_in_doubt``: the API may have processed the request.
    ``message_id``: of the message in doubt, empty if no answer named it. ``retry_after_seconds``: as the API asked.
    """

    def __init__(
        self,
        detail: str,
        *,
        never_arrived: bool = False,
        is_in_doubt: bool | None = None,
        message_id: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.never_arrived = never_arrived
        self.is_in_doubt = not never_arrived if is_in_doubt is None else is_in_doubt
        self.message_id = message_id
        self.retry_after_seconds = retry_after_seconds


class Unconfirmed(ApiUnavailable):
    """A message was sent, but no answer confirms it; it may have been accepted.

    ``message_id``: query it later to find out; empty if it is not known. ``idempotency_key``: repeat the message with
    it; both requests then make one message.
    """

    def __init__(self, cause: ApiUnavailable, idempotency_key: str) -> None:
        super().__init__(
            f"{cause}; the message may have been accepted",
            message_id=cause.message_id,
            retry_after_seconds=cause.retry_after_seconds,
        )
        self.idempotency_key = idempotency_key


class NotChat4All(ApiUnavailable):
    """The server at the address is not a Chat4All API."""


class ApiError(ClientError):
    """The API answered with a problem. ``str(error)`` is its detail, ``status`` its HTTP status.

    ``code``: stable, such as ``not-found``. ``fields``: (field, what is wrong with it). ``request_id``: to look it up
    in the logs of the server.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        fields: tuple[tuple[str, str], ...] = (),
        request_id: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.fields = fields
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(ApiError):
    """400."""


class NotLoggedIn(ApiError):
    """401."""


class Forbidden(ApiError):
    """403."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409."""


class TooManyRequests(ApiError):
    """429."""


_CLASS_OF: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: NotLoggedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def api_error_of(status: int, problem: Mapping[str, Any], retry_after_seconds: float | None = None) -> ApiError:
    """Return the exception for a problem document.

    {"type": "urn:chat4all:problem:invalid-input", "detail": "…", "errors": [{"field": "content", "detail": "…"}], …}
    """
    found = problem.get("errors")
    fields = tuple(
        (str(one.get("field", "")), str(one.get("detail", "")))
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, Mapping)
    )
    return _CLASS_OF.get(status, ApiError)(
        status,
        str(problem.get("detail") or problem.get("title") or f"HTTP status {status}"),
        code=str(problem.get("type", "")).rpartition(":")[2],
        fields=fields,
        request_id=str(problem.get("request_id", "")),
        retry_after_seconds=retry_after_seconds,
    )
