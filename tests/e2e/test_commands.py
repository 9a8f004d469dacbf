"""The commands as processes, on the whole system: a conversation of two people from their terminals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from loadtests.system import System

pytestmark = pytest.mark.real

SECONDS = 60.0
PASSWORD = "correct horse battery"


class Terminal:
    """Somebody's: a configuration folder of their own, and the commands they type."""

    def __init__(self, system: System, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        url = f"http://{system.settings.host}:{system.settings.port}"
        self._environ = {**os.environ, "CHAT4ALL_URL": url, "XDG_CONFIG_HOME": str(folder / "config")}

    async def begin(self, *arguments: str) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chat4all",
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=Path.cwd(),
            env=self._environ,
        )

    async def type(self, *arguments: str, stdin: str = "", code: int = 0) -> list[dict[str, Any]]:
        """Return the JSON lines that a command prints."""
        process = await self.begin(*arguments, "--json")
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), SECONDS)
        assert process.returncode == code, (out, err)
        assert err == b""
        return [json.loads(line) for line in out.splitlines()]

    async def sign_up(self, name: str) -> str:
        """Register, log out and in again; return the user's id."""
        await self.type("register", name, "--password-stdin", stdin=PASSWORD)
        await self.type("logout")
        [told] = await self.type("login", name, "--password-stdin", stdin=PASSWORD)
        assert (await self.type("whoami"))[0]["user_id"] == told["user_id"]
        return str(told["user_id"])


async def frames(process: Process) -> Any:
    """Yield what a `tail --json` prints."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        yield json.loads(line)


async def test_two_people_talk_from_their_terminals(system: System, tmp_path: Path) -> None:
    ana, bruno = Terminal(system, tmp_path / "ana"), Terminal(system, tmp_path / "bruno")
    mark = os.urandom(4).hex()
    _, bruno_id = [await who.sign_up(f"{name}_{mark}") for who, name in ((ana, "ana"), (bruno, "bruno"))]
    talk = f"talk-{mark}"
    await ana.type("conversations", "create", bruno_id, "telegram:@carla", "--id", talk)

    tail = await bruno.begin("tail", "--json", talk)
    async with asyncio.timeout(SECONDS):
        seen = frames(tail)
        assert (await anext(seen))["type"] == "connected"
        story = await ana.type("send", "telegram:@carla", "olá 👋", "--conversation", talk, "--wait", "read")
        assert [event["status"] for event in story] == ["ACCEPTED", "SENT", "DELIVERED", "READ"]
        pushed = [await anext(seen) for _ in range(4)]
        assert [frame.get("status") for frame in pushed] == [None, "SENT", "DELIVERED", "READ"]
        assert pushed[0]["content"] == "olá 👋"
        message_id = story[0]["message_id"]
        assert {frame["message_id"] for frame in pushed} == {message_id}

        # to everyone: Bruno has it by his tail, and says that he has read it
        story = await ana.type("send", "all of you", "--conversation", talk)
        to_all = story[0]["message_id"]
        assert (await anext(seen))["message_id"] == to_all
        assert (await bruno.type("read", to_all))[0]["status"] == "READ"

    [shown] = await ana.type("status", message_id)
    assert (shown["status"], shown["content"]) == ("READ", "olá 👋")
    assert [one["content"] for one in await bruno.type("messages", talk)] == ["olá 👋", "all of you"]
    words = [event["event"] for event in (await ana.type("trace", message_id))[0]["events"]]
    assert [word for word in words if word in ("ACCEPTED", "SENT", "DELIVERED", "READ")] == [
        "ACCEPTED",
        "SENT",
        "DELIVERED",
        "READ",
    ]

    tail.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(tail.wait(), 10) == 0
    assert tail.stderr is not None
    assert await tail.stderr.read() == b""
