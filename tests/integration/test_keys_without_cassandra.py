"""Keyed sends on a real Kafka while Cassandra refuses connections, and while it says nothing at all."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from aiohttp import ClientSession

from app.kafka.topic_admin import ensure_topics
from devstack.config import LOOPBACK
from devstack.ports import is_free
from loadtests.system import Servers
from storage.cassandra.driver_session import CassandraConfig
from support.proxy import Proxy
from support.real_api import api_settings
from support.waiting import until_ready
from web.server import run

pytestmark = pytest.mark.real

ANSWERS_WITHIN_SECONDS = 4.0


async def send(session: ClientSession, token: str, key: str, content: str = "hi") -> tuple[int, Any, float]:
    """Return status, document and seconds."""
    body = {"conversation_id": "known", "recipient_id": "telegram:12345", "content": content}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    began = monotonic()
    async with session.post("/v1/messages", json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), monotonic() - began


async def test_without_cassandra_keyed_sends_go_on_and_stay_one_message(
    stack: Servers, fresh_cassandra: CassandraConfig
) -> None:
    proxy = Proxy(fresh_cassandra.hosts[0], fresh_cassandra.port)
    await proxy.on()
    port = next(port for port in range(21_900, 31_900, 11) if is_free(LOOPBACK, port))
    settings = api_settings(stack, fresh_cassandra, cassandra_port=proxy.port, port=port)
    await ensure_topics(settings)
    stop = asyncio.Event()
    server = asyncio.create_task(run(settings, stop))
    try:
        async with ClientSession(f"http://{LOOPBACK}:{port}") as session:
            await until_ready(session)
            credentials = {"username": "nora", "password": "correct horse battery"}
            async with session.post("/users", json=credentials) as answer:
                assert answer.status == 201
            async with session.post("/auth/login", json=credentials) as answer:
                token = (await answer.json())["access_token"]
            before = await send(session, token, "before")
            assert before[0] == 202
            for name, begin in (("stalled", proxy.stall), ("refused", proxy.off)):
                if (waiting := begin()) is not None:
                    await waiting
                status, first, seconds = await send(session, token, name)
                assert (status, seconds < ANSWERS_WITHIN_SECONDS) == (202, True), (name, first, seconds)
                assert (await send(session, token, name))[:2] == (202, first)
                assert (await send(session, token, name, "another"))[0] == 422
                assert (await send(session, token, "before"))[:2] == before[:2]
    finally:
        proxy.resume()
        stop.set()
        await asyncio.wait_for(server, 30)
        await proxy.off()
