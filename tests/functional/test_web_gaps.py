"""After an outage of Cassandra longer than the memory of recent messages: what is in neither view is a 503, no lie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.kafka.partitions import partition_for
from domain.ids import uuid7
from domain.ports import MirrorEntry
from domain.records import StatusChanged
from domain.status import Fact
from support.api import Api, StartApi

PARTITION = partition_for(b"c-1", 6)
REMEMBERED = 3


class World:
    """Six messages of one conversation, the first of them with a key; the first two are in Cassandra."""

    def __init__(self, api: Api, token: str) -> None:
        self.api, self.token = api, token
        self.sent: list[dict[str, Any]] = []

    async def begin(self) -> None:
        for n in range(2):
            self.sent.append(await self.api.send(self.token, content=f"text {n}"))
        await self.mirror(2)
        answer = await self.keyed("old-key")
        assert answer.status == 202
        self.sent.append(await answer.json())
        for n in range(3, 7):
            self.sent.append(await self.api.send(self.token, content=f"text {n}"))

    async def keyed(self, key: str) -> Any:
        headers = {"Idempotency-Key": key}
        return await self.api.call("POST", "/v1/messages", self.api.message(content=key), self.token, headers=headers)

    async def mirror(self, messages: int, facts: int = 0) -> None:
        """The mirror writes so many messages."""
        self.api.tailer.mirrored_messages[PARTITION] = messages
        self.api.tailer.mirrored_facts[PARTITION] = facts
        await self.api.messages.write(
            [
                MirrorEntry(m.message_id, m.conversation_id, position, m)
                for m, position, _ in self.api.log.records[:messages]
            ]
        )
        self.api.clock.now_ms += 1_000

    async def get(self, path: str) -> Any:
        return await self.api.call("GET", path, token=self.token)

    async def shown(self, number: int) -> int:
        return int((await self.get(f"/v1/messages/{self.sent[number]['message_id']}")).status)

    async def texts(self, **query: object) -> list[str] | int:
        pairs = "&".join(f"{name}={value}" for name, value in query.items())
        answer = await self.get(f"/v1/messages?conversation_id=c-1&{pairs}")
        if answer.status != 200:
            return int(answer.status)
        return [message["content"] for message in (await answer.json())["messages"]]


@pytest.fixture
async def world(start_api: StartApi) -> AsyncIterator[World]:
    async with start_api(recent_messages=REMEMBERED) as api:
        made = World(api, await api.somebody())
        await made.begin()
        yield made


async def test_an_accepted_message_that_is_in_neither_view_is_a_503_until_the_mirror_has_it(world: World) -> None:
    assert [await world.shown(n) for n in range(7)] == [200, 200, 503, 503, 200, 200, 200]
    answer = await world.get(f"/v1/messages/{uuid7(1, b'0123456789')}")
    assert answer.status == 404, "nobody accepted that one"
    await world.mirror(4)
    assert [await world.shown(n) for n in range(7)] == [200] * 7


async def test_a_list_has_no_holes(world: World) -> None:
    assert await world.texts() == 503
    assert await world.texts(order="desc") == 503
    assert await world.texts(limit=2) == 503, "whether there is more cannot be told"
    assert await world.texts(limit=1) == ["text 0"]
    assert await world.texts(limit=2, order="desc") == ["text 6", "text 5"]
    assert await world.texts(offset=5) == 503
    await world.mirror(4)
    everything = ["text 0", "text 1", "old-key", "text 3", "text 4", "text 5", "text 6"]
    assert await world.texts() == everything
    assert await world.texts(order="desc") == everything[::-1]
    assert await world.texts(offset=5) == everything[5:]


async def test_a_page_that_ends_before_what_is_lacking_or_begins_after_it_is_served(world: World) -> None:
    await world.mirror(4)
    answer = await world.get("/v1/messages?conversation_id=c-1&limit=4")
    cursor = (await answer.json())["pagination"]["next_cursor"]
    world.api.tailer.mirrored_messages[PARTITION] = 2
    world.api.recent.gaps.mirrored({PARTITION: 2}, {})
    world.api.recent.gaps.evicted("m", PARTITION, 3, has_message=True, last_fact=-1)
    assert await world.texts(cursor=cursor) == ["text 4", "text 5", "text 6"]
    assert await world.texts(limit=2) == ["text 0", "text 1"]
    assert await world.texts(limit=4) == 503


async def test_a_key_of_a_message_in_neither_view_is_not_new_and_a_new_key_is(world: World) -> None:
    for is_there in (True, False):
        world.api.messages.available = is_there
        answer = await world.keyed("old-key")
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        assert (await world.keyed(f"new-key-{is_there}")).status == 202, "sends go on"
    world.api.messages.available = True
    await world.mirror(9)
    answer = await world.keyed("old-key")
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (202, "true")
    assert await answer.json() == world.sent[2]


async def test_nothing_is_counted_that_is_not_there(world: World) -> None:
    assert (await world.get("/v1/conversations/c-1")).status == 503
    assert (await world.get("/v1/conversations")).status == 503
    await world.mirror(4)
    assert (await (await world.get("/v1/conversations/c-1")).json())["message_count"] == 7
    (listed,) = (await (await world.get("/v1/conversations")).json())["conversations"]
    assert listed["message_count"] == 7


async def test_other_partitions_are_served_meanwhile(world: World) -> None:
    name = next(f"c-{n}" for n in range(2, 99) if partition_for(f"c-{n}".encode(), 6) != PARTITION)
    await world.api.send(world.token, name, "elsewhere")
    answer = await world.get(f"/v1/messages?conversation_id={name}")
    assert [message["content"] for message in (await answer.json())["messages"]] == ["elsewhere"]
    assert (await world.get(f"/v1/conversations/{name}")).status == 200


async def test_a_word_does_not_step_back_because_facts_were_let_go(world: World) -> None:
    await world.mirror(7)
    recent, message = world.api.recent, world.api.log.records[0][0]
    position = world.api.log.records[0][1]
    read = StatusChanged(message.message_id, "c-1", "READ", 9, position.accepted_at_ms, position.offset, "whatsapp")
    recent.add_logged_fact(read, PARTITION, 40)
    answer = await world.get(f"/v1/messages/{message.message_id}")
    assert (await answer.json())["status"] == "READ"
    for _ in range(REMEMBERED):
        await world.api.send(world.token)
    await world.mirror(10)
    assert await world.shown(0) == 503
    await world.api.messages.write([MirrorEntry(message.message_id, "c-1", position, None, [Fact("READ", 9)])])
    await world.mirror(10, facts=41)
    answer = await world.get(f"/v1/messages/{message.message_id}")
    assert (await answer.json())["status"] == "READ"


async def test_a_small_memory_with_a_mirror_that_keeps_up_is_never_in_doubt(world: World) -> None:
    await world.mirror(7)
    for n in range(7, 30):
        world.sent.append(await world.api.send(world.token, content=f"text {n}"))
        await world.mirror(n + 1)
        assert await world.shown(n - REMEMBERED - 1) == 200
        assert len(await world.texts()) == n + 1  # type: ignore[arg-type]
