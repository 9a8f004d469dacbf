"""Measures the processor time of an idle system: of each process that `chat4all run --simulator` starts.

    python -m loadtests.idle                 # about two minutes
    python -m loadtests.idle --seconds 60

Kafka and Cassandra are its own. It waits ``--rest`` seconds after the start, then adds up the processor time of every
process, and prints each that takes more than 0.2 % of a core. Exit code 1 if all take more than ``--most`` percent.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence

import psutil

from app.roles import ROLES
from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.restarts import Life
from loadtests.servers import own_servers
from loadtests.system import free_ports, system_settings

SHOWN_PERCENT = 0.2


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.idle", __doc__)
    parser.add_argument("--rest", type=float, default=45.0, help="seconds between the start and the measurement")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the measurement lasts")
    parser.add_argument("--most", type=float, default=10.0, help="percent of one core")
    return parser.parse_args(arguments)


def used_seconds(roots: Sequence[psutil.Process]) -> Mapping[psutil.Process, float]:
    """Return the processor time of ``roots`` and all below them, in seconds since their start."""
    found: dict[psutil.Process, float] = {}
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            found[process] = times.user + times.system
    return found


def named(process: psutil.Process) -> str:
    """Return what a process is: its role, or the end of its command."""
    role = process.environ().get("CHAT4ALL_ROLE", "")
    words = " ".join(process.cmdline())
    for server in ("kafka", "cassandra"):
        if f"/{server}/" in words and "java" in words:
            return server
    return f"{role or '-'}: {' '.join(process.cmdline()[1:6])[:60]}"


async def measure(wanted: argparse.Namespace, roots: Sequence[psutil.Process]) -> float:
    """Return the percentage of a core that all processes take; print the larger ones."""
    await asyncio.sleep(wanted.rest)
    before = used_seconds(roots)
    await asyncio.sleep(wanted.seconds)
    total = 0.0
    for process, used in used_seconds(roots).items():
        percent = 100 * (used - before.get(process, 0.0)) / wanted.seconds
        total += percent
        if percent > SHOWN_PERCENT:
            print(f"{percent:6.2f} %  {named(process)}")
    return total


async def idle(wanted: argparse.Namespace, stack: Stack, life: Life) -> float:
    """Return the percentage of a core that everything takes."""
    try:
        await life.line()
        servers = [part.process for name in ("kafka", "cassandra") if (part := stack.part(name)).process is not None]
        return await measure(wanted, [psutil.Process(life.pid), *(each for each in servers if each is not None)])
    finally:
        await life.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("idle", ["kafka", "cassandra"]) as (stack, folder):
        settings = system_settings(stack, folder)
        more = ("--simulator", "--simulator-port", str(free_ports(1)))
        life = Life(settings, {}, folder, dict.fromkeys(ROLES, 1), more)
        total = asyncio.run(idle(wanted, stack, life))
    print(f"idle: {total:.1f} % of one core")
    return 0 if total <= wanted.most else 1


if __name__ == "__main__":
    sys.exit(main())
