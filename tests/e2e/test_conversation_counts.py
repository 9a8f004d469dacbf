"""The list of conversations counts each message once, while a mirror is killed and does some of its work again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.cassandra import cassandra_config
from loadtests.http_client import Client
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.system import System
from storage.cassandra.activity import CassandraActivityReader
from storage.cassandra.session import CassandraSession

pytestmark = pytest.mark.real

MESSAGES = 1_500
PER_SECOND = 150.0
CONVERSATIONS = 60
LOOK_SECONDS = 0.5


async def _listed(client: Client) -> dict[str, Any]:
    """Return the whole list, page by page."""
    found: list[Any] = []
    cursor = ""
    while True:
        answer = await client.ask("GET", f"/v1/conversations?limit=25{cursor}")
        assert answer.status == 200, answer
        page = answer.json()
        found += page["conversations"]
        if not page["pagination"]["has_more"]:
            assert len({one["conversation_id"] for one in found}) == len(found)
            return {one["conversation_id"]: one for one in found}
        cursor = f"&cursor={page['pagination']['next_cursor']}"


async def test_counts_are_right_whoever_was_killed_and_whoever_counted_meanwhile(system: System) -> None:
    await system.revive()
    orders = Orders(CONVERSATIONS, ["whatsapp"])
    async with Run(system, connections=16) as run:
        await run.meet(orders)
        client = system.client(run.token)
        sending = asyncio.create_task(run.send(orders.make(MESSAGES), PER_SECOND))
        before: dict[str, int] = {}
        is_killed = False
        while not sending.done():
            seen = {name: one["message_count"] for name, one in (await _listed(client)).items()}
            assert all(seen.get(name, count) >= count for name, count in before.items())
            if not is_killed and sum(seen.values()) > MESSAGES // 3:
                system.worker("mirror-1").kill()
                system.worker("mirror-1").start()
                is_killed = True
            before = seen
            await asyncio.wait({sending}, timeout=LOOK_SECONDS)
        assert is_killed
        shots = await sending
        assert shots.count(202) == MESSAGES
        expected = dict.fromkeys(orders.conversations, 1 + MESSAGES // CONVERSATIONS)
        now = await _listed(client)
        assert {name: one["message_count"] for name, one in now.items()} == expected
        assert await run.settled()
        await run.at_rest()
        async with CassandraSession(cassandra_config(system.settings)) as session:
            await session.connected(30)
            reader = CassandraActivityReader(session)
            activities = await reader.activities(list(expected))
            counts = {name: await reader.count(name, activity) for name, activity in activities.items()}
        assert counts == expected
    await system.revive()
