"""A history: messages, crashes and graceful stops over days, and the comparison of truth and belief at the end."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass

from agents.facts import read_fact
from app.clock import now_ms
from app.kafka.codec import encode
from domain.message_state import UNKNOWN, MessageState, join_alone
from domain.records import DeliveryRequested, ReceiptReported
from loadtests.chaos.checks import Evidence, State
from loadtests.feed import Order
from support.days.broker import Broker
from support.days.faults import POINTS
from support.days.provider import SimulatedProvider
from support.days.world import EVENTS, OUTBOUND, SimulatedWorld
from tables import queue as queue_rows

DAY = 86_400.0
STATUSES = "status-updates"
CONVERSATIONS = 40
STOPS, AT_POINTS = 0.3, 0.5  # shares of graceful stops, and of crashes at a point of ``POINTS``; the others are by time
BURSTS = (1, 1, 1, 3)  # messages at a time
SAME_CONVERSATION = 0.5  # the share of the messages of a burst that go where the one before went
LONGEST_WAIT_SECONDS = 3_600.0  # for what may not come
REST_SECONDS = DAY + 2 * 3_600.0  # whatever waits has expired by then


@dataclass(slots=True)
class Outcome:
    """``digest``: of every record with its time. ``faults``: what was wrong, in words."""

    messages: int
    crashes: int
    stops: int
    records: int
    seconds: float
    digest: str
    faults: list[str]


class History:
    """``days`` of ``per_day`` messages, with ``crashes_a_day`` and as many graceful stops."""

    def __init__(self, seed: int, days: float, per_day: int, crashes_a_day: float) -> None:
        self._chance = random.Random(seed)
        random.seed(seed)  # what the product draws by itself
        self._days = days
        self._count = round(days * per_day)
        self._crashes = round(days * crashes_a_day)
        self.broker = Broker(random.Random(f"broker {seed}"))
        self.orders: list[Order] = []

    async def run(self) -> Outcome:
        """Live through it."""
        self.provider = SimulatedProvider(random.Random(f"provider {self._count}{self._chance.random()}"), self._report)
        world = self.world = SimulatedWorld(self.broker, self.provider)
        writing, disturbing = asyncio.create_task(self._write()), asyncio.create_task(self._disturb())
        world.outside |= {task for task in (asyncio.current_task(), writing, disturbing) if task is not None}
        await writing
        disturbing.cancel()
        await asyncio.wait([disturbing])
        world.faults.disarm()
        deadline = asyncio.get_running_loop().time() + REST_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(600)
            world.dispatcher.receipts.expire()
        faults = [text for check in self._evidence().checks() for text in check.faults]
        faults += [f"the worker ended: {error!r}" for _, error in world.app.aborted]
        faults += [f"{row.name} is still in the queue" for row in world.rows()]
        faults += [f"the changelog has a row that nobody deletes: {key!r}" for key in self._rows_on_record()]
        faults += self._without_outcome()
        for reader in world.readers:
            reader.cancel()
        return Outcome(
            len(self.orders),
            world.crashes,
            world.stops,
            self.broker.records,
            asyncio.get_running_loop().time(),
            self.broker.digest,
            faults,
        )

    def _rows_on_record(self) -> list[bytes]:
        """Return the keys of deliveries that a next owner, who reads the changelog, would find in the queue."""
        return [key for key in self.broker.tables["queue-changelog"] if key.startswith(queue_rows.DELIVERY)]

    def _without_outcome(self) -> list[str]:
        """Return the messages that were sent, without an outcome that prevents a second send after a move."""
        on_record = self.broker.tables["attempts-changelog"]
        sent = {read_fact(value, 0)[0].message_id for _, value in self.broker.logs[STATUSES]}
        return [f"no outcome of {name} is on record" for name in sorted(sent) if name.encode() not in on_record]

    def _report(self, receipt: ReceiptReported, conversation: str) -> None:
        self.broker.append(EVENTS, conversation.encode(), encode(receipt))

    async def _write(self) -> None:
        sequences: defaultdict[int, int] = defaultdict(int)
        for number in range(self._count):
            await asyncio.sleep(self._chance.expovariate(self._count / (self._days * DAY)))
            one = self._chance.randrange(CONVERSATIONS)
            for _ in range(self._chance.choice(BURSTS)):
                if self._chance.random() > SAME_CONVERSATION:
                    one = self._chance.randrange(CONVERSATIONS)
                sequences[one] += 1
                order = Order(
                    f"m-{number}-{len(self.orders)}", f"c-{one}", f"whatsapp:+55119{one:08d}", "", sequences[one]
                )
                self.orders.append(order)
                request = DeliveryRequested(
                    order.message_id,
                    order.conversation_id,
                    "u",
                    order.recipient_id,
                    "hi",
                    None,
                    now_ms(),
                    len(self.orders),
                )
                self.broker.append(OUTBOUND, order.conversation_id.encode(), encode(request))

    async def _disturb(self) -> None:
        for _ in range(self._crashes):
            await asyncio.sleep(self._chance.expovariate(self._crashes / (self._days * DAY)))
            draw = self._chance.random()
            if draw < AT_POINTS:
                await self._at_a_point()
                continue
            await self._into_work()
            if draw < 1 - STOPS:
                self.world.crash()
            else:
                await self.world.stop()

    async def _at_a_point(self) -> None:
        """Let the worker end at a point that the next messages reach, or at none if they do not."""
        self.world.faults.arm(self._chance.choice(POINTS), self._chance.randrange(3))
        if not await _came(self.world.faults.happened):
            self.world.faults.disarm()

    async def _into_work(self) -> None:
        """Wait until something is under way: a crash of an idle worker shows nothing."""
        self.provider.called.clear()
        await _came(self.provider.called)
        await asyncio.sleep(self._chance.uniform(0, 0.5))

    def _evidence(self) -> Evidence:
        states: dict[str, MessageState] = {}
        for _, value in self.broker.logs[STATUSES]:
            change, fact = read_fact(value, 0)
            states[change.message_id] = join_alone(states.get(change.message_id, UNKNOWN), fact)
        return Evidence(
            orders=self.orders,
            states={
                name: State(s.status, s.delivered_at_ms is not None, s.read_at_ms is not None, s.failure_code or "")
                for name, s in states.items()
            },
            taken=self.provider.taken,
            given=self.provider.given,
            waiting={},
            resending=frozenset(),
        )


async def _came(event: asyncio.Event) -> bool:
    """Wait for ``event``, and return whether it came in time."""
    try:
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            return await event.wait()
    except TimeoutError:
        return False
