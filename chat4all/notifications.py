"""Live notifications: one WebSocket after another, each going on where the last one ended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from chat4all.errors import ApiUnavailable, NotLoggedIn, TooManyRequests, api_error_of
from chat4all.retry_budget import RetryBudget, seconds_of
from chat4all.transport import Transport

HEARTBEAT_SECONDS = 20.0
CONNECT_SECONDS = 10.0
MAX_FRAME_BYTES = 1 << 20
# close codes of web/live/frames.py; the first two want another token
_TOKEN_REFUSED, _TOKEN_EXPIRED, _TOO_MANY = 1008, 4401, 4429


class Notifications:
    """``since``: the cursor of the last frame seen, kept up to date; ``seconds``: how long to be without a connection.

    A lost connection is replaced by a new one from ``since`` on, without a gap.
    """

    def __init__(self, transport: Transport, since: str | None, seconds: float) -> None:
        self._transport = transport
        self._budget = RetryBudget(seconds)
        self._since = since
        self._refused_token = ""

    async def frames(self) -> AsyncIterator[dict[str, Any]]:
        """Yield frames for ever. Raises ``ApiUnavailable``, ``NotLoggedIn``, ``TooManyRequests``, ``ApiError``."""
        while True:
            token = self._transport.tokens.access_token
            asked_seconds: float | None = None
            reason = "the connection ended"
            try:
                async with self._connected(token) as socket:
                    self._transport.has_answered = True
                    async for frame in _documents_of(socket):
                        if frame.get("type") == "connected":
                            self._budget.renew()
                            self._refused_token = ""
                        self._since = frame.get("cursor", self._since)
                        if frame.get("type") not in ("ping", "pong"):
                            yield frame
                    await self._judge(socket.close_code, token)
            except aiohttp.WSServerHandshakeError as error:
                self._transport.has_answered = True
                reason = f"status {error.status} instead of a WebSocket"
                if error.status not in (429, 502, 503, 504):
                    problem = {"detail": f"{self._transport.url} answers with {reason}"}
                    raise api_error_of(error.status, problem) from error
                asked_seconds = seconds_of(error.headers.get("Retry-After") if error.headers else None)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if not self._transport.has_answered:
                    raise self._transport.unavailable_after(error) from error
                reason = str(error) or type(error).__name__
            if not await self._budget.wait(asked_seconds):
                raise ApiUnavailable(f"no live notifications from {self._transport.url}: {reason}")

    def _connected(self, token: str) -> Any:
        return self._transport.session.ws_connect(
            f"{self._transport.url}/notifications",
            params={"since": self._since} if self._since else {},
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=MAX_FRAME_BYTES,
        )

    async def _judge(self, code: int | None, token: str) -> None:
        """Get another token if the connection ended for want of one; raise if connecting again is of no use."""
        if code == _TOO_MANY:
            raise TooManyRequests(429, "this user has as many live connections as are allowed", code="rate-limited")
        if code not in (_TOKEN_REFUSED, _TOKEN_EXPIRED):
            return
        if self._refused_token or not await self._transport.refresh(token):
            raise NotLoggedIn(401, "the API does not take this token for notifications; log in again")
        self._refused_token = token


async def _documents_of(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        try:
            document = json.loads(message.data)
        except ValueError as error:
            raise ApiUnavailable("the frames of the WebSocket are not of a Chat4All API") from error
        if isinstance(document, dict):
            yield document
