"""A route of the API as one value, read by everything with a rule per route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from web.http.caller import Caller

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MemberHandler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


class BodyLimit(Enum):
    """The setting with the limit of a body."""

    JSON = "CHAT4ALL_MAX_BODY_BYTES"
    BATCH = "CHAT4ALL_MAX_BATCH_BODY_BYTES"
    FORM = "CHAT4ALL_FILES_MAX_BYTES, and the form around the file"
    FILE = "CHAT4ALL_FILES_MAX_BYTES"
    WEBHOOK = "CHAT4ALL_WEBHOOKS_MAX_BYTES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method and a path (with names in braces), and how requests to them are treated.

    ``handler`` for everybody, ``member`` for callers with a valid token, or ``admin`` for those with the role admin.
    ``is_address_limited``: the rate limit by address counts it. ``is_transfer``: it takes as long as there are bytes,
    so slowness is not logged. ``accepts_messages``: transfers of files give way to it. ``answer_headers``: on each of
    its answers.
    """

    method: str
    path: str
    handler: Handler | None = None
    member: MemberHandler | None = None
    admin: MemberHandler | None = None
    body_limit: BodyLimit = BodyLimit.JSON
    is_address_limited: bool = True
    is_transfer: bool = False
    accepts_messages: bool = False
    answer_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name in ``web.description.operations``: ``POST /v1/messages``."""
        return f"{self.method} {self.path}"

    @property
    def needs_token(self) -> bool:
        """Whether only callers with a valid token are let in."""
        return self.handler is None

    @property
    def name(self) -> str:
        """The name of its handler."""
        handler = self.handler or self.member or self.admin
        assert handler is not None
        return handler.__name__


# Every route of an application, by the one that aiohttp's router found.
ROUTE_OF = web.AppKey("route_of", Mapping[web.AbstractRoute, Route])


def route_of(request: web.Request) -> Route | None:
    """Return the route of ``request``, ``None`` if there is nothing at its path."""
    return request.app[ROUTE_OF].get(request.match_info.route)
