"""The whole system with the simulator, a ledger and a browser, for the journeys through the console."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, FrameLocator

from cli.supervisor import ProcessSpec
from loadtests.processes import Process
from loadtests.system import Servers, System, free_ports, system_settings
from loadtests.two_way.runner import Client
from loadtests.two_way.world import LOOPBACK, World
from support.browser import Tab, chromium
from support.waiting import until

WORKERS = {"core": 1, "mirror": 1, "whatsapp": 1, "instagram": 1}
PASSWORD = "a long passphrase"
SECONDS = 30.0
_CLI = ("-c", "from chat4all.cli.main import main; main()")


@dataclass
class Stage:
    """The system, the simulator and the browser."""

    system: System
    world: World
    browser: Browser
    folder: Path
    ledger: Process

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.system.settings.port}"

    async def admin(self, username: str) -> None:
        """Give a user the role admin, as on the machine."""
        environ = {**os.environ, **self.system.settings.to_environ()}
        command = (sys.executable, *_CLI, "admin", "grant", username)
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=subprocess.DEVNULL)
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0

    async def client(self, username: str) -> Client:
        """Return a client of the API that is signed in as the user; to be closed."""
        made = Client(self.system.settings.port)
        session = await made.asked("POST", "/auth/login", {"username": username, "password": PASSWORD})
        made._headers = {"Authorization": f"Bearer {session['access_token']}"}
        return made

    async def status(self, client: Client, message_id: str) -> str:
        """Return how far a message is."""
        return str((await client.asked("GET", f"/v1/messages/{message_id}"))["status"])

    async def until_status(self, client: Client, message_id: str, status: str) -> None:
        """Wait until a message is so far."""

        async def is_so_far() -> bool:
            return await self.status(client, message_id) == status

        await until(is_so_far, SECONDS, look_seconds=0.1)


@asynccontextmanager
async def on_stage(stack: Servers, folder: Path) -> AsyncIterator[Stage]:
    """Yield a stage on the session's servers; the ledger is not started."""
    port = free_ports(2)  # and the next one
    books = port + 1
    settings = system_settings(
        stack,
        folder,
        accounts=str(folder / "accounts.toml"),
        simulator_url=f"http://{LOOPBACK}:{port}",
        ledger_url=f"http://{LOOPBACK}:{books}/metrics",
        evidence_seconds=1.0,
        send_seconds=3.0,
    )
    command = (sys.executable, "-m", "chat4all", "ledger", "--port", str(books))
    ledger = Process(ProcessSpec("ledger", command, settings.to_environ()), folder)
    world = World(settings, folder, port, 7, "demo")
    try:
        await world.start()
        async with System(settings, folder, WORKERS) as system, chromium() as browser:
            yield Stage(system, world, browser, folder, ledger)
    finally:
        ledger.kill()
        await world.end()


def somebody() -> str:
    """Return a name that nobody has."""
    return f"user_{secrets.token_hex(4)}"


def telephones(one: Tab) -> FrameLocator:
    """Return the telephones beside the page."""
    return one.page.frame_locator(".phones iframe")
