"""Listeners: a person with an open WebSocket, who gets messages of another user and reads each."""

from __future__ import annotations

import time

import gevent

from loadtests.locust.api import ask
from loadtests.locust.journeys.base import Journey
from loadtests.locust.journeys.sockets import Socket
from loadtests.locust.run_state import RUN
from loadtests.orders import Order

PUSH, READ = "push to a WebSocket", "POST read"
PAUSE_SECONDS = 0.5


class Listener(Journey):
    """Two users in one: one writes, the other hears of it on a WebSocket and says that it is read."""

    label = "live"
    weight = 4

    def prepare(self) -> None:
        self.hearer = next(account for account in iter(RUN.account, None) if account is not self.account)
        self.conversation_id = RUN.conversation(self.account)
        document = {"conversation_id": self.conversation_id, "participants": [self.hearer.user_id]}
        self.call("POST", "/v1/conversations", document)
        self.due: dict[str, float] = {}
        self.socket = Socket(self.hearer, self._take)
        RUN.at_end.append(self.socket.close)

    def turn(self, due: float) -> None:
        order = Order(self.conversation_id, self.hearer.user_id, self.text())
        body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": order.content}
        self.due[order.content] = due
        self.send(body, order, due, is_pushed=True)

    def _take(self, frame: dict[str, str]) -> None:
        if frame["conversation_id"] != self.conversation_id:
            return
        now = time.monotonic()
        RUN.book.pushed.add(frame["message_id"])
        RUN.recorder.note(PUSH, self.due.pop(frame["content"], now), now)
        gevent.spawn(self._read, frame["message_id"])

    def _read(self, message_id: str) -> None:
        due, status = time.monotonic(), 0
        for _ in range(20):
            status, _ = ask("POST", f"{RUN.options.host}/v1/messages/{message_id}/read", token=self.hearer.token)
            if status not in (0, 429, 502, 503, 504):
                break
            gevent.sleep(PAUSE_SECONDS)
        RUN.recorder.note(READ, due, time.monotonic(), "" if status == 200 else f"status {status}")
