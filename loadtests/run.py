"""One run of load on a system: sending, the ledger, and the wait for the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from time import time

from loadtests.generator import Generator, Shots
from loadtests.groups import Groups, until
from loadtests.ledger import Balance, Ledger
from loadtests.orders import Order, Orders, signed_up
from loadtests.reader import LedgerReader
from loadtests.system import System

STALL_SECONDS = 30.0


class Run:
    """Use as a context manager on a system at rest; it registers a user of its own."""

    def __init__(self, system: System, connections: int = 32) -> None:
        settings = system.settings
        self.system = system
        self.ledger = Ledger()
        self.reader = LedgerReader(settings, self.ledger)
        self.generator = Generator(settings.host, settings.port, connections)
        self.token = ""
        self.began_ms = 0.0
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Run:
        settings = self.system.settings
        self.token = await signed_up(settings.host, settings.port)
        await self._parts.enter_async_context(self.reader)
        await self._parts.enter_async_context(self.generator)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def meet(self, orders: Orders) -> None:
        """Make every conversation known, with one message each, and wait until those are through."""
        await self.send(orders.one_for_each_conversation())
        await self.settled()

    async def send(
        self, orders: Sequence[Order], per_second: float | None = None, *, connections: int | None = None
    ) -> Shots:
        """Send ``orders`` (flat out without a rate) and book the answers when all are there.

        ``connections``: upper limit.
        """
        requests = [order.request(self.token) for order in orders]
        self.began_ms = time() * 1000
        if per_second is None:
            shots = await self.generator.flat_out(requests, connections)
        else:
            shots = await self.generator.at_rate(requests, per_second)
        self.book(orders, shots)
        return shots

    def book(self, orders: Sequence[Order], shots: Shots) -> None:
        """Enter the answers into the ledger. After a 503 or no answer nobody knows whether a message was taken."""
        for order, answer in zip(orders, shots.answers, strict=True):
            if answer.status == 202:
                self.ledger.accepted(order, answer.json()["message_id"])
            elif answer.status in (0, 503):
                self.ledger.uncertain += 1

    async def settled(self, stall_seconds: float = STALL_SECONDS) -> bool:
        """Return whether every message came to its end, as long as something moves every ``stall_seconds``."""
        return await self.reader.settled(stall_seconds)

    async def at_rest(self, seconds: float = STALL_SECONDS) -> None:
        """Wait until every role has committed all its work. No repetition is pending then."""
        async with Groups.connected(self.system.settings) as groups:
            for role in self.system.counts:

                async def is_done(role: str = role) -> bool:
                    return await groups.lag(role) == 0

                await until(f"{role} has no work left", seconds, is_done)

    def balance(self, *, may_repeat: bool = False) -> Balance:
        """Judge the run; the channels' logs are part of the evidence."""
        return self.ledger.balance(self.system.sends(), may_repeat=may_repeat)

    @property
    def end_to_end_seconds(self) -> float:
        """Seconds from the start of the last ``send`` to the last final fact."""
        return (self.reader.last_ms - self.began_ms) / 1000
