"""Listeners: a person with an open WebSocket, who gets messages of another user and reads each."""

from __future__ import annotations

import time
from urllib.parse import quote

import gevent
import orjson
import websocket

from loadtests.locust.api import Account, ask
from loadtests.locust.journeys.base import Journey
from loadtests.locust.run_state import RUN
from loadtests.orders import Order

PUSH, READ = "push to a WebSocket", "POST read"
CONNECT_SECONDS, PAUSE_SECONDS = 10.0, 0.5


class Listener(Journey):
    """Two users in one: one writes, the other hears of it on a WebSocket and says that it is read."""

    label = "live"
    weight = 4

    def prepare(self) -> None:
        self.hearer = next(account for account in iter(RUN.account, None) if account is not self.account)
        self.conversation_id = RUN.conversation(self.account)
        document = {"conversation_id": self.conversation_id, "participants": [self.hearer.user_id]}
        self.call("POST", "/v1/conversations", document)
        self.socket = Socket(self.hearer, self.conversation_id)
        RUN.at_end.append(self.socket.close)

    def turn(self, due: float) -> None:
        order = Order(self.conversation_id, self.hearer.user_id, self.text())
        body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": order.content}
        self.socket.due[order.content] = due
        self.send(body, order, due, is_pushed=True)


class Socket:
    """A WebSocket that is opened again where it ended, until ``close``. ``due``: by the text of a message."""

    def __init__(self, account: Account, conversation_id: str) -> None:
        self.due: dict[str, float] = {}
        self._account = account
        self._conversation_id = conversation_id
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
        if frame.get("type") != "new_message" or frame["conversation_id"] != self._conversation_id:
            return
        now = time.monotonic()
        RUN.book.pushed.add(frame["message_id"])
        RUN.recorder.note(PUSH, self.due.pop(frame["content"], now), now)
        gevent.spawn(self._read, frame["message_id"])

    def _read(self, message_id: str) -> None:
        due, status = time.monotonic(), 0
        for _ in range(20):
            status, _ = ask("POST", f"{RUN.options.host}/v1/messages/{message_id}/read", token=self._account.token)
            if status not in (0, 429, 502, 503, 504):
                break
            gevent.sleep(PAUSE_SECONDS)
        RUN.recorder.note(READ, due, time.monotonic(), "" if status == 200 else f"status {status}")
