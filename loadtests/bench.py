"""Measures the whole system on this machine: real Kafka, real Cassandra, API, workers of every role, and the load.

    python -m loadtests.bench                      # about two and a half minutes
    python -m loadtests.bench --messages 5000 --rates 100 --seconds 3
    python -m loadtests.bench --markdown figures.md

Exit code 1 if the ledger does not balance: then the figures mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import time

import uvloop

from app.roles import ROLES
from app.settings import Settings
from domain.recipients import CHANNELS
from loadtests.command_line import parser_of
from loadtests.figures import Figures, Latency
from loadtests.groups import Groups, NotInTime, until
from loadtests.meter import Machine, Meter
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.system import Servers, System, free_ports, system_settings
from loadtests.two_way.world import World

IDLE_SECONDS = 3.0
BACKLOG_SECONDS = 180.0
WARM_UP_MESSAGES = 3_000


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.bench", __doc__)
    parser.add_argument("--rates", default="5,50,100,200,400", help="accepts a second to measure latency at")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each rate lasts")
    parser.add_argument("--connections", type=int, default=64, help="most connections of the load generator")
    parser.add_argument("--flat-out", default="1,16,64", help="numbers of connections to accept flat out with")
    parser.add_argument("--flat-seconds", type=float, default=5.0, help="about how long each of those lasts")
    parser.add_argument("--messages", type=int, default=20_000, help="messages to follow from the send to READ")
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1, help="workers of each role")
    parser.add_argument("--api", type=int, default=1, help="processes of the API")
    parser.add_argument("--log-level", default="INFO", help="of the API and the workers")
    parser.add_argument(
        "--http", action="store_true", help="send through WhatsApp's connector to the simulator, with webhooks"
    )
    parser.add_argument("--webhook-batch", type=int, default=50, help="with --http: most updates in one webhook")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all processes")
    parser.add_argument("--markdown", type=Path, help="write the figures to this file as well")
    return parser.parse_args(arguments)


def changes(assignments: Sequence[str]) -> dict[str, int | float | str]:
    """Return the settings in ``name=value`` assignments, each of the type of its default."""
    found: dict[str, int | float | str] = {}
    for name, _, value in (each.partition("=") for each in assignments):
        default = getattr(Settings(), name, None)
        if not isinstance(default, int | float | str):
            raise SystemExit(f"--set {name}: no setting with one value")
        found[name] = type(default)(value)
    return found


class Bench:
    """The phases, in order, on one system."""

    def __init__(self, wanted: argparse.Namespace, run: Run, meter: Meter, figures: Figures) -> None:
        self._wanted = wanted
        self._run = run
        self._meter = meter
        self._figures = figures
        self._orders = Orders(wanted.conversations, ("whatsapp",) if wanted.http else CHANNELS, is_to_many=True)
        self._delays_known = 0

    async def warm_up(self) -> None:
        """Warm up: make every conversation known and let the two Java machines compile their code."""
        _say(f"warming up: {self._wanted.conversations} conversations, {WARM_UP_MESSAGES} messages")
        await self._run.meet(self._orders)
        await self._run.send(self._orders.make(WARM_UP_MESSAGES))
        await self._delays_to_sent()

    async def idle(self) -> None:
        """Measure the use of processor time at idle."""
        await self._run.at_rest()
        self._run.reader.pause()
        self._meter.begin()
        await asyncio.sleep(IDLE_SECONDS)
        self._figures.idle_ms_a_second = {name: ms / IDLE_SECONDS for name, ms in self._meter.used_ms().items()}

    async def latencies(self) -> None:
        """Accept at fixed rates."""
        for rate in map(float, self._wanted.rates.split(",")):
            _say(f"accepting {rate:g}/s for {self._wanted.seconds:g} s")
            self._run.reader.pause()
            self._meter.begin()
            shots = await self._run.send(self._orders.make(round(rate * self._wanted.seconds)), rate)
            others = self._meter.other_cores()
            self._figures.latencies.append(Latency.of(shots, rate, others, await self._delays_to_sent()))

    async def flat_out(self) -> None:
        """Accept as fast as the API answers, on different numbers of connections."""
        estimate = 300.0
        for connections in map(int, self._wanted.flat_out.split(",")):
            _say(f"accepting flat out on {connections} connections")
            self._run.reader.pause()
            orders = self._orders.make(round(estimate * self._wanted.flat_seconds))
            self._meter.begin()
            shots = await self._run.send(orders, connections=connections)
            others = self._meter.other_cores()
            latency = Latency.of(shots, 0.0, others, await self._delays_to_sent())
            self._figures.flat_out.append((connections, latency))
            estimate = max(estimate, latency.achieved_per_second)

    async def _delays_to_sent(self) -> list[int]:
        """Wait until all is through; return how long each message took to its first SENT, in milliseconds."""
        known = self._delays_known
        await self._run.settled()
        delays = self._run.ledger.to_sent_ms
        self._delays_known = len(delays)
        return delays[known:]

    async def to_the_end(self) -> None:
        """Send flat out, and wait until every message is READ and Cassandra has it."""
        count = self._wanted.messages
        _say(f"following {count} messages to the end")
        orders = self._orders.make(count)
        await self._run.at_rest()
        self._run.reader.pause()
        self._meter.begin()
        shots = await self._run.send(orders)
        mirrored_ms = await self._mirrored()
        self._figures.other_cores = self._meter.other_cores()
        self._figures.cpu_ms = {name: ms / count for name, ms in self._meter.used_ms().items()}
        await self._run.settled()
        self._figures.messages = count
        self._figures.accept_seconds = shots.seconds
        self._figures.read_seconds = self._run.end_to_end_seconds
        self._figures.mirror_seconds = (mirrored_ms - self._run.began_ms) / 1000

    async def _mirrored(self) -> float:
        """Return when (epoch ms) every role, the mirror last, has committed all its work."""
        async with Groups.connected(self._run.system.settings) as groups:
            for role in ROLES:

                async def is_done(role: str = role) -> bool:
                    return await groups.lag(role) == 0

                await until(f"{role} has no work left", BACKLOG_SECONDS, is_done)
        return time() * 1000


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path, figures: Figures) -> bool:
    """Fill ``figures``; return whether the ledger balances."""
    settings = system_settings(servers, folder, log_level=wanted.log_level, **changes(wanted.set))
    if wanted.http:
        settings = replace(settings, accounts=str(folder / "accounts.toml"))
        async with simulated_world(settings, folder, wanted.webhook_batch) as world:
            others = {"simulator": world.process.pid}
            return await _measure(wanted, servers, settings, folder, figures, others)
    return await _measure(wanted, servers, settings, folder, figures, {})


@asynccontextmanager
async def simulated_world(settings: Settings, folder: Path, webhook_batch: int) -> AsyncIterator[World]:
    """Run the simulator of the providers with people who read without a delay."""
    world = World(settings, folder, free_ports(1), 1, "nobody")
    none = [0.0, 0.0]
    chaos = {"latency_seconds": none, "delivered_seconds": none, "read_seconds": none, "webhook_batch": webhook_batch}
    try:
        await world.start()
        await world.asked("POST", "/chaos", chaos)
        yield world
    finally:
        await world.end()


async def _measure(
    wanted: argparse.Namespace,
    servers: Servers,
    settings: Settings,
    folder: Path,
    figures: Figures,
    others: Mapping[str, int],
) -> bool:
    _say(f"starting {wanted.api} x API and {wanted.workers} x each of {', '.join(ROLES)}")
    async with System(settings, folder, dict.fromkeys(ROLES, wanted.workers), api_processes=wanted.api) as system:
        meter = Meter(system.processes, servers, others)
        async with Run(system, wanted.connections) as run:
            bench = Bench(wanted, run, meter, figures)
            try:
                for phase in (bench.warm_up, bench.idle, bench.latencies, bench.flat_out, bench.to_the_end):
                    await phase()
            except NotInTime as late:
                _say(f"gave up: {late}")
                await run.settled()
            has_log = wanted.log_level == "INFO" and not wanted.http
            balance = run.balance() if has_log else run.ledger.balance()
            figures.ledger = str(balance)
            return balance.is_balanced and figures.messages == wanted.messages


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = options(given)
    figures = Figures(
        command=" ".join(["python -m loadtests.bench", *given]),
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=str(Machine.here()),
        set_up=f"{wanted.api} x API, {wanted.workers} x each of {', '.join(ROLES)}, Kafka, Cassandra and the load "
        "generator on the same machine; no simulated delay"
        + ("; WhatsApp's connector over HTTP to the simulator, receipts by webhooks" if wanted.http else ""),
    )
    _say("starting Kafka and Cassandra")
    with own_servers("bench", ["kafka", "cassandra"]) as (servers, folder):
        is_balanced = uvloop.run(measure(wanted, servers, folder, figures))
    text = figures.markdown()
    print(text)
    if wanted.markdown is not None and is_balanced:
        wanted.markdown.write_text(text, encoding="utf-8")
    return 0 if is_balanced else 1


if __name__ == "__main__":
    sys.exit(main())
