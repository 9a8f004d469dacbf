"""Kills, stops and restarts workers under load: how long any of their partitions stands still.

    python -m loadtests.failover --kills 20            # kill -9; it starts again at once, as under `chat4all worker`
    python -m loadtests.failover --kills 5 --away      # the worker stays away until the other one has taken over
    python -m loadtests.failover --kills 0 --rolling 2 # each worker stops gracefully and starts again, one by one
    python -m loadtests.failover --kills 0 --api-kills 20

It prints the longest time without a SENT on the partitions that the worker held. Exit code 1 if the median is
over --median or the worst over --worst, a rolling restart pauses for longer than --pause or delivers something again, a
client of the API is refused, or anything is lost, twice, out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time

from aiokafka import TopicPartition

from app.audit import audit
from devstack import Stack
from loadtests.faults.acts import at_work
from loadtests.faults.load import Load
from loadtests.faults.world import CHANNEL, World, world
from loadtests.groups import Groups, until
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.standstill import longest_gap
from tables.loaders import LOADERS

VICTIMS = ("core-1", "core-2", f"{CHANNEL}-1", f"{CHANNEL}-2")
BEFORE_SECONDS = (0.5, 1.5)
AFTER_SECONDS = 2.0
SETTLE_SECONDS = 60.0
AWAY_SECONDS = 10.0
STOP_SECONDS = 30.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m loadtests.failover", description=about)
    parser.add_argument("--kills", type=int, default=20, help="of workers, by turns of core and whatsapp")
    parser.add_argument("--away", action="store_true", help="a killed worker stays away for 10 s")
    parser.add_argument("--rolling", type=int, default=0, help="rolling restarts of all workers")
    parser.add_argument("--api-kills", type=int, default=0, help="of one of two API processes")
    parser.add_argument("--per-second", type=float, default=60.0, help="messages")
    parser.add_argument("--median", type=float, default=5.0, help="seconds")
    parser.add_argument("--worst", type=float, default=8.0, help="seconds")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds in a rolling restart")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


@dataclass(slots=True)
class Bounds:
    """``faults``: what missed its bound, or was wrong."""

    faults: list[str]

    def check(self, what: str, seconds: Sequence[float], median: float, worst: float) -> None:
        """Print median and worst; note what is over its bound."""
        if not seconds:
            return
        mid, most = statistics.median(seconds), max(seconds)
        print(f"{what}: median {mid:.1f} s, worst {most:.1f} s of {len(seconds)}", flush=True)
        if mid > median or most > worst:
            self.faults.append(f"{what}: median {mid:.1f} s (bound {median:g}), worst {most:.1f} s (bound {worst:g})")


class Failover:
    """The acts, in one world under one load."""

    def __init__(self, wanted: argparse.Namespace, here: World, run: Run) -> None:
        self._wanted = wanted
        self._world = here
        self._run = run
        self._chance = random.Random(wanted.seed)

    async def kill(self, number: int) -> float:
        """Kill a worker; return how long (s) its partitions stood still."""
        name = VICTIMS[number % len(VICTIMS)]
        await asyncio.sleep(self._chance.uniform(*BEFORE_SECONDS))
        held = await self._held(name)
        if self._wanted.away:
            self._world.system.down.add(name)
        began = time() * 1000
        self._world.worker(name).kill()
        if self._wanted.away:
            await asyncio.sleep(AWAY_SECONDS)
            seconds = self._still(held, began)
            self._world.system.down.discard(name)
            await at_work(self._world)
        else:
            await at_work(self._world)
            await asyncio.sleep(AFTER_SECONDS)
            seconds = self._still(held, began)
        print(f"{number + 1:3d} {name:12s} {seconds:5.1f} s   (load {os.getloadavg()[0]:.1f})", flush=True)
        return seconds

    async def roll(self) -> float:
        """Restart each worker gracefully; return the longest pause (s) of any partition."""
        system, longest = self._world.system, 0.0
        for name in VICTIMS:
            held = await self._held(name)
            began, ends = time() * 1000, len(system.ends)
            system.worker(name).send(signal.SIGTERM)

            async def has_ended(ends: int = ends) -> bool:
                return len(system.ends) > ends

            await until(f"{name} stops", STOP_SECONDS, has_ended)
            stopped = (time() * 1000 - began) / 1000
            await at_work(self._world)
            await asyncio.sleep(AFTER_SECONDS)
            seconds = self._still(held, began)
            print(
                f"    {name:12s} {seconds:5.1f} s, {stopped:.1f} s of it to stop   (load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
            longest = max(longest, seconds)
        return longest

    async def kill_api(self, load: Load, number: int) -> None:
        """Kill an API process; return when it serves again."""
        process = self._world.system.apis[number % 2]
        await asyncio.sleep(self._chance.uniform(*BEFORE_SECONDS))
        known, began = process.log_text().count("listening on"), monotonic()
        process.kill()

        async def listens() -> bool:
            return process.log_text().count("listening on") > known

        await until(f"{process.name} listens", STOP_SECONDS, listens)
        print(f"{number + 1:3d} {process.name} listens after {monotonic() - began:.1f} s; answers {dict(load.answers)}")

    async def _held(self, name: str) -> frozenset[int]:
        """Return the numbers of the partitions that a worker has work on."""
        role = name.rpartition("-")[0]
        instance = self._world.worker(name).spec.environ["CHAT4ALL_INSTANCE"]
        async with Groups.connected(self._world.settings) as groups:

            async def members() -> dict[str, frozenset[TopicPartition]]:
                return {member.instance: member.partitions for member in await groups.members(role)}

            await until(f"{name} is in its group", STOP_SECONDS, members)
            return frozenset(tp.partition for tp in (await members()).get(instance, frozenset()))

    def _still(self, held: frozenset[int], began_ms: float) -> float:
        marks, now = self._run.reader.marks, time() * 1000
        return max((longest_gap(marks[n], began_ms, now) for n in held), default=0.0) / 1000


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path) -> int:
    """Do the acts, print them, and return the exit code."""
    bounds = Bounds([])
    async with world(stack, stack, folder, wanted.seed) as here, Run(here.system, connections=8) as run:
        here.run = run
        orders = here.more_orders()
        await run.meet(orders)
        load = Load(run, orders, wanted.per_second)
        loading = asyncio.create_task(load.go_on())
        failover = Failover(wanted, here, run)
        bounds.check("kills", [await failover.kill(n) for n in range(wanted.kills)], wanted.median, wanted.worst)
        repeats = await _repeated(run) if wanted.rolling else 0
        pauses = [await failover.roll() for _ in range(wanted.rolling)]
        bounds.check("rolling restarts", pauses, wanted.pause, wanted.pause)
        if wanted.rolling and (more := await _repeated(run) - repeats):
            bounds.faults.append(f"a graceful stop delivered {more} messages again")
        for number in range(wanted.api_kills):
            await failover.kill_api(load, number)
        load.is_over = True
        await loading
        await _judge(here, run, load, bounds)
    print("\n".join(bounds.faults) or "all bounds are kept")
    return 1 if bounds.faults else 0


async def _repeated(run: Run) -> int:
    return run.ledger.balance(None, may_repeat=True).repeats


async def _judge(here: World, run: Run, load: Load, bounds: Bounds) -> None:
    if not await run.settled(SETTLE_SECONDS):
        bounds.faults.append(f"{len(run.ledger.open)} messages had no last word")
    await run.at_rest(SETTLE_SECONDS)
    balance = run.ledger.balance(None, may_repeat=True)
    print(f"{balance}; answers {dict(load.answers)}")
    if not balance.is_balanced:
        bounds.faults.append("the ledger does not balance")
    taken = [each.token for each in await here.provider.taken()]
    if len(taken) != len(set(taken)):
        bounds.faults.append(f"the provider took {len(taken) - len(set(taken))} messages twice")
    if load.answers[503]:
        bounds.faults.append(f"{load.answers[503]} messages were refused")
    report = await audit(here.audited, LOADERS)
    if not report.is_clean:
        bounds.faults.append(f"the audit is not clean: {report}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and count. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # and end what was started
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with own_servers("failover", ["kafka", "cassandra"]) as (stack, folder):
        return asyncio.run(measure(wanted, stack, folder))


if __name__ == "__main__":
    sys.exit(main())
