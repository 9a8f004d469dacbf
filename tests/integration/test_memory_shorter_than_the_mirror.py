"""On a real Kafka and Cassandra: more is accepted than the API remembers while no mirror runs, and then one has."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from typing import Any

import pytest
from aiohttp import ClientSession
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.codec import decode
from app.kafka.partitions import partition_for
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics, group_of
from app.settings import Settings
from devstack.config import LOOPBACK
from devstack.ports import is_free
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted
from loadtests.system import Servers
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.session import CassandraSession
from support.real_api import api_settings
from support.waiting import until, until_ready
from web.server import run

pytestmark = pytest.mark.real

SENT, REMEMBERED = 12, 4
TEXT = {"recipient_id": "telegram:123456", "content": "hi"}


class Api:
    """What a client sees."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._headers: dict[str, str] = {}

    async def log_in(self) -> None:
        await until_ready(self._session)
        credentials = {"username": f"nora_{uuid.uuid4().hex[:8]}", "password": "correct horse battery"}
        async with self._session.post("/users", json=credentials) as answer:
            assert answer.status == 201
        async with self._session.post("/auth/login", json=credentials) as answer:
            self._headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

    async def send(self, conversation_id: str, key: str) -> tuple[int, Any]:
        headers = {**self._headers, "Idempotency-Key": key}
        body = {**TEXT, "conversation_id": conversation_id}
        async with self._session.post("/v1/messages", json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(path, headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)


async def mirror_everything(settings: Settings, cassandra: CassandraConfig) -> None:
    """Do what a mirror does: write all there is, then commit."""
    topic, group = Topics(settings.topic_prefix).messages, group_of("mirror", settings.topic_prefix)
    partitions = [TopicPartition(topic, n) for n in range(settings.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False)
    session = CassandraSession(cassandra)
    session.start()
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        entries: list[MirrorEntry] = []
        while len(entries) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    message = decode(record.value, MessageAccepted)
                    position = LogPosition(record.timestamp, record.offset)
                    entries.append(MirrorEntry(message.message_id, message.conversation_id, position, message))
        await CassandraMessageMirror(session).write(entries)
        await consumer.commit(ends)
    finally:
        await consumer.stop()
        await session.close()


async def test_what_is_in_neither_view_is_a_503_until_the_mirror_has_written_it(
    stack: Servers, fresh_cassandra: CassandraConfig
) -> None:
    port = next(port for port in range(22_900, 31_900, 11) if is_free(LOOPBACK, port))
    settings = api_settings(stack, fresh_cassandra, partitions=2, port=port, recent_messages=REMEMBERED)
    await ensure_topics(settings)
    name = uuid.uuid4().hex[:8]
    stop = asyncio.Event()
    server = asyncio.create_task(run(settings, stop))
    try:
        async with ClientSession(f"http://{LOOPBACK}:{port}") as session:
            api = Api(session)
            await api.log_in()
            sent = [await api.send(name, f"key-{n}") for n in range(SENT)]
            ids = [document["message_id"] for _, document in sent]
            shown = [(await api.get(f"/v1/messages/{one}"))[0] for one in ids]
            assert Counter(shown) == {503: SENT - REMEMBERED, 200: REMEMBERED}
            assert (await api.get(f"/v1/messages?conversation_id={name}"))[0] == 503
            assert (await api.get(f"/v1/conversations/{name}"))[0] == 503
            assert (await api.get("/v1/conversations"))[0] == 503
            assert (await api.send(name, "key-0"))[0] == 503
            assert (await api.get(f"/v1/messages/{uuid.uuid4()}"))[0] == 404
            other = next(f"{name}-{n}" for n in range(99) if _partition(f"{name}-{n}") != _partition(name))
            assert (await api.send(other, "elsewhere"))[0] == 202
            assert (await api.get(f"/v1/messages?conversation_id={other}"))[0] == 200
            await mirror_everything(settings, fresh_cassandra)

            async def is_known() -> bool:
                return (await api.get(f"/v1/messages/{ids[0]}"))[0] != 503

            await until(is_known)
            assert [(await api.get(f"/v1/messages/{one}"))[0] for one in ids] == [200] * SENT
            _, listed = await api.get(f"/v1/messages?conversation_id={name}")
            assert [message["message_id"] for message in listed["messages"]] == ids
            assert (await api.get(f"/v1/conversations/{name}"))[1]["message_count"] == SENT
            assert await api.send(name, "key-0") == sent[0]
    finally:
        stop.set()
        await asyncio.wait_for(server, 30)


def _partition(conversation_id: str) -> int:
    return partition_for(conversation_id.encode(), 2)
