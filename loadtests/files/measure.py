"""One store under one API: large files up and down, while others send messages."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.files.content import checksum_of
from loadtests.files.memory import MemoryWatch
from loadtests.generator import Shots, percentile
from loadtests.orders import Orders, signed_up
from loadtests.processes import cpu_seconds
from loadtests.run import Run
from loadtests.system import System

TRANSFER_SECONDS = 900.0
_ROOT = Path(__file__).parents[2]


class WentWrong(Exception):
    """A transfer failed, or brought other bytes than were sent: no figure is worth anything then."""


@dataclass(frozen=True, slots=True)
class Transfers:
    """Files that went one way side by side. ``accepts``: what messages took meanwhile (milliseconds, sorted)."""

    count: int
    size_bytes: int
    seconds: float
    growth_mib: float
    api_cpu_seconds: float
    accepts: list[float]

    @property
    def mib_per_second(self) -> float:
        return self.count * self.size_bytes / 2**20 / self.seconds

    @property
    def accept_p99_ms(self) -> float:
        return percentile(self.accepts, 0.99)


async def child(module: str, *arguments: str) -> dict[str, Any]:
    """Run a program of this package; return its output. Raises ``WentWrong``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"loadtests.files.{module}",
        *arguments,
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TRANSFER_SECONDS):
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise WentWrong(f"{module} failed: {complaints.decode()[-1_000:]}")
    return dict(json.loads(printed))


class Files:
    """Files of one user on a running system, with messages beside them at ``rate`` a second."""

    def __init__(self, system: System, run: Run, rate: float) -> None:
        self._system = system
        self._run = run
        self._rate = rate
        self._orders = Orders(50, ["whatsapp"])
        self._url = f"http://{system.settings.host}:{system.settings.port}"
        self._tokens: list[str] = []

    async def warm_up(self) -> None:
        """Set up conversations, buffers and connections."""
        await self._run.send(self._orders.one_for_each_conversation())
        await self.up(1 << 20, 1)
        await self.up(32 << 20, 1)

    async def nothing(self, seconds: float) -> list[float]:
        """Return how long messages take (milliseconds, sorted) while no file is under way."""
        shots = await self._run.send(self._orders.make(max(1, int(self._rate * seconds))), self._rate)
        return shots.latencies_ms()

    async def up(self, size_bytes: int, count: int, *, by_tus: bool = False) -> tuple[Transfers, list[dict[str, Any]]]:
        """Send ``count`` files concurrently; return the timings and the API's metadata."""
        settings = self._system.settings
        while len(self._tokens) < count:
            self._tokens.append(await signed_up(settings.host, settings.port))

        def one(number: int) -> Any:
            way, token = "tus" if by_tus else "up", self._tokens[number]
            return child("transfer", way, self._url, token, f"files-{number}", str(size_bytes))

        transfers, answers = await self._together([one(number) for number in range(count)], size_bytes)
        expected = checksum_of(size_bytes)
        for answer in answers:
            if answer["status"] != 201 or answer["document"]["checksum"] != expected:
                raise WentWrong(f"an upload was answered with {answer['status']}: {answer['document']}")
        return transfers, [answer["document"] for answer in answers]

    async def down(self, files: list[dict[str, Any]], *, by_link: bool = False) -> Transfers:
        """Download ``files`` through the API or by its links."""
        urls = []
        for number, file in enumerate(files):
            path = f"/v1/files/{file['file_id']}"
            url, token = f"{self._url}{path}/content", self._tokens[number]
            if by_link:
                link = await self._system.client(token).ask("GET", f"{path}/download")
                url, token = link.json()["download_url"], ""
            urls.append((url, token))
        transfers, answers = await self._together(
            [child("transfer", "down", url, token) for url, token in urls], files[0]["size_bytes"]
        )
        for file, answer in zip(files, answers, strict=True):
            if answer["checksum"] != file["checksum"]:
                raise WentWrong(f"a download brought {answer['bytes']} bytes with {answer['checksum']}")
        return transfers

    async def _together(self, running: list[Any], size_bytes: int) -> tuple[Transfers, list[dict[str, Any]]]:
        """Run all at once; messages are sent from the first byte to the last."""
        (api,) = self._system.apis
        loop = asyncio.get_running_loop()
        began, cpu_before = loop.time(), cpu_seconds(api.pid)
        with MemoryWatch(api.pid) as memory:
            transfers = asyncio.gather(*running)
            accepts: list[float] = []
            while self._rate and not transfers.done():
                shots: Shots = await self._run.send(self._orders.make(max(1, int(self._rate))), self._rate)
                if shots.count(202) < len(shots):
                    raise WentWrong("a message was not accepted")
                accepts += shots.latencies_ms()
            answers = await transfers
        seconds = max(answer["seconds"] for answer in answers) if len(answers) == 1 else loop.time() - began
        return Transfers(
            len(running), size_bytes, seconds, memory.growth_mib, cpu_seconds(api.pid) - cpu_before, sorted(accepts)
        ), answers
