"""The simulator as a process of a run, its people, and the accounts that reach it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from app.settings import Settings
from cli.simulated_accounts import write_accounts
from cli.supervisor import ProcessSpec
from loadtests.groups import until
from loadtests.processes import Process

LOOPBACK = "127.0.0.1"
READY_SECONDS = 30.0
_PAGE = 2_000
_TRIES = 20


class World:
    """The simulator. Use ``start`` before the system's workers need it, ``end`` at the end."""

    def __init__(self, settings: Settings, folder: Path, port: int, seed: int, inbox: str) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        breaker = "breaker = { open_seconds = 2, longest_open_seconds = 8 }"
        self.accounts = write_accounts(folder, self.url, more=[f'inbox = "{inbox}"', breaker])
        api = f"http://{LOOPBACK}:{settings.port}/webhooks"
        options = ("--port", str(port), "--seed", str(seed), "--accounts", str(self.accounts), "--callback", api)
        command = (sys.executable, "-m", "chat4all", "simulator", *options)
        self.process = Process(ProcessSpec("simulator", command, settings.to_environ()), folder)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start it; return when it answers. Raises ``NotInTime``."""
        self.process.start()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

        async def answers() -> bool:
            try:
                await self.asked("GET", "/health", tries=1)
            except (aiohttp.ClientError, OSError, TimeoutError):
                return False
            return True

        await until("the simulator answers", READY_SECONDS, answers)

    async def end(self) -> None:
        """Kill it."""
        self.process.kill()
        if self._session is not None:
            await self._session.close()

    async def asked(self, method: str, path: str, body: Mapping[str, Any] | None = None, tries: int = _TRIES) -> Any:
        """Return the answer. Raises ``RuntimeError`` if it refuses."""
        assert self._session is not None
        for left in reversed(range(tries)):
            try:
                async with self._session.request(method, self.url + path, json=body) as answer:
                    if answer.status >= 400:
                        raise RuntimeError(f"the simulator: {path}: {answer.status} {await answer.text():.300}")
                    return await answer.json()
            except (aiohttp.ClientConnectionError, TimeoutError):
                if not left:
                    raise
                await asyncio.sleep(0.2)
        raise AssertionError("unreachable")

    async def rows(self, name: str) -> list[dict[str, Any]]:
        """Return all rows of ``taken`` or ``written``."""
        return [row async for row in self._pages(name)]

    async def _pages(self, name: str) -> AsyncIterator[dict[str, Any]]:
        after: int | None = 0
        while after is not None:
            page = await self.asked("GET", f"/{name}?after={after}&limit={_PAGE}")
            for row in page[name]:
                yield row
            after = page["next"]

    async def is_quiet(self) -> bool:
        """Return whether no webhook waits and nothing is due."""
        counts = await self.asked("GET", "/counts")
        return not counts["webhooks_waiting"] and not counts["due_later"]
