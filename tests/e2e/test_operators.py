"""An operator's hour on the whole system: an account is paused, a message expires, and is sent again."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer

from agents.holds import Holds
from app.faust.stream_app import StreamApp
from chat4all import Client
from loadtests.system import System
from support.fakes import FakeApp
from support.waiting import until

pytestmark = pytest.mark.real

PASSWORD = "correct horse battery"
REPORT_SECONDS = 20.0
LIFE_SECONDS = 30.0


async def chat4all(system: System, *words: str) -> str:
    """Run the command on the machine of the system and return what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from chat4all.cli.main import main; main()", *words),
        env={**os.environ, **system.settings.to_environ()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), LIFE_SECONDS)
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_a_message_that_expired_while_its_account_was_paused_is_sent_again(system: System) -> None:
    mark = os.urandom(4).hex()
    name, talk = f"ops_{mark}", f"ops-{mark}"
    async with Client(f"http://{system.settings.host}:{system.settings.port}") as client:
        await client.register(name, PASSWORD)
        await client.login(name, PASSWORD)
        assert f"{name} is an admin" in await chat4all(system, "admin", "grant", name)

        async def is_paused() -> bool:
            accounts = (await client.channels())["accounts"]
            return any(a["paused"] for a in accounts if (a["channel"], a["account"]) == ("telegram", "default"))

        async def becomes(message_id: str, status: str) -> None:
            async def is_there() -> bool:
                return bool((await client.message(message_id))["status"] == status)

            await until(is_there, LIFE_SECONDS, look_seconds=0.1)

        await client.pause_account("telegram", "default", note="the test of operators")
        try:
            await until(is_paused, REPORT_SECONDS, look_seconds=0.2)
            soon = datetime.now(UTC) + timedelta(seconds=3)
            first = (await client.send("telegram:@maria", "first", talk, expires_at=soon)).message_id
            second = (await client.send("telegram:@maria", "second", talk)).message_id
            await becomes(first, "FAILED")
            assert (await client.message(second))["status"] == "ACCEPTED"
        finally:
            await client.resume_account("telegram", "default")
        await becomes(second, "READ")

        (letter,) = [each async for each in client.dead_letters(conversation_id=talk)]
        assert letter["reason"] == "expired"
        for _ in range(2):
            await client.redrive_dead_letter(letter["id"], note="it is wanted after all")
        await becomes(first, "READ")

        async def tells_what_became_of_it() -> bool:
            result = (await client.dead_letter(letter["id"]))["result"]
            return (result["outcome"], result["status"]) == ("queued", "READ")

        await until(tells_what_became_of_it, LIFE_SECONDS, look_seconds=0.1)


async def test_a_hold_that_another_worker_wrote_stops_the_account_until_an_operator_resumes_it(system: System) -> None:
    mark = os.urandom(4).hex()
    name, talk = f"hold_{mark}", f"hold-{mark}"
    other = FakeApp(partitions=system.settings.partitions)
    Holds(cast(StreamApp, other), "telegram").tell("default", 600.0, "190: the token was revoked")
    async with Client(f"http://{system.settings.host}:{system.settings.port}") as client:
        await client.register(name, PASSWORD)
        await client.login(name, PASSWORD)
        await chat4all(system, "admin", "grant", name)

        async def telegram() -> dict[str, Any]:
            accounts = (await client.channels())["accounts"]
            return next(one for one in accounts if (one["channel"], one["account"]) == ("telegram", "default"))

        async def is_held() -> bool:
            return bool((await telegram())["breaker"] == "open")

        async def is_read() -> bool:
            return bool((await client.message(message_id))["status"] == "READ")

        async with AIOKafkaProducer(bootstrap_servers=system.settings.kafka) as producer:
            for topic, partition, key, value in other.batch_producer.records:
                await producer.send_and_wait(system.settings.topic_prefix + topic, value, key, partition)
        try:
            await until(is_held, REPORT_SECONDS, look_seconds=0.2)
            assert "revoked" in str((await telegram())["last_errors"])
            message_id = (await client.send("telegram:@maria", "hi", talk)).message_id
            assert (await client.message(message_id))["status"] == "ACCEPTED"
        finally:
            await client.resume_account("telegram", "default")
        await until(is_read, LIFE_SECONDS, look_seconds=0.1)
