"""Long polling: what a provider has is durable before the provider forgets it, and an account has one poller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

import agents.polling as polling_module
from agents.polling import Polling
from app.kafka.codec import decode
from app.kafka.partitions import partition_for
from channels.telegram.connector import TelegramConnector
from domain.errors import LogUnavailable, Unavailable
from domain.inbound import WebhookReceived
from domain.ports import Polled
from support.bot_api import TOKEN, BotApi, failed, result
from support.fakes import FakeApp
from support.waiting import until

MINE = partition_for(b"bot", 6)


class Provider:
    """A connector whose polls the test answers. ``offsets``: of the calls, in order."""

    is_polled = True

    def __init__(self, *answers: Polled | Exception) -> None:
        self.offsets: list[int] = []
        self.answers: asyncio.Queue[Polled | Exception] = asyncio.Queue()
        self.cancelled = 0
        for answer in answers:
            self.answers.put_nowait(answer)

    async def poll(self, offset: int) -> Polled:
        self.offsets.append(offset)
        try:
            answer = await self.answers.get()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    def __init__(self, connector: object, partitions: list[int]) -> None:
        self.app = FakeApp(partitions=6)
        self.dispatcher = SimpleNamespace(partitions=partitions)
        lane = SimpleNamespace(connector=connector)
        self.polling = Polling(
            cast(Any, self.app),
            "telegram",
            cast(Any, SimpleNamespace(lanes={"bot": lane})),
            cast(Any, self.dispatcher),
            lambda: 0.001,
        )

    def updates(self) -> list[bytes]:
        received = [decode(value, WebhookReceived) for value in self.app.batch_producer.on("telegram-webhooks")]
        assert all(each.account == "bot" and each.at_ms > 0 for each in received)
        return [each.raw for each in received]


# starts a world with a connector and the numbers of its partitions
Worlds = Callable[..., Awaitable[World]]


@pytest.fixture
async def worlds(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worlds]:
    monkeypatch.setattr(polling_module, "PAUSE_SECONDS", 0.01)
    running: list[World] = []

    async def start(connector: object, *partitions: int) -> World:
        world = World(connector, list(partitions))
        running.append(world)
        await world.polling.start()
        return world

    yield start
    for world in running:
        await world.polling.stop()


async def test_updates_go_where_webhooks_go_and_the_next_poll_is_behind_them(worlds: Worlds) -> None:
    provider = Provider(Polled((b"{1}", b"{2}"), 8), Polled((), 0), Polled((b"{3}",), 9))
    world = await worlds(provider, MINE)
    await until(lambda: len(provider.offsets) == 4)
    assert world.updates() == [b"{1}", b"{2}", b"{3}"]
    assert provider.offsets == [0, 8, 8, 9]
    assert {(topic, partition, key) for topic, partition, key, _ in world.app.batch_producer.records} == {
        ("telegram-webhooks", MINE, b"bot")
    }


async def test_the_provider_forgets_nothing_before_it_is_durable(worlds: Worlds) -> None:
    provider = Provider(Polled((b"{1}",), 8))
    world = await worlds(provider, MINE + 1)
    world.app.batch_producer.held = True
    world.dispatcher.partitions.append(MINE)
    await until(lambda: len(world.updates()) == 1)
    assert provider.offsets == [0]
    world.app.batch_producer.release()
    await until(lambda: provider.offsets == [0, 8])


async def test_only_the_owner_of_the_accounts_partition_polls(worlds: Worlds) -> None:
    provider = Provider()
    world = await worlds(provider, *(n for n in range(6) if n != MINE))
    await asyncio.sleep(0)
    assert provider.offsets == []
    world.dispatcher.partitions = [MINE]
    await until(lambda: provider.offsets == [0])


async def test_a_rebalance_ends_the_poll_and_the_next_owner_begins_without_an_offset(worlds: Worlds) -> None:
    provider = Provider(Polled((b"{1}",), 8))
    world = await worlds(provider, MINE)
    await until(lambda: provider.offsets == [0, 8])
    world.dispatcher.partitions = []
    await world.app.drain()
    await until(lambda: provider.cancelled == 1)
    world.dispatcher.partitions = [MINE]
    await until(lambda: provider.offsets == [0, 8, 0])
    assert world.updates() == [b"{1}"]


async def test_trouble_is_waited_out_from_the_same_offset(worlds: Worlds) -> None:
    provider = Provider(Polled((b"{1}",), 8), *(Unavailable("away", 0) for _ in range(5)), Polled((b"{2}",), 9))
    world = await worlds(provider, MINE)
    await until(lambda: len(world.updates()) == 2)
    assert provider.offsets[:7] == [0] + [8] * 6


async def test_a_log_that_takes_nothing_leaves_the_updates_with_the_provider(
    worlds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(Polled((b"{1}",), 8), Polled((b"{1}",), 8))
    world = await worlds(provider)
    calls = 0

    def full(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise LogUnavailable("too much is waiting for Kafka", 0)
        return enqueue(*args, **kwargs)

    enqueue: Any = world.app.batch_producer.enqueue
    monkeypatch.setattr(world.app.batch_producer, "enqueue", full)
    world.dispatcher.partitions = [MINE]
    await until(lambda: provider.offsets == [0, 0, 8])
    assert world.updates() == [b"{1}"]


async def test_an_account_with_a_webhook_is_not_polled(worlds: Worlds) -> None:
    provider = Provider()
    provider.is_polled = False
    world = await worlds(provider, MINE)
    assert not world.polling._connectors
    assert not (await worlds(None, MINE)).polling._connectors


async def test_the_bot_apis_updates_are_polled_over_http(worlds: Worlds) -> None:
    api = BotApi()
    await api.server.start_server()
    connector = TelegramConnector({"base_url": api.url, "updates": "polling"}, TOKEN)
    api.answer("getUpdates", failed(429, retry_after=0), failed(409), result([{"update_id": 7, "poll": {}}]))
    world = await worlds(connector, MINE)
    await until(lambda: any(call.parameters.get("offset") == 8 for call in api.taken("getUpdates")))
    assert world.updates() == [b'{"update_id":7,"poll":{}}']
    await world.polling.stop()
    await connector.close()
    await api.server.close()
