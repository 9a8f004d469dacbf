"""``GET /notifications``: live events of the caller's conversations over WebSocket."""

from __future__ import annotations

import logging
import re

from aiohttp import web

from domain.errors import InvalidInput, NotAuthenticated
from web.accounts.tokens import TOKENS
from web.errors import UpgradeRequired
from web.http.app_keys import CORS, REQUEST_LIMITS, SETTINGS
from web.http.caller import Caller
from web.http.in_flight import IN_FLIGHT
from web.http.request_keys import REQUEST_ID
from web.live.frames import POLICY
from web.live.service import CLOSE_SECONDS, LIVE

log = logging.getLogger(__name__)

_SUBPROTOCOL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # a token of RFC 9110, section 5.6.2


async def follow(request: web.Request) -> web.StreamResponse:
    """Serve one WebSocket until it ends. A bad token closes it with 1008.

    The token comes as ``?token=``, ``Authorization: Bearer`` or, for browsers, as one of the values of
    ``Sec-WebSocket-Protocol`` (``new WebSocket(url, ["bearer", token])``). Without an upgrade: 401 or 426.
    """
    settings = request.app[SETTINGS]
    authorization, protocol = credentials_of(request)
    caller: Caller | None = None
    refusal = NotAuthenticated("")
    try:
        caller = request.app[TOKENS].caller_of(authorization)
        request.app[REQUEST_LIMITS].take_for_user(request, caller.user_id)
    except NotAuthenticated as error:
        refusal = error
    if not may_connect(request):
        caller, refusal = None, NotAuthenticated("pages of this origin may not connect")
    socket = web.WebSocketResponse(
        timeout=CLOSE_SECONDS,
        autoclose=False,
        heartbeat=settings.live_heartbeat_seconds,
        autoping=False,  # pings are frames that count
        max_msg_size=settings.live_max_frame_bytes + 1,  # of which aiohttp refuses the first size
        protocols=(protocol,) if protocol else (),
        compress=False,  # frames are made once for all who get them, and written as they are
    )
    if not is_upgrade(request):
        if caller is None:
            raise refusal
        raise UpgradeRequired("this path is for WebSockets: send Upgrade: websocket")
    socket.headers["X-Request-Id"] = request[REQUEST_ID]
    if not request.headers.get("Sec-WebSocket-Key", "").isascii():  # which aiohttp takes for granted
        raise InvalidInput("must be 16 bytes in base64", "Sec-WebSocket-Key")
    await socket.prepare(request)
    transport = request.transport
    with request.app[IN_FLIGHT].not_counted():
        if caller is None or transport is None:
            await socket.close(code=POLICY, message=str(refusal).encode()[:120])
        else:
            await request.app[LIVE].serve(socket, transport, caller, request.query.get("since"))
    return socket


def may_connect(request: web.Request) -> bool:
    """Return whether the setting lets pages of the request's origin in. Nothing but a browser tells one.

    Without the setting any may: a page needs a token, and browsers attach none by themselves.
    """
    cors, origin = request.app[CORS], request.headers.get("Origin")
    if origin is None or not cors.is_on:
        return True
    return cors.allows(origin) or origin.partition("://")[2] == request.headers.get("Host")


def is_upgrade(request: web.Request) -> bool:
    """Return whether the client asks for a WebSocket."""
    connection = request.headers.get("Connection", "").lower()
    return request.headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in connection


def credentials_of(request: web.Request) -> tuple[str | None, str | None]:
    """Return the token as an ``Authorization`` value, and the subprotocol to answer with.

    A browser with offered subprotocols insists on one of them in the answer: any but the token if there is another.
    """
    given = ",".join(request.headers.getall("Sec-WebSocket-Protocol", ()))
    offered = [text for text in map(str.strip, given.split(",")) if _SUBPROTOCOL.fullmatch(text)]
    tokens = [text for text in offered if text.count(".") == 2]
    protocol = next((text for text in offered if text not in tokens), offered[0] if offered else None)
    if token := request.query.get("token"):
        return f"Bearer {token}", protocol
    if authorization := request.headers.get("Authorization"):
        return authorization, protocol
    return (f"Bearer {tokens[0]}" if tokens else None), protocol
