"""A provider with outages of hours, lost answers, and receipts that come late, twice, or before the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.clock import now_ms
from domain.outcomes import NotNow, Refused, Scope, SendOutcome, Sent, Unknown
from domain.ports import Attachment, ConnectorCapabilities, Receipt
from domain.records import DeliveryRequested, ReceiptReported
from loadtests.provider import Given, Taken

HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Manners:
    """Shares of calls and receipts. ``outage_hours``: between two outages, on average; each lasts up to 40 minutes."""

    lost_answer: float = 0.02  # taken, and the call ends without an answer
    lost_call: float = 0.02  # not taken, and the call ends without an answer
    not_now: float = 0.03
    throttled: float = 0.02
    refused: float = 0.01
    taken_of_the_dead: float = 0.5
    early: float = 0.1
    twice: float = 0.1
    late: float = 0.05
    outage_hours: float = 30.0


class SimulatedProvider:
    """A connector. ``report`` gets each receipt, with its conversation. ``called`` is set by each call."""

    channel = "whatsapp"
    capabilities = ConnectorCapabilities()

    def __init__(self, chance: random.Random, report: Callable[[ReceiptReported, str], None]) -> None:
        self._chance = chance
        self._report = report
        self._manners = Manners()
        self.taken: list[Taken] = []
        self.given: list[Given] = []
        self.called = asyncio.Event()
        self._outage = (self._gap(), 0.0)

    def _gap(self) -> float:
        return asyncio.get_event_loop().time() + self._chance.expovariate(1 / (self._manners.outage_hours * HOUR))

    def _is_away(self) -> bool:
        now = asyncio.get_running_loop().time()
        begin, end = self._outage
        if end == 0.0 and now >= begin:
            self._outage = begin, now + self._chance.uniform(10, 40 * 60)
        elif end and now >= end:
            self._outage = self._gap(), 0.0
        return bool(self._outage[1])

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        """Take the message, or not."""
        chance, manners = self._chance, self._manners
        self.called.set()
        try:
            await asyncio.sleep(chance.uniform(0.02, 0.4))
        except asyncio.CancelledError:  # the worker ended; what it had sent may be here all the same
            if chance.random() < manners.taken_of_the_dead and not self._is_away():
                self._take(request, attempt)
            raise
        if self._is_away():
            await asyncio.sleep(chance.choice((0.05, 5.0)))
            return NotNow("the provider is away", None, Scope.ACCOUNT)
        draw = chance.random()
        for share, outcome in (
            (manners.lost_call, Unknown("no answer")),
            (manners.not_now, NotNow("not now", None, Scope.MESSAGE)),
            (manners.throttled, NotNow("too fast", 2.0, Scope.ACCOUNT, is_throttling=True)),
            (manners.refused, Refused("invalid", "no such person")),
        ):
            if draw < share:
                return outcome
            draw -= share
        provider_id = self._take(request, attempt)
        await asyncio.sleep(chance.uniform(0.01, 0.3))
        return Unknown("no answer") if draw < manners.lost_answer else Sent(provider_id, now_ms())

    def _take(self, request: DeliveryRequested, attempt: int) -> str:
        chance, manners = self._chance, self._manners
        token, conversation = request.message_id, request.conversation_id
        self.taken.append(Taken(len(self.taken), token, request.account, conversation, request.recipient_id, now_ms()))
        provider_id = f"p-{token}-{attempt}"
        delivered = 0.0 if chance.random() < manners.early else chance.uniform(0.5, 20)
        if chance.random() < manners.late:
            delivered += chance.uniform(60, 4 * HOUR)
        for status, seconds in (("DELIVERED", delivered), ("READ", delivered + chance.uniform(1, 600))):
            for _ in range(2 if chance.random() < manners.twice else 1):
                self._later(
                    seconds, ReceiptReported(request.account, provider_id, token, status, now_ms()), conversation
                )
        return provider_id

    def _later(self, seconds: float, report: ReceiptReported, conversation: str) -> None:
        def give() -> None:
            self.given.append(Given(report.token, report.status))
            self._report(report, conversation)

        asyncio.get_running_loop().call_later(seconds, give)

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        """Return that nothing is known."""
        return Unknown("nothing tells")

    async def upload(self, attachment: Attachment) -> str:
        """Return the name of a file."""
        return "media"

    async def close(self) -> None:
        """Nothing is open."""

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return none: they come by ``report``."""
        return ()
