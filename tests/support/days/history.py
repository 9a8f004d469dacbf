"""A history: messages, crashes and graceful stops over days, and the comparison of truth and belief at the end."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from agents.deliver import deliver_batch
from agents.facts import read_fact
from agents.receipts import receive_batch
from app.clock import now_ms
from app.faust.batches import RecordBatch
from app.faust.stream_app import StreamApp
from app.kafka.codec import encode
from domain.accounts import Account
from domain.message_state import UNKNOWN, MessageState, join_alone
from domain.records import DeliveryRequested, ReceiptReported
from loadtests.chaos.checks import Evidence, State
from loadtests.feed import Order
from support.days.broker import Broker, SimulatedProducer, SimulatedTable
from support.days.provider import SimulatedProvider
from support.deliveries import World
from support.fakes import FakeApp

DAY = 86_400.0
OUTBOUND, EVENTS, STATUSES = "whatsapp-outbound", "whatsapp-events", "status-updates"
CONVERSATIONS = 40
PARTITION = 2
MOST_RECORDS = 50
COMMIT_SECONDS = 0.05
REST_SECONDS = DAY + 2 * 3_600.0  # whatever waits has expired by then


@dataclass(slots=True)
class Outcome:
    """``digest``: of every record with its time. ``faults``: what was wrong, in words."""

    messages: int
    crashes: int
    records: int
    seconds: float
    digest: str
    faults: list[str]


class SimulatedWorld(World):
    """The engine's world on a broker that takes its time. A crash loses memory and what no acknowledgement had."""

    def __init__(self, broker: Broker, provider: SimulatedProvider, **settings: object) -> None:
        self.broker = broker
        self.provider = provider
        self.committed = {OUTBOUND: 0, EVENTS: 0}
        self.readers: list[asyncio.Task[None]] = []
        self.wake = {topic: asyncio.Event() for topic in self.committed}
        for topic, event in self.wake.items():
            broker.listeners[topic] = event.set
        super().__init__(Account(channel="whatsapp"), **settings)  # type: ignore[arg-type]

    def start(self, *, begin: bool = True) -> None:
        """Begin as a new process: tables from their changelogs, positions from their commits."""
        self.broker_side = SimulatedProducer(self.broker)
        self.producer = cast(Any, self.broker_side)
        self.table = SimulatedTable(self.broker, self.producer, "attempts-changelog")
        self.queue = SimulatedTable(self.broker, self.producer, "queue-changelog")
        self.channels = dict.fromkeys(self.channels, cast(Any, self.provider))
        self.app = FakeApp(**self.settings)
        self.app.batch_producer = self.producer
        self.make_dispatcher()
        self.app.assigned()
        self.readers = [
            asyncio.get_running_loop().create_task(self._read(topic, self.app, self.dispatcher, self.broker_side))
            for topic in self.committed
        ]

    def crash(self) -> None:
        """End as ``kill -9`` does, and begin again."""
        former = self.dispatcher
        self.broker_side.die()
        for reader in self.readers:
            reader.cancel()
        former.scheduler.close()
        former.queue.drop()
        for task in former.tasks():
            task.cancel()
        self.start()

    async def stop(self) -> None:
        """End gracefully, and begin again."""
        for reader in self.readers:
            reader.cancel()
        await asyncio.wait(self.readers)
        await self.app.drain()
        await asyncio.sleep(5)  # the producer's flush
        self.broker_side.is_dead = True
        self.start()

    async def _read(self, topic: str, app: FakeApp, dispatcher: Any, producer: SimulatedProducer) -> None:
        """Hand over the records after the commit; commit a batch once all that follows from it is durable."""
        at = self.committed[topic]
        while True:
            records = self.broker.logs[topic][at : at + MOST_RECORDS]
            if not records:
                self.wake[topic].clear()
                await self.wake[topic].wait()
                continue
            batch = _batch(topic, records, at)
            if topic == OUTBOUND:
                writes = await deliver_batch(cast(StreamApp, app), dispatcher, batch)
            else:
                writes = receive_batch(cast(StreamApp, app), dispatcher.receipts, batch)
            at += len(records)
            await self._durable(writes)
            await asyncio.sleep(self.broker.chance.uniform(0, COMMIT_SECONDS))
            if not producer.is_dead:
                self.committed[topic] = at

    async def _durable(self, writes: Sequence[Any]) -> None:
        for write in writes:
            await write


def _batch(topic: str, records: Sequence[tuple[bytes | None, bytes | None]], start: int) -> RecordBatch:
    made = [
        SimpleNamespace(
            topic=topic, partition=PARTITION, offset=start + n, key=key, value=value, timestamp=now_ms(), headers=()
        )
        for n, (key, value) in enumerate(records)
    ]
    return RecordBatch(TP(topic, PARTITION), made, start, start + len(made), 1)


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
        await asyncio.gather(writing, disturbing)
        deadline = asyncio.get_running_loop().time() + REST_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(600)
            world.dispatcher.receipts.expire()
        faults = [text for check in self._evidence().checks() for text in check.faults]
        faults += [f"the worker ended: {error!r}" for _, error in world.app.aborted]
        faults += [f"{row.name} is still in the queue" for row in world.rows()]
        for reader in world.readers:
            reader.cancel()
        return Outcome(
            len(self.orders),
            self._crashes,
            len(self.broker.history),
            asyncio.get_running_loop().time(),
            self._digest(),
            faults,
        )

    def _report(self, receipt: ReceiptReported, conversation: str) -> None:
        self.broker.append(EVENTS, conversation.encode(), encode(receipt))

    async def _write(self) -> None:
        sequences: defaultdict[int, int] = defaultdict(int)
        for number in range(self._count):
            await asyncio.sleep(self._chance.expovariate(self._count / (self._days * DAY)))
            for _ in range(self._chance.choice((1, 1, 1, 3))):
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
            await self._into_work()
            if self._chance.random() < 0.7:
                self.world.crash()
            else:
                await self.world.stop()

    async def _into_work(self) -> None:
        """Wait until something is under way: a crash of an idle worker shows nothing."""
        for _ in range(20_000):
            if self.world.dispatcher.tasks():
                await asyncio.sleep(self._chance.uniform(0, 0.5))
                return
            await asyncio.sleep(0.25)

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

    def _digest(self) -> str:
        made = hashlib.sha256()
        for seconds, topic, key, value in self.broker.history:
            made.update(repr((round(seconds, 6), topic, key, value)).encode())
        return made.hexdigest()[:16]
