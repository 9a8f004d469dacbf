"""Measures live notifications: how long from an event to its frame in a client, with many open WebSockets.

    python -m loadtests.live                                   # 1,000 sockets, 300 messages/s, about a minute
    python -m loadtests.live --sockets 100 --rate 50 --seconds 5
    python -m loadtests.live --alone                           # Kafka, the API and the clients; no workers
    python -m loadtests.live --on 127.0.0.1:9092:9042          # on a Kafka and a Cassandra that run already

Every conversation has the same number of participants, each with one socket; one of them sends. An event's time is the
broker's append time (messages) or the fact's own (statuses). Exit code 1 if a frame is missing or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

import orjson
import psutil
import uvloop

from app.cassandra import cassandra_config
from app.clock import now_ms
from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from app.settings import Settings
from domain.recipients import CHANNELS
from domain.records import StatusChanged
from loadtests.command_line import parser_of
from loadtests.generator import Generator, Shots, percentile
from loadtests.groups import NotInTime, until
from loadtests.meter import Machine, Meter
from loadtests.orders import Orders
from loadtests.servers import own_servers
from loadtests.system import Servers, System, system_settings
from loadtests.ws_client import Listener
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.session import CassandraSession
from web.accounts.tokens import Tokens

ROLES = {"core": 1, "mirror": 1, **dict.fromkeys(CHANNELS, 1)}
LAST_FRAMES_SECONDS = 30.0
WORDS = ("SENT", "DELIVERED", "READ")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.live", __doc__)
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--rate", type=float, default=300.0, help="messages a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it is measured")
    parser.add_argument("--warm-up", type=float, default=10.0, help="seconds of load before that")
    parser.add_argument("--api", type=int, default=1, help="processes of the API")
    parser.add_argument("--alone", action="store_true", help="no workers: this program writes the facts itself")
    parser.add_argument("--on", default="", help="host:kafka:cassandra of servers that run already")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True)
class RunningServers:
    """Running servers, as ``host:kafka:cassandra``."""

    address: str

    @property
    def _parts(self) -> list[str]:
        return self.address.split(":")

    @property
    def kafka_bootstrap(self) -> str:
        return f"{self._parts[0]}:{self._parts[1]}"

    @property
    def cassandra_contact_points(self) -> list[str]:
        return [self._parts[0]]

    @property
    def cassandra_port(self) -> int:
        return int(self._parts[2])


@contextmanager
def servers_for(address: str) -> Iterator[tuple[Servers, Path]]:
    """The servers at ``address``, or some of our own."""
    if not address:
        with own_servers("live", ["kafka", "cassandra"]) as (stack, folder):
            yield stack, folder
        return
    folder = Path(tempfile.mkdtemp(prefix="live-"))
    try:
        yield RunningServers(address), folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Delays:
    """Received frames: milliseconds from event to receipt, and counts by kind."""

    is_on: bool = False
    messages: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, frame: bytes) -> None:
        """Record one frame. Its JSON is not parsed: parsing would dominate the cost."""
        at = frame.find(b'"timestamp":') + 12
        if not self.is_on or at < 12:
            return
        delay = int(time() * 1000) - int(frame[at : at + 13])
        if frame.startswith(b'{"type":"new_message"'):
            self.messages.append(delay)
            self.counts["new_message"] += 1
        elif frame.startswith(b'{"type":"status"'):
            self.statuses.append(delay)
            start = frame.find(b'"status":"', 16) + 10
            self.counts[frame[start : frame.find(b'"', start)].decode()] += 1


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path) -> bool:
    """Print the figures; return whether every frame came, once."""
    settings = system_settings(
        servers, folder, simulated_delivered_seconds=(0.5, 1.0), simulated_read_seconds=(1.0, 2.0)
    )
    tokens = Tokens(settings.jwt_secret, ttl_seconds=3_600, clock_ms=now_ms)
    members = max(1, wanted.sockets // wanted.conversations)
    orders = Orders(wanted.conversations, CHANNELS)
    users = {name: [str(uuid.uuid4()) for _ in range(members)] for name in orders.conversations}
    roles = {} if wanted.alone else ROLES
    worker = Worker(settings)
    async with System(settings, folder, roles, api_processes=wanted.api) as system:
        await worker.batch_producer.start()
        async with CassandraSession(cassandra_config(settings)) as link:
            await link.connected(30)
            store = CassandraConversationStore(link)
            for name, participants in users.items():
                await store.create(name, participants, now_ms())
        delays, listeners = Delays(), []

        def take_first(frame: bytes) -> None:
            delays.take(frame)
            if wanted.alone:
                worker.take(frame)

        for user, is_first in ((user, not n) for them in users.values() for n, user in enumerate(them)):
            path = f"/notifications?token={tokens.issue(user, 'load')}"
            take = take_first if is_first else delays.take
            listeners.append(await Listener.open(settings.host, settings.port, path, take))
        senders = {name: tokens.issue(participants[0], "load") for name, participants in users.items()}
        async with Generator(settings.host, settings.port, 64) as generator:

            async def send(seconds: float) -> Shots:
                made = orders.make(round(wanted.rate * seconds))
                requests = [order.request(senders[order.conversation_id]) for order in made]
                return await generator.at_rate(requests, wanted.rate)

            _say(f"{len(listeners)} sockets are open; warming up")
            await send(wanted.warm_up)
            await asyncio.sleep(5)
            _say(f"measuring {wanted.rate:g} messages/s for {wanted.seconds:g} s")
            meter = Meter(system.processes, servers)
            delays.is_on, started = True, time()
            waited = sum(_waited_seconds(api.pid) for api in system.apis)
            shots = await send(wanted.seconds)
            accepted, seconds = shots.count(202), time() - started
            used = meter.used_ms()
            waited = sum(_waited_seconds(api.pid) for api in system.apis) - waited
            expected = {"new_message": accepted * members, "READ": accepted * members}
            await _until_all_came(delays, expected)
        await worker.batch_producer.stop()
        still_open = sum(listener.is_open for listener in listeners)
        for listener in listeners:
            listener.close()
    print(f"{Machine.here()}; load average at the end {psutil.getloadavg()[0]:.1f}")
    print(f"accepts: {_spread(shots.latencies_ms())}; the API waited for a core {waited / seconds:.0%} of the time")
    print(f"{accepted} messages at {accepted / seconds:.0f}/s to {members} sockets each, {len(listeners)} sockets")
    for name, values in (
        ("new_message", delays.messages),
        ("status", delays.statuses),
        ("all", delays.messages + delays.statuses),
    ):
        print(f"{name}: {len(values)} frames, {_spread(sorted(map(float, values)))}")
    cpu = ", ".join(f"{kind} {ms / seconds / 10:.0f} %" for kind, ms in sorted(used.items()))
    print(f"processor (of one core): {cpu}")
    print(f"frames by kind: {dict(delays.counts)}; sockets still open: {still_open}")
    return still_open == len(listeners) and all(delays.counts[kind] == count for kind, count in expected.items())


def _spread(ordered_ms: Sequence[float]) -> str:
    return ", ".join(f"p{share * 100:g} {percentile(ordered_ms, share):.0f} ms" for share in (0.5, 0.95, 0.99, 1))


def _waited_seconds(pid: int) -> float:
    """Return how long the threads of a process have waited for a free core, in all (Linux's schedstat; else 0)."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9
    except OSError:
        return 0.0


class Worker:
    """Stands in for the workers (``--alone``): three facts follow each message, 0.2 s apart, straight to Kafka."""

    def __init__(self, settings: Settings) -> None:
        self._partitions = settings.partitions
        self._topic = Topics(settings.topic_prefix).status_updates
        self.batch_producer = BatchProducer(settings.kafka, client_id="chat4all-load")

    def take(self, frame: bytes) -> None:
        """See to the message of a frame."""
        if frame.startswith(b'{"type":"new_message"'):
            document = orjson.loads(frame)
            for number, word in enumerate(WORDS, 1):
                asyncio.get_running_loop().call_later(0.2 * number, self._report, document, word)

    def _report(self, document: dict[str, Any], word: str) -> None:
        conversation_id, accepted_at_ms = document["conversation_id"], document["timestamp"]
        change = StatusChanged(
            document["message_id"], conversation_id, word, now_ms(), accepted_at_ms, 0, "telegram", 1
        )
        key = conversation_id.encode()
        self.batch_producer.enqueue(self._topic, partition_for(key, self._partitions), key, encode(change))


async def _until_all_came(delays: Delays, expected: dict[str, int]) -> None:
    async def all_came() -> bool:
        return all(delays.counts[kind] >= count for kind, count in expected.items())

    with suppress(NotInTime):
        await until("every frame came", LAST_FRAMES_SECONDS, all_came)
    await asyncio.sleep(0.5)  # what comes twice comes now


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(sys.argv[1:] if arguments is None else arguments)
    with servers_for(wanted.on) as (servers, folder):
        return 0 if uvloop.run(measure(wanted, servers, folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
