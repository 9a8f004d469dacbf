"""Kills one of the API's processes again and again: whether anybody is refused, and how soon it is back.

    python -m loadtests.api_kills --kills 10 --processes 2

Meanwhile a new connection a hundred times a second asks for a message. It prints for each kill how many were refused
(nobody listened), how many were cut (they had reached the killed process), and when its successor listened (to 0.2 s).
Exit code 1 if anybody was refused while another process ran.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import psutil

from cli.supervisor import ProcessSpec
from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.groups import until
from loadtests.http_client import request_bytes
from loadtests.processes import Process
from loadtests.servers import own_servers
from loadtests.system import READY_SECONDS, System, system_settings

PAUSE_SECONDS = 0.01
BACK_SECONDS = 30.0
AFTER_SECONDS = 1.0
REST_SECONDS = 2.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.api_kills", __doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2, help="of the API")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


class Knocks:
    """Open connections one after the other, regardless of earlier results. ``outcomes`` counts them."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._request = request_bytes("GET", "/health", headers={"Connection": "close"})
        self.outcomes: Counter[str] = Counter()

    async def go_on(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._knock())
                await asyncio.sleep(PAUSE_SECONDS)

    async def _knock(self) -> None:
        try:
            reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            self.outcomes["refused"] += 1
            return
        try:
            writer.write(self._request)
            answer = await reader.read()
            self.outcomes["answered" if answer.startswith(b"HTTP/1.1 200") else "cut"] += 1
        except OSError:
            self.outcomes["cut"] += 1
        finally:
            writer.close()


def children(supervisor: Process) -> dict[int, psutil.Process]:
    """Return the processes of the API by their pids."""
    return {child.pid: child for child in psutil.Process(supervisor.pid).children()}


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path) -> int:
    """Kill, print, and return the exit code."""
    settings = system_settings(stack, folder)
    system = System(settings, folder, {})
    await system.prepare()
    command = (sys.executable, "-m", "chat4all", "api", "--processes", str(wanted.processes))
    supervisor = Process(ProcessSpec("api", command, replace(settings, role="api").to_environ()), folder)
    supervisor.start()
    chance, refused = random.Random(wanted.seed), 0
    knocks = Knocks(settings.host, settings.port)

    def listening() -> int:
        return supervisor.log_text().count("listening on")

    async def all_listen(count: int = wanted.processes) -> bool:
        return listening() >= count

    try:
        await until("the API listens", READY_SECONDS, all_listen)
        knocking = asyncio.create_task(knocks.go_on())
        print("kill refused     cut answered   back after (s)", flush=True)
        for number in range(1, wanted.kills + 1):
            await asyncio.sleep(REST_SECONDS)
            before, since = knocks.outcomes.copy(), monotonic()
            known = listening()
            victim = chance.choice(list(children(supervisor)))
            os.kill(victim, signal.SIGKILL)
            await until("its successor listens", BACK_SECONDS, partial(all_listen, known + 1))
            back_seconds = monotonic() - since
            await asyncio.sleep(AFTER_SECONDS)
            found = knocks.outcomes - before
            refused += found["refused"]
            print(
                f"{number:4d} {found['refused']:7d} {found['cut']:7d} {found['answered']:8d} {back_seconds:12.2f}"
                f"   (load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
        knocking.cancel()
        await asyncio.wait([knocking])
    finally:
        supervisor.send(signal.SIGTERM)
        await asyncio.to_thread(supervisor.end, 30)
    print(f"{wanted.kills} kills of one of {wanted.processes}: {refused} connections refused")
    return 1 if refused and wanted.processes > 1 else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and count. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("api-kills", ["kafka", "cassandra"]) as (stack, folder):
        return asyncio.run(measure(wanted, stack, folder))


if __name__ == "__main__":
    sys.exit(main())
