"""A WebSocket of a user, kept open for a run."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import gevent
import orjson
import websocket

from loadtests.locust.api import Account
from loadtests.locust.run_state import RUN

CONNECT_SECONDS, PAUSE_SECONDS = 10.0, 0.5


class Socket:
    """A WebSocket that is opened again where it ended, until ``close``. ``on_message`` gets each ``new_message``."""

    def __init__(self, account: Account, on_message: Callable[[dict[str, str]], None]) -> None:
        self._account = account
        self._on_message = on_message
        self._since = ""
        self._socket: websocket.WebSocket | None = None
        self._greenlet = gevent.spawn(self._listen)

    def close(self) -> None:
        """End it."""
        self._greenlet.kill()
        if self._socket is not None:
            self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                self._socket = self._connected()
                while text := self._socket.recv():
                    self._take(orjson.loads(text))
            except (OSError, websocket.WebSocketException, orjson.JSONDecodeError):
                pass
            gevent.sleep(PAUSE_SECONDS)

    def _connected(self) -> websocket.WebSocket:
        url = RUN.options.host.replace("http", "ws", 1) + "/notifications"
        if self._since:
            url += f"?since={quote(self._since, safe='')}"
        headers = [f"Authorization: Bearer {self._account.token}"]
        socket = websocket.create_connection(url, timeout=CONNECT_SECONDS, header=headers)
        socket.settimeout(None)
        return socket

    def _take(self, frame: dict[str, str]) -> None:
        self._since = frame.get("cursor", self._since)
        if frame.get("type") == "new_message":
            self._on_message(frame)
