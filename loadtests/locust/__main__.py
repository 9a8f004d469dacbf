"""Starts Locust with a shape, against a host or against a system of its own on real servers.

    python -m loadtests.locust --shape spike --host http://127.0.0.1:8080
    python -m loadtests.locust --shape baseline --tags text          # starts Kafka, Cassandra, the API and the workers
    python -m loadtests.locust --ui --host http://127.0.0.1:8080     # with Locust's page on port 8089

Exit code 3 (and the word VOID) if the ledger does not balance, 1 if a request failed, 2 if it could not run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.roles import ROLES
from app.settings import Settings
from loadtests.command_line import parser_of
from loadtests.locust.options import Options
from loadtests.locust.shapes import SHAPES
from loadtests.orders import signed_up_as
from loadtests.servers import own_servers
from loadtests.system import Servers, System, free_ports, system_settings
from loadtests.two_way.world import World

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_SECONDS = 60
NOT_RUN = 2
INBOUND = "inbound"


def arguments_of(given: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.locust", __doc__)
    parser.add_argument("--shape", default="baseline", choices=SHAPES)
    parser.add_argument("--host", default="", help="the API; without it a whole system is started for the run")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.0, help="length of the shape; 0: its usual one")
    parser.add_argument("--per-minute", type=float, default=753.0, help="messages of that many users, if all text")
    parser.add_argument("--tags", default="", help="journeys: text,groups,files,live,operator,inbound; default: all")
    parser.add_argument("--metrics", default="", help="name=url of workers' metrics, separated by commas")
    parser.add_argument("--operator", default="", help="username:password of an admin, for the operators")
    parser.add_argument("--simulator", default="", help="URL of `chat4all simulator`, for people who write to us")
    parser.add_argument("--inbox", default="", help="username:password of who gets what people write to us")
    parser.add_argument("--api", type=int, default=2, help="processes of the API, of a system of its own")
    parser.add_argument("--out", default="", help="path of the report without an ending")
    parser.add_argument("--ui", action="store_true", help="with Locust's page; Ctrl-C ends the run")
    return parser.parse_args(given)


def options_of(wanted: argparse.Namespace, given: Sequence[str]) -> Options:
    """Return the options for Locust's process."""
    return Options(
        shape=wanted.shape,
        users=wanted.users,
        seconds=wanted.seconds,
        per_minute=wanted.per_minute,
        tags=wanted.tags,
        host=wanted.host.rstrip("/"),
        metrics=wanted.metrics,
        operator=wanted.operator,
        simulator=wanted.simulator.rstrip("/"),
        inbox=wanted.inbox,
        out=wanted.out,
        command=" ".join(["python -m loadtests.locust", *map(shlex.quote, given)]),
    )


def locust(options: Options, *, with_page: bool) -> int:
    """Run Locust and return its exit code. A second Ctrl-C ends it without a ledger."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--stop-timeout", str(STOP_SECONDS)]
    command += ["--autostart", "--autoquit", "0"] if with_page else ["--headless", "--only-summary"]
    process = subprocess.Popen(command, env={**os.environ, **options.to_environ()})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # Locust has it, too, and stops in order


async def on_own_system(options: Options, servers: Servers, folder: Path, processes: int, *, with_page: bool) -> int:
    """Run Locust on a system of its own with the usual simulated delays."""
    usual = Settings()
    changes: dict[str, Any] = {
        "simulated_delivered_seconds": usual.simulated_delivered_seconds,
        "simulated_read_seconds": usual.simulated_read_seconds,
        "log_level": "WARNING",
    }
    if INBOUND in options.tag_list:
        changes["accounts"] = str(folder / "accounts.toml")
    settings = system_settings(servers, folder, **changes)
    async with AsyncExitStack() as parts:
        if INBOUND in options.tag_list:
            options = replace(options, inbox=f"load_inbox_{uuid.uuid4().hex[:8]}:{uuid.uuid4().hex}")
            world = World(settings, folder, free_ports(1), 1, options.inbox.partition(":")[0])
            parts.push_async_callback(world.end)
            await world.start()
            options = replace(options, simulator=world.url)
        system = await parts.enter_async_context(
            System(settings, folder, dict.fromkeys(ROLES, 1), api_processes=processes)
        )
        username, password = await signed_up_as(settings.host, settings.port)
        if options.inbox:
            await signed_up_as(settings.host, settings.port, *options.inbox.split(":"))
        grant = (sys.executable, "-m", "chat4all", "admin", "grant", username)
        granting = await asyncio.create_subprocess_exec(
            *grant, env={**os.environ, **settings.to_environ()}, stdout=asyncio.subprocess.DEVNULL
        )
        if await granting.wait():
            return NOT_RUN
        ports = {process.name: process.spec.environ["CHAT4ALL_METRICS_PORT"] for process in system.workers}
        options = replace(
            options,
            host=f"http://{settings.host}:{settings.port}",
            metrics=",".join(f"{name}=http://127.0.0.1:{port}/metrics" for name, port in ports.items()),
            operator=f"{username}:{password}",
            settings=f"{processes} x API, one worker of each role, {settings.partitions} partitions, replication 1, "
            "simulated channels (DELIVERED after 1 to 3 s, READ 2 to 5 s later), all on this machine with Locust",
        )
        return await asyncio.to_thread(locust, options, with_page=with_page)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = arguments_of(given)
    options = options_of(wanted, given)
    if options.host:
        return locust(options, with_page=wanted.ui)
    with own_servers("load", ["kafka", "cassandra"]) as (servers, folder):
        return asyncio.run(on_own_system(options, servers, folder, wanted.api, with_page=wanted.ui))


if __name__ == "__main__":
    sys.exit(main())
