"""Messages at a steady rate, each on a connection of its own, until told to stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from loadtests.http_client import Answer, Client
from loadtests.orders import Order, Orders
from loadtests.run import Run


class Load:
    """``answers``: how often each status came; 0 is no answer."""

    def __init__(self, run: Run, orders: Orders, per_second: float) -> None:
        self._run = run
        self._orders = _in_turn(orders)
        self._per_second = per_second
        self.answers: Counter[int] = Counter()
        self.is_over = False

    async def go_on(self) -> None:
        """Send until ``is_over``; return when all answers are there."""
        clock = asyncio.get_running_loop().time
        due = clock()
        client = self._run.system.client(self._run.token)
        async with asyncio.TaskGroup() as asked:
            while not self.is_over:
                asked.create_task(self._ask(client, next(self._orders)))
                due += 1 / self._per_second
                await asyncio.sleep(max(0.0, due - clock()))

    async def _ask(self, client: Client, order: Order) -> None:
        body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": order.content}
        answer: Answer = await client.ask("POST", "/v1/messages", body)
        self.answers[answer.status] += 1
        if answer.status == 202:
            self._run.ledger.accepted(order, answer.json()["message_id"])
        elif answer.status in (0, 503):
            self._run.ledger.uncertain += 1


def _in_turn(orders: Orders) -> Iterator[Order]:
    """Yield a message of each conversation, again and again."""
    while True:
        yield from orders.one_for_each_conversation()
