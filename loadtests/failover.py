"""Kills and stops workers of `chat4all worker` under load: how long any of their partitions stands still.

    python -m loadtests.failover --kills 20            # kill -9, by turns of core and whatsapp
    python -m loadtests.failover --kills 0 --rolling 2 # each worker stops gracefully and starts again, one by one

It prints the longest time without a SENT on the partitions that the worker held, until it is back. Exit code 1 if
the median is over --median or the worst over --worst, a rolling restart pauses for longer than --pause or delivers
something again, or anything is lost, twice, out of order. `python -m loadtests.api_kills` does the same to the API.
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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import time

from aiokafka import TopicPartition

from app.audit import audit
from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.faults.load import Load
from loadtests.faults.orders import orders_on_all
from loadtests.groups import Groups, until
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.standstill import longest_gap
from loadtests.supervised import SupervisedSystem
from loadtests.system import SHIPPED_SESSION_SECONDS, system_settings
from tables.loaders import LOADERS

CHANNEL = "whatsapp"
WORKERS = {"core": 2, "mirror": 1, CHANNEL: 2}
EVIDENCE_SECONDS = 4.0
VICTIMS = ("core-1", "core-2", f"{CHANNEL}-1", f"{CHANNEL}-2")
BEFORE_SECONDS = (0.5, 1.5)
AFTER_SECONDS = 2.0
SETTLE_SECONDS = 60.0
STOP_SECONDS = 1.5  # a killed member is in its group for a while
BACK_SECONDS = 60.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.failover", __doc__)
    parser.add_argument("--kills", type=int, default=20, help="of workers, by turns of core and whatsapp")
    parser.add_argument("--rolling", type=int, default=0, help="rolling restarts of all workers")
    parser.add_argument("--per-second", type=float, default=60.0, help="messages")
    parser.add_argument("--median", type=float, default=5.0, help="seconds")
    parser.add_argument("--worst", type=float, default=8.0, help="seconds")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds in a rolling restart")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


@dataclass(slots=True)
class Bounds:
    """``faults``: missed bounds, and errors."""

    faults: list[str]

    def check(self, what: str, seconds: Sequence[float], median: float, worst: float) -> None:
        """Print median and worst; note a figure over its bound."""
        if not seconds:
            return
        mid, most = statistics.median(seconds), max(seconds)
        print(f"{what}: median {mid:.1f} s, worst {most:.1f} s of {len(seconds)}", flush=True)
        if mid > median or most > worst:
            self.faults.append(f"{what}: median {mid:.1f} s (bound {median:g}), worst {most:.1f} s (bound {worst:g})")


class Failover:
    """The acts, in one world under one load."""

    def __init__(self, wanted: argparse.Namespace, system: SupervisedSystem, run: Run) -> None:
        self._system = system
        self._run = run
        self._chance = random.Random(wanted.seed)

    async def kill(self, number: int) -> float:
        """Kill a worker; return how long (s) its partitions stood still."""
        name = VICTIMS[number % len(VICTIMS)]
        await asyncio.sleep(self._chance.uniform(*BEFORE_SECONDS))
        held = await self._held(name)
        began = time() * 1000
        self._system.worker(name).kill()
        return await self._back(f"{number + 1:3d} {name}", held, began)

    async def stop(self, name: str) -> float:
        """Stop a worker gracefully; return how long (s) its partitions stood still."""
        held = await self._held(name)
        began = time() * 1000
        self._system.worker(name).send(signal.SIGTERM)
        return await self._back(f"    {name}", held, began)

    async def _back(self, what: str, held: frozenset[int], began_ms: float) -> float:
        await asyncio.sleep(STOP_SECONDS)
        await self._at_work()
        await asyncio.sleep(AFTER_SECONDS)
        seconds = self._still(held, began_ms)
        back = (time() * 1000 - began_ms) / 1000 - AFTER_SECONDS
        load = f"(load {os.getloadavg()[0]:.1f})"
        print(f"{what:18s} {seconds:5.1f} s, whole after {back:.1f} s   {load}", flush=True)
        return seconds

    async def _at_work(self) -> None:
        async with Groups.connected(self._system.settings) as groups:
            for role, count in self._system.counts.items():
                await until(f"{role} is whole", BACK_SECONDS, partial(groups.is_complete, role, count))

    async def _held(self, name: str) -> frozenset[int]:
        """Return the numbers of the partitions that a worker has work on."""
        role = name.rpartition("-")[0]
        instance = self._system.worker(name).spec.environ["CHAT4ALL_INSTANCE"]
        async with Groups.connected(self._system.settings) as groups:

            async def members() -> dict[str, frozenset[TopicPartition]]:
                return {member.instance: member.partitions for member in await groups.members(role)}

            await until(f"{name} is in its group", BACK_SECONDS, members)
            return frozenset(tp.partition for tp in (await members()).get(instance, frozenset()))

    def _still(self, held: frozenset[int], began_ms: float) -> float:
        marks, now = self._run.reader.marks, time() * 1000
        return max((longest_gap(marks[n], began_ms, now) for n in held), default=0.0) / 1000


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path) -> int:
    """Do the acts, print them, and return the exit code."""
    bounds = Bounds([])
    system = SupervisedSystem(
        system_settings(
            stack, folder, evidence_seconds=EVIDENCE_SECONDS, session_timeout_seconds=SHIPPED_SESSION_SECONDS
        ),
        folder,
        WORKERS,
    )
    async with system, Run(system, connections=8) as run:
        orders = orders_on_all(system.settings.partitions)
        await run.meet(orders)
        load = Load(run, orders, wanted.per_second)
        loading = asyncio.create_task(load.go_on())
        failover = Failover(wanted, system, run)
        bounds.check("kills", [await failover.kill(n) for n in range(wanted.kills)], wanted.median, wanted.worst)
        repeats = _repeated(run)
        pauses = [await failover.stop(name) for _ in range(wanted.rolling) for name in VICTIMS]
        bounds.check("graceful restarts", pauses, wanted.pause, wanted.pause)
        if wanted.rolling and (more := _repeated(run) - repeats):
            bounds.faults.append(f"graceful stops delivered {more} messages again")
        load.is_over = True
        await loading
        await _judge(system, run, load, bounds)
    print("\n".join(bounds.faults) or "all bounds are kept")
    return 1 if bounds.faults else 0


def _repeated(run: Run) -> int:
    return run.ledger.balance(None, may_repeat=True).repeats


async def _judge(system: SupervisedSystem, run: Run, load: Load, bounds: Bounds) -> None:
    if not await run.settled(SETTLE_SECONDS):
        bounds.faults.append(f"{len(run.ledger.open)} messages had no last word")
    await run.at_rest(SETTLE_SECONDS)
    balance = run.balance(may_repeat=True)
    print(f"{balance}; answers {dict(load.answers)}")
    if not balance.is_balanced:
        bounds.faults.append("the ledger does not balance")
    if load.answers[503] or load.answers[0]:
        bounds.faults.append(f"{load.answers[503]} messages were refused, {load.answers[0]} not answered")
    report = await audit(replace(system.settings, cassandra_timeout_seconds=30.0), LOADERS)
    if not report.is_clean:
        bounds.faults.append(f"the audit is not clean: {report}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and count. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with own_servers("failover", ["kafka", "cassandra"]) as (stack, folder):
        return asyncio.run(measure(wanted, stack, folder))


if __name__ == "__main__":
    sys.exit(main())
