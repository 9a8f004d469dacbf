"""The Python client on the whole system, whose API ends in the middle of it."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing

import pytest

from chat4all import Client
from loadtests.system import System
from support.waiting import until

pytestmark = pytest.mark.real

PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 120.0
MESSAGES = 40


async def test_sends_and_notifications_go_on_over_a_crash_of_the_api(system: System) -> None:
    mark = os.urandom(4).hex()
    talk = f"crash-{mark}"
    url = f"http://{system.settings.host}:{system.settings.port}"
    api = system.apis[0]

    sent: list[str] = []

    async def crash() -> None:
        await until(lambda: len(sent) >= MESSAGES // 4, PATIENCE_SECONDS)
        api.kill()
        await system.revive()

    async with Client(url, retry_seconds=PATIENCE_SECONDS) as client, asyncio.timeout(PATIENCE_SECONDS):
        await client.register(f"ana_{mark}", PASSWORD)
        await client.login(f"ana_{mark}", PASSWORD)
        await client.create_conversation(["telegram:@carla"], talk)
        async with aclosing(client.notifications(patience_seconds=PATIENCE_SECONDS)) as frames:
            assert (await anext(frames))["type"] == "connected"
            crashed = asyncio.create_task(crash())
            for number in range(MESSAGES):
                sent.append((await client.send("telegram:@carla", f"hi {number}", talk)).message_id)
            await crashed
            pushed: list[str] = []
            greetings = 1
            while len(pushed) < MESSAGES:
                frame = await anext(frames)
                greetings += frame["type"] == "connected"
                if frame["type"] == "new_message":
                    pushed.append(frame["message_id"])
        assert greetings > 1
        assert pushed == sent == [one["message_id"] async for one in client.messages(talk)]
