"""What a request can end in, other than an answer.

ClientError
├── LocalFault            a file of this machine cannot be read or written
│   ├── TargetExists      a download would replace a file
│   └── OutputClosed      whoever read the bytes of a download has enough of them
├── Damaged               the bytes that came are not those of the file, by their checksum
├── Unreachable           nothing answers, or it cannot serve this now (503); trying again later can help
└── Refused               the API answered with a problem (RFC 9457)
    ├── InvalidRequest    400: what was asked for cannot be; ``fields`` says what is wrong with which
    ├── NotLoggedIn       401: no token, or it is not valid and could not be refreshed; log in
    ├── Forbidden         403: it is there, and not for this user
    ├── NotFound          404: it is not there, or not for this user to know of
    ├── Conflict          409: it is in another state, or taken
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
    """Whoever read the bytes of a download has enough of them."""


class Damaged(ClientError):
    """The bytes that came are not those of the file, by their SHA-256."""


class Unreachable(ClientError):
    """Nothing answers at the API's address, or it has no use of what it depends on; try again later."""


class Refused(ClientError):
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


class InvalidRequest(Refused):
    """400."""


class NotLoggedIn(Refused):
    """401."""


class Forbidden(Refused):
    """403."""


class NotFound(Refused):
    """404."""


class Conflict(Refused):
    """409."""


class TooManyRequests(Refused):
    """429."""


_CLASS_OF: dict[int, type[Refused]] = {
    400: InvalidRequest,
    401: NotLoggedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def refused_of(status: int, problem: Mapping[str, Any], retry_after_seconds: float | None = None) -> Refused:
    """Return the exception that a problem is.

    {"type": "urn:chat4all:problem:invalid-input", "detail": "…", "errors": [{"field": "content", "detail": "…"}], …}
    """
    found = problem.get("errors")
    fields = tuple(
        (str(one.get("field", "")), str(one.get("detail", "")))
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, Mapping)
    )
    return _CLASS_OF.get(status, Refused)(
        status,
        str(problem.get("detail") or problem.get("title") or f"HTTP status {status}"),
        code=str(problem.get("type", "")).rpartition(":")[2],
        fields=fields,
        request_id=str(problem.get("request_id", "")),
        retry_after_seconds=retry_after_seconds,
    )
