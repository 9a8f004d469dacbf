"""Loses Cassandra, restores a backup of it, and lets the mirror write what came since; then asks `audit`.

    python -m loadtests.restore

The backup is a copy of the stopped server's folder, with the same files as a snapshot. Messages are accepted
before it, while Cassandra is down for it, and after it. Exit code 1 if a message is missing from the restored
histories, or a view differs from the log.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from app.roles import ROLES
from devstack import Stack
from devstack.cassandra import Cassandra
from loadtests.command_line import parser_of
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.servers import own_servers
from loadtests.system import System, system_settings

MESSAGES, CONVERSATIONS = 400, 40
RESET_SECONDS = 90.0  # until the group of the stopped mirror is empty

Say = Callable[[str], None]


class Restore:
    """One loss of Cassandra, and what it takes to have it back."""

    def __init__(self, stack: Stack, system: System, folder: Path, say: Say) -> None:
        self._stack = stack
        self._system = system
        self._copy = folder / "backup"
        self._say = say

    async def run(self) -> bool:
        """Live through it; return whether nothing is missing."""
        orders = Orders(CONVERSATIONS, ["whatsapp", "instagram", "telegram"])
        async with Run(self._system) as run:
            await run.meet(orders)
            await self._send(run, orders, "before the backup")
            await run.at_rest()
            since_ms = time.time_ns() // 1_000_000
            await self._cassandra_down()
            shutil.copytree(self._data, self._copy)
            await self._send(run, orders, "while Cassandra is down for the backup")
            await self._cassandra_up()
            await self._send(run, orders, "after the backup")
            await run.at_rest()
            await self._lose_and_restore(since_ms)
            await run.at_rest()
            balance = run.balance()
            self._say(f"the log: {balance}")
            return balance.is_balanced and await self._audit()

    async def _send(self, run: Run, orders: Orders, when: str) -> None:
        shots = await run.send(orders.make(MESSAGES), 100.0)
        await run.settled()
        self._say(f"{when}: {shots.count(202)} of {MESSAGES} accepted")

    @property
    def _data(self) -> Path:
        part = self._stack.part("cassandra")
        assert isinstance(part, Cassandra)
        return part.data_folder

    async def _cassandra_down(self) -> None:
        await asyncio.to_thread(self._stack.part("cassandra").stop)

    async def _cassandra_up(self) -> None:
        await asyncio.to_thread(self._stack.part("cassandra").start)
        await self._system.ready()

    async def _lose_and_restore(self, since_ms: int) -> None:
        """What docs/operations.md says of a lost Cassandra: its files back, and the mirror's offsets before them."""
        for worker in self._system.of_role("mirror"):
            worker.kill()
        await self._cassandra_down()
        shutil.rmtree(self._data)
        began = time.monotonic()
        shutil.copytree(self._copy, self._data)
        await asyncio.to_thread(self._stack.part("cassandra").start)
        deadline, words = (
            time.monotonic() + RESET_SECONDS,
            ("replay", "reset", "mirror", "--to-time", str(since_ms), "--yes"),
        )
        while (done := await self._command(*words)).returncode:
            if time.monotonic() > deadline:
                raise SystemExit(f"the mirror's group was not set: {done.stderr.strip() or done.stdout.strip():.300}")
            await asyncio.sleep(2)
        self._say(f"chat4all {' '.join(words)}: {done.stdout.strip().splitlines()[-1]}")
        await self._system.revive()
        self._say(f"Cassandra is back, and the mirror at work, after {time.monotonic() - began:.0f} s")

    async def _audit(self) -> bool:
        done = await self._command("audit")
        self._say(f"chat4all audit: exit {done.returncode}: {done.stdout.strip() or done.stderr.strip():.400}")
        return done.returncode == 0

    async def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **self._system.settings.to_environ()}
        command = [sys.executable, "-m", "chat4all", *words]
        return await asyncio.to_thread(
            subprocess.run, command, env=environ, capture_output=True, text=True, check=False
        )


async def _restored(stack: Stack, folder: Path, say: Say) -> bool:
    settings = system_settings(stack, folder, session_timeout_seconds=10.0)
    async with System(settings, folder / "system", dict.fromkeys(ROLES, 1)) as system:
        return await Restore(stack, system, folder, say).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser_of("loadtests.restore", __doc__).parse_args(arguments)
    with own_servers("restore", ["kafka", "cassandra"]) as (stack, folder):
        good = uvloop.run(_restored(stack, folder, lambda line: print(line, flush=True)))
    print("good" if good else "NOT good")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
