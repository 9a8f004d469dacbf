"""How much 1, 2 and 4 workers of a role, and processes of the API, do on pinned cores; everything on this machine.

    python -m loadtests.scaling
    python -m loadtests.scaling --messages 20000 --counts 1 2

For each number a log of its own is filled while no worker runs. Then the workers of core, of a channel and of the
mirror work it off, one role after the other, each worker pinned to one core. Counted are messages a second and
processor time a message, from the moment in which each worker holds its partitions. At last as many API processes
accept flat out. Kafka, Cassandra and the load are not pinned. On a machine with few cores they take from the same ones,
and the processor time is what can be compared.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import uvloop

from app.settings import Settings
from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.feed import Order, feed
from loadtests.groups import Groups, until
from loadtests.orders import Orders
from loadtests.processes import Process, cpu_seconds
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.system import System, system_settings

PARTITIONS = 12
CONVERSATIONS = 2_000
ROLES = ("core", "whatsapp", "mirror")
DONE_SECONDS = 300.0
ACCEPTS, CONNECTIONS = 6_000, 64


@dataclass(frozen=True, slots=True)
class Result:
    """``cpu_ms``: of all processes of the kind together, a message."""

    kind: str
    count: int
    per_second: float
    cpu_ms: float


def pin(processes: Sequence[Process]) -> None:
    """Let each process, with its threads, have one of this machine's cores."""
    cores = itertools.cycle(sorted(os.sched_getaffinity(0)))
    for process, core in zip(processes, cores, strict=False):
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})


async def work_off(system: System, role: str, messages: int) -> Result:
    """Start the workers of ``role``; return what they did once each of them held its partitions."""
    count = system.counts[role]
    workers = system.of_role(role)
    async with Groups.connected(system.settings) as groups:
        waiting = sum((await groups.ends(role)).values())  # nobody has worked for this group yet
        for worker in workers:
            worker.start()
        pin(workers)

        async def is_complete() -> bool:
            return await groups.is_complete(role, count)

        async def is_done() -> bool:
            return await groups.lag(role) == 0

        await until(f"{count} x {role} hold their partitions", DONE_SECONDS, is_complete)
        left, began = await groups.lag(role), monotonic()
        cpu_before = sum(cpu_seconds(worker.pid) for worker in workers)
        await until(f"{role} has no work left", DONE_SECONDS, is_done)
        seconds = monotonic() - began
        cpu_ms = (sum(cpu_seconds(worker.pid) for worker in workers) - cpu_before) * 1000
    for worker in workers:
        worker.kill()
    done = messages * left / waiting
    return Result(role, count, done / seconds, cpu_ms / done)


async def accept(system: System) -> Result:
    """Return what the API's processes accept flat out."""
    pin(system.apis)
    orders = Orders(CONVERSATIONS // 10, ["whatsapp"])
    async with Run(system) as run:
        await run.send(orders.one_for_each_conversation())
        cpu_before, began = sum(cpu_seconds(api.pid) for api in system.apis), monotonic()
        shots = await run.send(orders.make(ACCEPTS), connections=CONNECTIONS)
        seconds = monotonic() - began
        cpu_ms = (sum(cpu_seconds(api.pid) for api in system.apis) - cpu_before) * 1000
    accepted = shots.count(202)
    assert accepted == ACCEPTS
    return Result("api", len(system.apis), accepted / seconds, cpu_ms / accepted)


async def measure(stack: Stack, folder: Path, count: int, messages: int) -> list[Result]:
    """Return the results with ``count`` processes of each kind."""
    settings: Settings = system_settings(stack, folder, partitions=PARTITIONS)
    system = System(settings, folder / f"by-{count}", dict.fromkeys(ROLES, count), api_processes=count)
    await system.prepare()
    orders = [
        Order(f"{n:08d}-0000-7000-8000-{n:012d}", f"c-{n % CONVERSATIONS}", f"whatsapp:+55119{n:08d}", "", n)
        for n in range(messages)
    ]
    await feed(settings, orders, 1e9)
    results = [await work_off(system, role, messages) for role in ROLES]

    async def is_ready() -> bool:
        return (await system.client().ask("GET", "/health/ready")).status == 200

    for api in system.apis:
        api.start()
    try:
        await until("the API is ready", DONE_SECONDS, is_ready)
        results.append(await accept(system))
    finally:
        await system.stop()
    return results


def table(results: Sequence[Result], counts: Sequence[int]) -> list[str]:
    """Return a table in Markdown, a line for each kind."""
    lines = [
        "| | " + " | ".join(f"{count}: a second, CPU ms a message" for count in counts) + " |",
        "|---|" + "---|" * len(counts),
    ]
    for kind in dict.fromkeys(each.kind for each in results):
        cells = [f"{each.per_second:,.0f}, {each.cpu_ms:.3f}" for each in results if each.kind == kind]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return lines


async def _all(stack: Stack, folder: Path, counts: Sequence[int], messages: int) -> list[Result]:
    results = []
    for count in counts:
        for each in await measure(stack, folder, count, messages):
            print(f"{each.count} x {each.kind}: {each.per_second:,.0f}/s, {each.cpu_ms:.3f} ms", flush=True)
            results.append(each)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = parser_of("loadtests.scaling", __doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4])
    wanted = parser.parse_args(arguments)
    with own_servers("scaling", ["kafka", "cassandra"]) as (stack, folder):
        results = uvloop.run(_all(stack, folder, wanted.counts, wanted.messages))
    print("\n".join(table(results, wanted.counts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
