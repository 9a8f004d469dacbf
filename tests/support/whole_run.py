"""`chat4all run` in a folder of its own, and commands beside it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

from loadtests.system import Servers, free_ports
from support.waiting import until

READY_SECONDS = 90.0
COMMAND = (sys.executable, "-m", "chat4all")
# what a shell needs to run the printed lines, on a machine that may not have curl
CURL = """#!{python}
import sys, urllib.request
url, data, headers, rest = "", None, {{}}, sys.argv[1:]
while rest:
    word = rest.pop(0)
    if word == "-H":
        name, _, value = rest.pop(0).partition(": ")
        headers[name] = value
    elif word == "-d":
        data = rest.pop(0).encode()
    elif word != "-s":
        url = word
print(urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20).read().decode(), end="")
"""


class System:
    """`chat4all run` in a folder of its own, with topics and a keyspace of its own."""

    def __init__(self, folder: Path, stack: Servers, *arguments: str) -> None:
        self.folder = folder
        self._arguments = arguments
        self.port = free_ports(8)
        self.simulator_port = self.port + 6
        self.ledger_port = self.port + 7
        name = uuid.uuid4().hex[:8]
        self.environ = os.environ | {
            "XDG_CONFIG_HOME": str(folder / "config"),
            "CHAT4ALL_ACCOUNTS": "accounts.toml",
            "CHAT4ALL_KAFKA": stack.kafka_bootstrap,
            "CHAT4ALL_CASSANDRA": ",".join(stack.cassandra_contact_points),
            "CHAT4ALL_CASSANDRA_PORT": str(stack.cassandra_port),
            "CHAT4ALL_TOPIC_PREFIX": f"run-{name}-",
            "CHAT4ALL_KEYSPACE": f"test_{name}",
            "CHAT4ALL_PARTITIONS": "2",
            "CHAT4ALL_PORT": str(self.port),
            "CHAT4ALL_METRICS_PORT": str(self.port + 1),
            "CHAT4ALL_SIMULATOR_PORT": str(self.simulator_port),
            "CHAT4ALL_LEDGER_URL": f"http://127.0.0.1:{self.ledger_port}/metrics",
            "CHAT4ALL_SIMULATED_DELIVERED_SECONDS": "0.05,0.1",
            "CHAT4ALL_SIMULATED_READ_SECONDS": "0.05,0.1",
            "CHAT4ALL_ARGON2_TIME_COST": "1",
            "CHAT4ALL_ARGON2_MEMORY_KIB": "64",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self.process: asyncio.subprocess.Process
        self.text = ""
        self._reader: asyncio.Task[None]

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "run",
            *self._arguments,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read())
        await self.until(r"Ctrl-C stops it", READY_SECONDS)

    async def until(self, pattern: str, seconds: float) -> re.Match[str]:
        """Wait for a text on the screen and return it."""
        try:
            await until(lambda: re.search(pattern, self.text) or self.process.returncode is not None, seconds)
        except TimeoutError:
            raise AssertionError(f"{pattern!r} was not shown in {seconds:g} s:\n{self.text}") from None
        match = re.search(pattern, self.text)
        assert match, self.text
        return match

    async def call(self, *arguments: str) -> tuple[int, str]:
        """Run a command of `chat4all` beside it; return its exit code and what it printed."""
        return await self._output(*COMMAND, *arguments)

    async def paste(self, lines: list[str]) -> tuple[int, str]:
        """Run lines in a shell."""
        curl = self.folder / "bin" / "curl"
        curl.parent.mkdir(exist_ok=True)
        curl.write_text(CURL.format(python=sys.executable))
        curl.chmod(0o755)
        return await self._output("sh", "-e", "-c", "\n".join(lines), PATH=f"{curl.parent}:{os.environ['PATH']}")

    async def _output(self, *command: str, **environ: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=self.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, output.decode()

    async def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        try:
            code = await asyncio.wait_for(self.process.wait(), 60)
        except TimeoutError:
            self.process.kill()
            raise
        await self._reader
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(65_536):
            self.text += chunk.decode(errors="replace")
