"""Telegram without a public address: the updates are polled by one of two workers, and the poller dies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from loadtests.system import Servers, System, free_ports, system_settings
from loadtests.two_way.runner import Client, NotReached
from loadtests.two_way.world import World
from support.waiting import pass_time, until

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

WORKERS = {"core": 1, "mirror": 1, "telegram": 2}
SECONDS = 60.0
WRITTEN = 30


@dataclass
class Polled:
    system: System
    world: World
    client: Client

    async def texts(self) -> list[str]:
        """Return what the inbox holds of people's words, in order."""
        found = []
        for conversation in await self.client.pages("/v1/conversations", "conversations"):
            path = f"/v1/conversations/{quote(conversation['conversation_id'], safe='')}/messages"
            found += [one["content"] for one in await self.client.pages(path, "messages")]
        return [text for text in found if text.startswith("line ")]


def polled(accounts: Path) -> None:
    """Let the account of Telegram be polled: it has no secret for a webhook."""
    text = accounts.read_text()
    text = re.sub(r"\[\[telegram\]\]\n", '[[telegram]]\nupdates = "polling"\n', text)
    accounts.write_text(re.sub(r"secret_token_file = .*\n", "", text))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Polled]:
    folder: Path = tmp_path_factory.mktemp("polling")
    settings = system_settings(stack, folder, accounts=str(folder / "accounts.toml"))
    client = Client(settings.port)
    world = World(settings, folder, free_ports(1), 7, client.username)
    polled(world.accounts)
    try:
        await world.start()
        async with System(settings, folder, WORKERS) as system:
            await client.sign_up()
            yield Polled(system, world, client)
    finally:
        await client.close()
        await world.end()


async def test_what_people_write_is_there_once_and_in_order_though_each_worker_dies(running: Polled) -> None:
    await running.world.asked("POST", "/phones", {"id": "eva", "handle": "eva_maria", "reads": "never"})

    async def write() -> None:
        for number in range(WRITTEN):
            message = {"channel": "telegram", "account": "default", "text": f"line {number:02d}"}
            await running.world.asked("POST", "/phones/eva/send", message)
            await pass_time(0.1)

    async def kill() -> None:
        for name in ("telegram-1", "telegram-2"):  # one of them polls
            await pass_time(1.0)
            process = running.system.worker(name)
            process.kill()
            process.start()

    await asyncio.gather(write(), kill())
    wanted = [f"line {number:02d}" for number in range(WRITTEN)]

    async def is_there() -> bool:
        return len(await running.texts()) >= WRITTEN

    await until(is_there, SECONDS)
    assert await running.texts() == wanted


async def test_an_answer_goes_to_the_handle_of_who_wrote(running: Polled) -> None:
    body: dict[str, Any] = {"recipient_id": "telegram:@eva_maria", "content": "hello, Eva"}
    accepted: list[str] = []

    async def is_accepted() -> bool:
        with suppress(NotReached):  # who has written is known a moment after the message is shown
            accepted.append((await running.client.asked("POST", "/v1/messages", body))["message_id"])
        return bool(accepted)

    async def is_sent() -> bool:
        return bool((await running.client.asked("GET", f"/v1/messages/{accepted[0]}"))["status"] == "SENT")

    await until(is_accepted, SECONDS)

    await until(is_sent, SECONDS)
    screen = (await running.world.asked("GET", "/phones/eva/messages"))["messages"]
    assert [one["text"] for one in screen if one["from"] == "account"] == ["hello, Eva"]
