"""People who write and answer, through the simulator of the providers and the real connectors: both ways, whole."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from app.kafka.codec import decode
from app.kafka.topics import Topics
from app.replay.span import Span, open_consumer
from domain.inbound import WebhookReceived
from domain.records import DeadLetter
from loadtests.system import Servers, System, free_ports, system_settings
from loadtests.two_way.plan import ACCOUNT, CHANNELS
from loadtests.two_way.runner import Client
from loadtests.two_way.world import LOOPBACK, World
from simulator.accounts import DEFAULTS
from simulator.media import SAMPLES
from support.waiting import pass_time, until

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

WORKERS = {"core": 1, "mirror": 1, "whatsapp": 1, "instagram": 1, "telegram": 1}
SECONDS = 30.0
CROWD = 40


@dataclass
class TwoWay:
    """The system, the simulator, and the user of the inbox with what came on their WebSocket."""

    system: System
    world: World
    client: Client
    frames: list[dict[str, Any]]

    async def phone(self, name: str, number: int) -> None:
        """Make somebody who reads only when told to."""
        who = {"id": name, "number": f"+55119{number:08d}", "handle": name, "reads": "never"}
        await self.world.asked("POST", "/phones", who)

    async def writes(self, name: str, channel: str, **message: object) -> None:
        await self.world.asked("POST", f"/phones/{name}/send", {"channel": channel, "account": ACCOUNT, **message})

    async def screen(self, name: str) -> list[dict[str, Any]]:
        return list((await self.world.asked("GET", f"/phones/{name}/messages"))["messages"])

    async def live(self, text: str) -> dict[str, Any]:
        """Return the frame of the message with this text, when it comes."""
        await until(lambda: self._framed(text), SECONDS)
        return self._framed(text)[0]

    def _framed(self, text: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame.get("content") == text]

    async def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        return await self.client.pages(f"/v1/conversations/{quote(conversation_id, safe='')}/messages", "messages")

    async def until_status(self, message_id: str, status: str) -> None:
        async def has_it() -> bool:
            return bool((await self.client.asked("GET", f"/v1/messages/{message_id}"))["status"] == status)

        await until(has_it, SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_way(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoWay]:
    folder: Path = tmp_path_factory.mktemp("two-way")
    settings = system_settings(stack, folder, accounts=str(folder / "accounts.toml"))
    client = Client(settings.port)
    world = World(settings, folder, free_ports(1), 7, client.username)
    frames: list[dict[str, Any]] = []
    try:
        await world.start()
        async with System(settings, folder, WORKERS) as system, aiohttp.ClientSession() as session:
            await client.sign_up()
            url = f"http://{LOOPBACK}:{settings.port}/notifications"
            async with session.ws_connect(url, headers=client._headers) as socket:
                listening = asyncio.create_task(_listen(socket, frames))
                await until(lambda: frames, SECONDS)
                yield TwoWay(system, world, client, frames)
                listening.cancel()
    finally:
        await client.close()
        await world.end()


async def _listen(socket: aiohttp.ClientWebSocketResponse, frames: list[dict[str, Any]]) -> None:
    while True:
        frames.append(await socket.receive_json())


@pytest.mark.parametrize(("channel", "last"), [("whatsapp", "READ"), ("instagram", "READ"), ("telegram", "SENT")])
async def test_a_phone_writes_the_answer_arrives_and_its_receipt_comes_back(
    two_way: TwoWay, channel: str, last: str
) -> None:
    name = f"ana-{channel}"
    await two_way.phone(name, CHANNELS.index(channel))
    await two_way.writes(name, channel, text=f"oi from {channel}")
    frame = await two_way.live(f"oi from {channel}")
    conversation = frame["conversation_id"]
    (shown,) = await two_way.messages(conversation)
    assert (shown["direction"], shown["content"]) == ("inbound", f"oi from {channel}")
    assert shown["sender_id"].startswith(f"{channel}:")

    body = {"conversation_id": conversation, "content": f"hello {channel}", "reply_to": shown["message_id"]}
    answer = await two_way.client.asked("POST", "/v1/messages", body)

    async def has_arrived() -> bool:
        return [one["text"] for one in await two_way.screen(name) if one["from"] == "account"] == [f"hello {channel}"]

    await until(has_arrived, SECONDS)
    (taken,) = [one for one in await two_way.screen(name) if one["from"] == "account"]
    assert taken["copy"] == 1
    if channel != "telegram":
        await two_way.world.asked("POST", f"/phones/{name}/read", {})
    await two_way.until_status(answer["message_id"], last)

    await two_way.world.asked("POST", f"/phones/{name}/reply", {"text": f"bye {channel}", "quote": True})
    quoting = await two_way.live(f"bye {channel}")
    assert quoting["conversation_id"] == conversation
    await two_way.client.asked("POST", f"/v1/messages/{quoting['message_id']}/read")
    (listed,) = [one for one in await two_way.messages(conversation) if one["content"] == f"bye {channel}"]
    assert (listed["reply_to"], listed["status"]) == (answer["message_id"], "READ")

    async def is_listed() -> bool:  # once the mirror has the conversation
        found = await two_way.client.pages("/v1/conversations", "conversations")
        return conversation in [one["conversation_id"] for one in found]

    await until(is_listed, SECONDS)


@pytest.mark.parametrize("channel", ["whatsapp", "instagram", "telegram"])
async def test_a_photo_is_in_the_store_when_the_message_is_shown(two_way: TwoWay, channel: str) -> None:
    name = f"zoe-{channel}"
    await two_way.phone(name, 100 + CHANNELS.index(channel))
    await two_way.writes(name, channel, kind="image", text=f"look {channel}")
    if channel == "instagram":  # a text and a file are two messages there
        await until(lambda: [one for one in two_way.frames if one.get("file_id") and _from(one, channel)], SECONDS)
        frame = next(one for one in two_way.frames if one.get("file_id") and _from(one, channel))
    else:
        frame = await two_way.live(f"look {channel}")
    file = await two_way.client.asked("GET", f"/v1/files/{frame['file_id']}")
    assert file["size_bytes"] == len(SAMPLES["image"][0])
    headers = two_way.client._headers
    settings = two_way.system.settings
    url = f"http://{LOOPBACK}:{settings.port}/v1/files/{frame['file_id']}/content"
    async with aiohttp.request("GET", url, headers=headers) as answer:
        assert await answer.read() == SAMPLES["image"][0]


@pytest.mark.parametrize("channel", ["instagram", "telegram"])
async def test_a_handle_is_known_once_its_owner_wrote_and_a_pressed_button_comes_back(
    two_way: TwoWay, channel: str
) -> None:
    name = f"rosa_{channel}"
    await two_way.phone(name, 300 + CHANNELS.index(channel))
    await two_way.writes(name, channel, text=f"rosa on {channel}")
    await two_way.live(f"rosa on {channel}")
    buttons = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]}
    body = {"recipient_id": f"{channel}:@{name}", "content": "Coffee?", "interactive": buttons}
    answers: list[dict[str, Any]] = []

    async def is_accepted() -> bool:  # Instagram tells the handle by a question of its own
        try:
            answers.append(await two_way.client.asked("POST", "/v1/messages", body))
        except RuntimeError:
            return False
        return True

    await until(is_accepted, SECONDS)

    async def has_arrived() -> bool:
        return "Coffee?" in [one["text"] for one in await two_way.screen(name) if one["from"] == "account"]

    await until(has_arrived, SECONDS)
    await two_way.world.asked("POST", f"/phones/{name}/press", {"button": "y"})

    def pressed() -> list[dict[str, Any]]:
        return [one for one in two_way.frames if one.get("kind") == "button_reply" and _from(one, channel)]

    await until(pressed, SECONDS)
    assert pressed()[0]["content"] == "Yes"


def _from(frame: dict[str, Any], channel: str) -> bool:
    return str(frame["sender_id"]).startswith(f"{channel}:")


async def test_a_body_of_four_mib_is_stored_and_one_that_is_no_webhook_is_a_dead_letter(two_way: TwoWay) -> None:
    settings = two_way.system.settings
    body = b"{" + b" " * ((4 << 20) - 1)
    signed = f"sha256={hmac.new(DEFAULTS[0].app_secret.encode(), body, 'sha256').hexdigest()}"
    headers = {"X-Hub-Signature-256": signed}
    url = f"http://{LOOPBACK}:{settings.port}/webhooks/whatsapp/{ACCOUNT}"
    async with aiohttp.request("POST", url, data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    partitions = [
        TopicPartition(Topics(settings.topic_prefix).dead_letters, number) for number in range(settings.partitions)
    ]

    async def is_kept_whole() -> bool:
        async with open_consumer(settings) as consumer:
            found = [record.value async for record in Span(consumer, partitions).records()]
        letters = [decode(value, DeadLetter) for value in found]
        return [decode(one.value, WebhookReceived).raw for one in letters if one.value] == [body]

    await until(is_kept_whole, SECONDS)


async def test_what_people_write_while_the_workers_die_is_there_once_and_in_order(two_way: TwoWay) -> None:
    for number in range(4):
        await two_way.phone(f"crowd-{number}", 200 + number)

    async def write() -> None:
        for number in range(CROWD):
            await two_way.writes(f"crowd-{number % 4}", "whatsapp", text=f"crowd {number:02d}")
            await pass_time(0.05)

    async def kill() -> None:
        for role in ("whatsapp", "core", "mirror", "whatsapp"):
            await pass_time(0.4)
            process = two_way.system.worker(f"{role}-1")
            process.kill()
            process.start()

    await asyncio.gather(write(), kill())
    wanted = sorted(f"crowd {number:02d}" for number in range(CROWD))
    await until(lambda: wanted == sorted({str(one.get("content")) for one in two_way.frames} & set(wanted)), 90)
    by_sender: dict[str, list[str]] = {}
    conversations = {one["conversation_id"] for one in two_way.frames if str(one.get("content")).startswith("crowd ")}
    assert len(conversations) == 4
    for conversation in conversations:
        listed = [one["content"] for one in await two_way.messages(conversation)]
        assert listed == sorted(listed)
        by_sender[conversation] = listed
    assert sorted(one for listed in by_sender.values() for one in listed) == wanted


async def test_the_raw_webhooks_parsed_again_change_nothing_that_was_taken(two_way: TwoWay) -> None:
    settings = two_way.system.settings
    await two_way.phone("again", 400)
    await two_way.writes("again", "whatsapp", text="once more")
    conversation = (await two_way.live("once more"))["conversation_id"]
    environ = {**os.environ, **settings.to_environ()}
    for options in (["--dry-run"], []):
        command = [sys.executable, "-m", "chat4all", "replay", "webhooks", "--since", "1h", "--json", *options]
        replayed = await asyncio.to_thread(
            subprocess.run, command, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert replayed.returncode == 0, replayed.stderr
        lines = [json.loads(line) for line in replayed.stdout.splitlines()]
        counts = {line["channel"]: line["counts"] for line in lines if "counts" in line}
        assert counts["whatsapp"]["same"] > 0
        assert not [line for line in lines if line.get("difference") == "+"]
    await two_way.writes("again", "whatsapp", text="and once more")
    await two_way.live("and once more")
    assert [one["content"] for one in await two_way.messages(conversation)] == ["once more", "and once more"]
