"""Live notifications by two API processes' worth of the real wiring, on a real Kafka and Cassandra."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from time import time

import pytest
from aiohttp import ClientError, ClientSession, WSMsgType

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics
from app.settings import Settings
from devstack.config import LOOPBACK
from devstack.ports import is_free
from domain.records import StatusChanged
from loadtests.system import Servers
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.session import CassandraSession
from support.real_api import api_settings
from support.waiting import pass_time, until, until_ready
from support.watching import Watcher
from web.server import run

pytestmark = pytest.mark.real

PASSWORD = "correct horse battery"


@dataclass
class Api:
    """One API process's worth, which can be stopped and started."""

    settings: Settings
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.port}"

    async def up(self) -> None:
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(run(self.settings, self.stop))
        async with ClientSession(self.url) as session:
            await until_ready(session)

    async def down(self) -> None:
        self.stop.set()
        assert self.task is not None
        async with asyncio.timeout(20):
            await self.task


@dataclass
class System:
    """Two of them, a client, and the store to make conversations in."""

    one: Api
    other: Api
    session: ClientSession
    store: CassandraConversationStore

    async def user(self) -> tuple[str, str]:
        """Return the token and the id of a new user."""
        credentials = {"username": f"user_{uuid.uuid4().hex[:12]}", "password": PASSWORD}
        async with self.session.post(f"{self.one.url}/users", json=credentials) as answer:
            assert answer.status == 201
        async with self.session.post(f"{self.one.url}/auth/login", json=credentials) as answer:
            login = await answer.json()
        return login["access_token"], login["user_id"]

    async def send(self, api: Api, token: str, conversation_id: str, content: str) -> str:
        """Return the id of an accepted message."""
        body = {"conversation_id": conversation_id, "recipient_id": "telegram:12345", "content": content}
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.post(f"{api.url}/v1/messages", json=body, headers=headers) as answer:
            accepted = await answer.json()
            assert answer.status == 202, accepted
        return str(accepted["message_id"])

    async def watch(self, api: Api, token: str, since: str | None = None) -> Watcher:
        """Return a watcher that has been greeted."""
        params = {"token": token, **({"since": since} if since else {})}
        watcher = Watcher(await self.session.ws_connect(f"{api.url}/notifications", params=params))
        assert (await watcher.frame())["type"] == "connected"
        return watcher


@pytest.fixture
async def system(stack: Servers, fresh_cassandra: CassandraConfig) -> AsyncIterator[System]:
    ports = [port for port in range(21_503, 31_500, 7) if is_free(LOOPBACK, port)][:2]
    base = api_settings(stack, fresh_cassandra)
    await ensure_topics(base)
    one, other = (Api(replace(base, port=port)) for port in ports)
    await asyncio.gather(one.up(), other.up())
    async with ClientSession() as session, CassandraSession(fresh_cassandra) as link:
        await link.connected(30)
        yield System(one, other, session, CassandraConversationStore(link))
    await asyncio.gather(one.down(), other.down())


async def test_what_one_process_accepts_another_pushes_to_those_concerned_alone(system: System) -> None:
    (maria, maria_id), (joao, joao_id), (stranger, _) = [await system.user() for _ in range(3)]
    await system.store.create("c-1", [maria_id, joao_id], 0)
    watchers = [await system.watch(api, token) for api in (system.one, system.other) for token in (maria, joao)]
    outside = await system.watch(system.other, stranger)
    sent = [await system.send(system.one, maria, "c-1", f"m{number}") for number in range(20)]
    for watcher in watchers:
        assert [(await watcher.frame())["message_id"] for _ in sent] == sent
    await outside.quiet()
    assert [frame["type"] for frame in outside.frames] == ["connected", "pong"]


async def test_a_fact_is_pushed_soon(system: System) -> None:
    maria, _ = await system.user()
    watcher = await system.watch(system.other, maria)
    message_id = await system.send(system.one, maria, "c-2", "hi")
    assert (await watcher.frame())["message_id"] == message_id
    batch_producer = BatchProducer(system.one.settings.kafka, client_id="test")
    await batch_producer.start()
    topic, partition = Topics(system.one.settings.topic_prefix).status_updates, partition_for(b"c-2", 3)
    for status in ("SENT", "SENT", "READ"):
        change = StatusChanged(message_id, "c-2", status, int(time() * 1000), 1, 0, "telegram", 1)
        await batch_producer.send_and_wait(topic, partition, b"c-2", encode(change))
    assert (await watcher.frame())["status"] == "SENT"
    read = await watcher.frame()
    assert read["status"] == "READ"
    assert time() * 1000 - read["timestamp"] < 2_000
    await batch_producer.stop()


@pytest.mark.parametrize("seed", [1, 2])
async def test_over_restarts_and_random_disconnects_every_message_comes_once_and_in_order(
    system: System, seed: int
) -> None:
    chance = random.Random(seed)
    maria, maria_id = await system.user()
    names = [f"live-{seed}-{n}" for n in range(5)]
    for name in names:
        await system.store.create(name, [maria_id], 0)
    sent: list[tuple[str, str]] = []
    written = asyncio.Event()

    async def write() -> None:
        for number in range(400):
            name = chance.choice(names)
            sent.append((name, await system.send(system.one, maria, name, f"m{number}")))
            await pass_time(0.01)  # a steady writer
        written.set()

    async def restart() -> None:
        for count in (50, 150):
            await until(lambda count=count: len(sent) >= count, 60)
            await system.other.down()
            await until(lambda count=count: len(sent) >= count + 30, 60)
            await system.other.up()

    first = await system.watch(system.one, maria)
    tasks = [asyncio.create_task(write()), asyncio.create_task(restart())]
    got: list[tuple[str, str]] = []
    watcher: Watcher | None = first
    cursor = first.cursor
    resumes = 0
    async with asyncio.timeout(90):
        while len(got) < 400 or not written.is_set():
            if watcher is None:
                try:
                    watcher = await system.watch(chance.choice([system.one, system.other]), maria, cursor)
                    resumes += 1
                except (ClientError, OSError, AssertionError):
                    await pass_time(0.05)  # a client that tries again
                    continue
            leave_at = asyncio.get_running_loop().time() + chance.random() * 0.4
            while asyncio.get_running_loop().time() < leave_at:
                try:
                    frame = await watcher.socket.receive(0.1)
                except TimeoutError:
                    continue
                if frame.type is not WSMsgType.TEXT:
                    break
                document = frame.json()
                assert document["type"] == "new_message"
                cursor = document["cursor"]
                got.append((document["conversation_id"], document["message_id"]))
            await watcher.socket.close()
            watcher = None
    await asyncio.gather(*tasks)
    assert resumes > 5
    assert len(set(got)) == len(got) == 400
    for name in names:
        assert [one for one in got if one[0] == name] == [one for one in sent if one[0] == name]
