"""Kills Kafka again and again under load: how soon every partition has work done again, and whether a worker hangs.

    python -m loadtests.outages --kills 50         # about 25 minutes
    python -m loadtests.outages --kills 3 --per-second 100 --workers 1

Each round: load, SIGKILL to Kafka, a pause, Kafka again. The round counts from when Kafka answers. A worker that is
not back in its group after ``GROUP_SECONDS`` counts as hung; SIGUSR1 makes it write its stacks into its log.
Exit code 1 if a round took longer than ``--within``, a worker hung, or anything was lost, reordered or doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time

import uvloop

from app.audit import audit
from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.groups import Groups, NotInTime, until
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.supervised import SupervisedSystem
from loadtests.system import SHIPPED_SESSION_SECONDS, system_settings
from tables.loaders import LOADERS

GROUP_SECONDS = 30.0
SETTLE_SECONDS = 60.0
AUDIT_READ_SECONDS = 30.0
BEFORE_SECONDS = (0.5, 2.5)  # load before the kill
AWAY_SECONDS = (0.0, 4.0)  # from the kill to the start
AFTER_SECONDS = 6.0  # load after Kafka is back
CONVERSATIONS = 60


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.outages", __doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--per-second", type=float, default=200.0, help="messages")
    parser.add_argument("--workers", type=int, default=2, help="of each role")
    parser.add_argument("--within", type=float, default=10.0, help="seconds in which every partition is at work again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-logs", type=Path, help="copy the processes' logs into this folder at the end")
    return parser.parse_args(arguments)


@dataclass
class Round:
    """One kill. ``work_seconds``: until each partition had a READ; ``group_seconds``: until all groups were whole.

    ``None``: not within its bound. ``restarts``: number of restarted workers.
    """

    away_seconds: float
    start_seconds: float = 0.0
    work_seconds: float | None = None
    group_seconds: float | None = None
    restarts: int = 0
    hung: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.away_seconds:5.1f} {self.start_seconds:6.1f} {_shown(self.work_seconds)} "
            f"{_shown(self.group_seconds)} {self.restarts:8d}  {', '.join(self.hung)}"
        )


HEADER = " away  start    work   groups restarts  hung"


def _shown(seconds: float | None) -> str:
    return "   none" if seconds is None else f"{seconds:7.1f}"


class Outages:
    """The rounds, on one system with one ledger."""

    def __init__(self, wanted: argparse.Namespace, stack: Stack, system: SupervisedSystem, run: Run) -> None:
        self._wanted = wanted
        self._stack = stack
        self._system = system
        self._run = run
        self._chance = random.Random(wanted.seed)
        self._orders = Orders(CONVERSATIONS, ["whatsapp"])
        self.rounds: list[Round] = []

    async def rehearse(self) -> None:
        """Make every conversation known."""
        await self._run.meet(self._orders)

    async def round(self) -> Round:
        """Kill Kafka once, under load, and see how the system comes back."""
        chance, rate = self._chance, self._wanted.per_second
        before_seconds = chance.uniform(*BEFORE_SECONDS)
        made = Round(chance.uniform(*AWAY_SECONDS))
        self.rounds.append(made)
        pids = {worker.name: worker.pid for worker in self._system.workers}
        seconds = before_seconds + made.away_seconds + AFTER_SECONDS
        load = asyncio.create_task(self._run.send(self._orders.make(round(rate * seconds)), rate))
        await asyncio.sleep(before_seconds)
        kafka = self._stack.part("kafka")
        await asyncio.to_thread(kafka.kill)
        await asyncio.sleep(made.away_seconds)
        began = monotonic()
        await asyncio.to_thread(kafka.start)
        made.start_seconds = monotonic() - began
        back_at, back_ms = monotonic(), time() * 1000
        _, made.group_seconds = await asyncio.gather(load, self._whole(back_at))
        made.work_seconds = await self._work_seconds(back_ms)
        if made.group_seconds is None:
            made.hung = await self._hung()
        now = {worker.name: worker.pid for worker in self._system.workers}
        made.restarts = sum(now[name] != pid for name, pid in pids.items())
        return made

    async def _whole(self, back_at: float) -> float | None:
        """Return how long after ``back_at`` every role had all its workers at work."""
        counts = self._system.counts
        async with Groups.connected(self._system.settings) as groups:

            async def is_whole() -> bool:
                return all([await groups.is_complete(role, count) for role, count in counts.items()])

            try:
                await until("all groups are whole", GROUP_SECONDS, is_whole)
            except NotInTime:
                return None
        return monotonic() - back_at

    async def _work_seconds(self, back_ms: float) -> float | None:
        """Return when the last of the partitions had its first READ after ``back_ms``."""
        reads = self._run.reader.reads

        async def all_partitions() -> bool:
            return all(reads[n] and reads[n][-1] >= back_ms for n in range(self._system.settings.partitions))

        try:
            await until("every partition had a READ", GROUP_SECONDS, all_partitions)
        except NotInTime:
            return None
        return (max(next(at for at in times if at >= back_ms) for times in reads.values()) - back_ms) / 1000

    async def _hung(self) -> list[str]:
        """Return the workers outside their groups, after they wrote their stacks."""
        found = []
        async with Groups.connected(self._system.settings) as groups:
            for role in self._system.counts:
                present = {member.instance for member in await groups.members(role) if member.partitions}
                for worker in self._system.of_role(role):
                    if worker.spec.environ["CHAT4ALL_INSTANCE"] not in present:
                        found.append(f"{worker.name} (pid {worker.pid})")
                        await asyncio.to_thread(_spy, worker.pid)
                        worker.send(signal.SIGUSR1)
        await asyncio.sleep(2)
        return found

    async def settle(self) -> list[str]:
        """Wait for the end; return all faults."""
        faults = []
        if not await self._run.settled(SETTLE_SECONDS):
            faults.append(f"{len(self._run.ledger.open)} messages are still open")
        await self._run.at_rest(SETTLE_SECONDS)
        balance = self._run.balance(may_repeat=True)
        _say(str(balance))
        if not balance.is_balanced:
            faults.append("the ledger does not balance")
        # the mirror of that many messages is read whole, for which Cassandra may take longer than for a request
        patient = replace(self._system.settings, cassandra_timeout_seconds=AUDIT_READ_SECONDS)
        report = await audit(patient, LOADERS)
        if not report.is_clean:
            faults.append(f"the audit is not clean: {report}")
        return faults


def _spy(pid: int) -> None:
    """Write the native stacks of a process, if py-spy is at hand (PY_SPY names it)."""
    if pid and (spy := os.environ.get("PY_SPY")):
        done = subprocess.run([spy, "dump", "--native", "--pid", str(pid)], capture_output=True, text=True, check=False)
        _say(f"stacks of {pid}:\n{done.stdout}{done.stderr}")


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path) -> int:
    """Do the rounds, print them, and return the exit code."""
    settings = system_settings(stack, folder, session_timeout_seconds=SHIPPED_SESSION_SECONDS)
    counts = dict.fromkeys(("core", "mirror", "whatsapp"), wanted.workers)
    system = SupervisedSystem(settings, folder, counts)
    if wanted.keep_logs:
        wanted.keep_logs.mkdir(parents=True, exist_ok=True)
        for process in system.processes:
            file = wanted.keep_logs / process.log_file.name
            file.unlink(missing_ok=True)
            file.touch()
            process.log_file.hardlink_to(file)
    async with system, Run(system, connections=64) as run:
        outages = Outages(wanted, stack, system, run)
        await outages.rehearse()
        print("kill " + HEADER, flush=True)
        for number in range(1, wanted.kills + 1):
            made = await outages.round()
            print(f"{number:4d} {made}   (load {os.getloadavg()[0]:.1f})", flush=True)
            if made.hung:
                break
        faults = await outages.settle()
    late = [made for made in outages.rounds if made.work_seconds is None or made.work_seconds > wanted.within]
    hung = [made for made in outages.rounds if made.hung]
    verdict = f"{len(late)} not at work within {wanted.within:g} s, {len(hung)} with a hung worker"
    print(f"{len(outages.rounds)} kills: {verdict}")
    for fault in faults:
        print(fault)
    return 1 if late or hung or faults else 0


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and count. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each attempt to reach a broker that is away
    with own_servers("outages", ["kafka", "cassandra"]) as (stack, folder):
        return uvloop.run(measure(wanted, stack, folder))


if __name__ == "__main__":
    sys.exit(main())
