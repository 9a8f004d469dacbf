"""Phones: people at the simulator of the providers write to us, and a user of the inbox answers each."""

from __future__ import annotations

import time

import gevent

from loadtests.locust.api import Account, asked
from loadtests.locust.journeys.base import Journey
from loadtests.locust.journeys.sockets import Socket
from loadtests.locust.run_state import RUN
from loadtests.orders import Order

WRITTEN, ARRIVED = "a person writes, at the simulator", "from a person to a WebSocket"
CHANNELS = ("whatsapp", "instagram")  # Telegram tells a bot of no receipts, so an answer there stays SENT


class Inbox:
    """The owner of the inbound conversations: listens, reads, answers. One for the run."""

    def __init__(self) -> None:
        username, _, password = RUN.options.inbox.partition(":")
        self.account = Account(RUN.options.host, username, password).logged_in()
        self.due: dict[str, float] = {}
        self.answerers: dict[str, Phone] = {}
        self._socket = Socket(self.account, self._take)
        RUN.at_end.append(self._socket.close)

    def _take(self, frame: dict[str, str]) -> None:
        due = self.due.pop(frame["content"], None)
        if due is None:
            return
        RUN.book.arrived.append((frame["conversation_id"], frame["message_id"], frame["content"]))
        RUN.owners[frame["conversation_id"]] = self.account
        RUN.recorder.note(ARRIVED, due, time.monotonic())
        phone = self.answerers.pop(frame["content"])
        gevent.spawn(phone.answer, self.account, frame)


class Phone(Journey):
    """One person with a phone. A turn: they write, and the inbox answers, which the phone delivers and reads."""

    label = "inbound"
    weight = 4
    _inbox: Inbox | None = None

    def prepare(self) -> None:
        self.channel = CHANNELS[RUN.number() % len(CHANNELS)]
        self.phone_id = str(asked("POST", f"{RUN.options.simulator}/phones", {}, wanted=(201,))["id"])
        if Phone._inbox is None:
            Phone._inbox = Inbox()

    def turn(self, due: float) -> None:
        inbox, text = Phone._inbox, self.text()
        assert inbox is not None
        inbox.due[text] = due
        inbox.answerers[text] = self
        RUN.book.written.append(text)
        url = f"{RUN.options.simulator}/phones/{self.phone_id}/send"
        asked("POST", url, {"channel": self.channel, "text": text}, wanted=(200, 201))
        RUN.recorder.note(WRITTEN, due, time.monotonic())

    def answer(self, account: Account, frame: dict[str, str]) -> None:
        """Read a message as the inbox's user, and answer it."""
        RUN.under_way += 1
        try:
            due = time.monotonic()
            path = f"/v1/messages/{frame['message_id']}/read"
            response = self.call("POST", path, name="/v1/messages/{id}/read", account=account)
            self.timed("POST read", due, response)
            order = Order(frame["conversation_id"], "", self.text())
            body = {"conversation_id": order.conversation_id, "content": order.content}
            self.send(body, order, time.monotonic(), account=account)
        finally:
            RUN.under_way -= 1
