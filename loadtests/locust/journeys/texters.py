"""Texters: each writes to one person on a channel, at an even pace."""

from __future__ import annotations

from loadtests.locust.journeys.base import Journey
from loadtests.locust.run_state import RUN
from loadtests.orders import Order, address_on


class Texter(Journey):
    """Writes one message a turn, always in the same conversation."""

    label = "text"
    weight = 12

    def prepare(self) -> None:
        number = RUN.number()
        self.conversation_id = RUN.conversation(self.account)
        self.recipient_id = address_on(number)

    def turn(self, due: float) -> None:
        order = Order(self.conversation_id, self.recipient_id, self.text())
        body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": order.content}
        self.send(body, order, due)
