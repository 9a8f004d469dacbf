"""Asks a channel about messages whose receipts are missing: a webhook that never came is made up for.

A message that the channel took is remembered until it is READ or was asked about ``ASKED_AFTER_SECONDS``. Its answer
goes to ``<channel>-events``, like a webhook's receipts, so what is known already changes nothing. What is remembered is
lost when the partition goes to another worker: the memory heals lost webhooks, and no promise depends on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from mode import Service

from app.kafka.codec import encode
from domain.errors import Unavailable
from domain.ports import HistoryConnector, Receipt
from domain.records import ReceiptReported
from domain.status import Status

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from app.faust.stream_app import StreamApp
    from domain.attempts import Attempt

log = logging.getLogger(__name__)

MOST_REMEMBERED = 100_000  # messages in one worker; the oldest one goes
# The first question is about DELIVERED, which a healthy channel reports within seconds. The later one is about READ,
# which people may leave out for days: it is asked only while receipts are known to be lost.
ASKED_AFTER_SECONDS = (30.0, 110.0)
LOSS_SECONDS = 600.0  # so long after a lost receipt others may be lost, too
ASKED_AT_ONCE = 8
MOST_ASKED = 1_000  # of one look: a channel that does not answer holds up no more
ASK_SECONDS = 10.0
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Awaited:
    """A message that the channel took. ``words``: the receipts that came; ``asked``: how often it was asked about."""

    partition: int
    conversation_id: str
    name: str
    account: str
    provider_id: str
    sent_at: float
    asked: int = 0
    words: set[str] = field(default_factory=set)


class LostReceipts(Service):  # type: ignore[misc]
    """The memory and the questions of one worker. ``taken`` and ``came`` are called by the settlement of deliveries."""

    def __init__(self, app: StreamApp, channel: str, choice: AccountChoice, **kwargs: Any) -> None:
        self._app = app
        self._topic = app.names.events(channel)
        self._choice = choice
        self._awaited: OrderedDict[tuple[int, str], Awaited] = OrderedDict()
        self._due: list[tuple[float, int, tuple[int, str]]] = []
        self._number = 0
        self._lost_at = -inf
        self.healed = 0
        super().__init__(**kwargs)

    async def on_started(self) -> None:
        self.add_future(self._look())

    def clear(self) -> None:
        """Forget everything: the partitions are going away."""
        self._awaited.clear()
        self._due.clear()

    def taken(self, partition: int, conversation_id: str, name: str, attempt: Attempt) -> None:
        """Remember a message that the channel took, if the channel can be asked about it."""
        lane = self._choice.lanes.get(attempt.account)
        if attempt.provider_id is None or lane is None or not isinstance(lane.connector, HistoryConnector):
            return
        key = partition, name
        now = monotonic()
        self._awaited[key] = Awaited(partition, conversation_id, name, attempt.account, attempt.provider_id, now)
        self._plan(key, now + ASKED_AFTER_SECONDS[0])
        if len(self._awaited) > MOST_REMEMBERED:
            self._awaited.popitem(last=False)
        if len(self._due) > 2 * MOST_REMEMBERED:
            self._forget_stale()

    def came(self, partition: int, name: str, status: str) -> None:
        """Note a receipt."""
        awaited = self._awaited.get((partition, name))
        if awaited is None:
            return
        awaited.words.add(status)
        if status in (Status.READ, Status.FAILED):
            del self._awaited[partition, name]

    def due(self, now: float) -> list[Awaited]:
        """Return the messages to ask about now, at most ``MOST_ASKED``, each once for each time that is due."""
        found: list[Awaited] = []
        while self._due and self._due[0][0] <= now and len(found) < MOST_ASKED:
            key = heappop(self._due)[2]
            awaited = self._awaited.get(key)
            if awaited is None:
                continue
            awaited.asked += 1
            is_last = awaited.asked >= len(ASKED_AFTER_SECONDS)
            if is_last:
                del self._awaited[key]
            else:
                self._plan(key, awaited.sent_at + ASKED_AFTER_SECONDS[awaited.asked])
            if Status.DELIVERED not in awaited.words or (is_last and now - self._lost_at < LOSS_SECONDS):
                found.append(awaited)
        return found

    async def ask(self, awaited: Awaited) -> None:
        """Ask the channel about one message, and report its missing receipts."""
        lane = self._choice.lanes.get(awaited.account)
        connector = None if lane is None else lane.connector
        if not isinstance(connector, HistoryConnector):
            return
        try:
            async with asyncio.timeout(ASK_SECONDS):
                receipts = await connector.history(awaited.provider_id)
        except (Unavailable, TimeoutError) as error:
            log.info("%s was not told what became of %s: %s", awaited.account, awaited.name, error or "timed out")
            return
        except Exception:
            log.exception("the look-up of lost receipts of %s raised", awaited.account)
            return
        for receipt in receipts:
            if receipt.status not in awaited.words and receipt.status != Status.SENT:
                awaited.words.add(receipt.status)
                self._report(awaited, receipt)

    def _report(self, awaited: Awaited, receipt: Receipt) -> None:
        self.healed += 1
        self._lost_at = monotonic()
        log.info("the receipt %s of %s had not come; the channel's history has it", receipt.status, awaited.name)
        report = ReceiptReported(
            awaited.account,
            awaited.provider_id,
            awaited.name,
            str(receipt.status),
            receipt.at_ms,
            receipt.failure_code,
            receipt.failure_detail,
        )
        key = awaited.conversation_id.encode()
        self._app.batch_producer.enqueue(self._topic, awaited.partition, key, encode(report))

    def _plan(self, key: tuple[int, str], at: float) -> None:
        self._number += 1
        heappush(self._due, (at, self._number, key))

    def _forget_stale(self) -> None:
        """Drop the plans for what is not awaited any more; of several for one message the earliest stays."""
        plans = sorted(self._due, reverse=True)
        self._due = sorted({plan[2]: plan for plan in plans if plan[2] in self._awaited}.values())

    async def _look(self) -> None:
        room = asyncio.Semaphore(ASKED_AT_ONCE)

        async def bounded(awaited: Awaited) -> None:
            async with room:
                await self.ask(awaited)

        while not self.should_stop:
            found = self.due(monotonic())
            if found:
                await asyncio.gather(*map(bounded, found))
            if len(found) < MOST_ASKED:
                await self.sleep(LOOK_SECONDS)
