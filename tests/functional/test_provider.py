"""The simulated provider over HTTP: calls, the counted truth, receipts, and faults that are changed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from channels.simulated.chaos.faults import Faults
from channels.simulated.provider.server import Provider
from domain.errors import LogUnavailable
from domain.records import ReceiptReported
from support.waiting import until

AT_ONCE = {"latency_seconds": [0, 0], "delivered_seconds": [0, 0], "read_seconds": [0, 0]}
Running = Callable[..., Awaitable["World"]]


class World:
    """A running provider, and the receipts it reported."""

    def __init__(self, **faults: object) -> None:
        self.receipts: list[tuple[str, str, ReceiptReported]] = []
        self.is_away = False
        self.provider = Provider(Faults().changed({**AT_ONCE, **faults}), self.report)
        self.client: Any = TestClient(TestServer(self.provider.app()))

    async def report(self, channel: str, conversation: str, receipt: ReceiptReported) -> None:
        if self.is_away:
            raise LogUnavailable("away")
        self.receipts.append((channel, conversation, receipt))

    async def call(self, token: str = "m-1", account: str = "main", **more: object) -> aiohttp.ClientResponse:
        body = {"token": token, "conversation": "c-1", "address": "whatsapp:+1", "text": "hi", "attempt": 1, **more}
        answer: aiohttp.ClientResponse = await self.client.post(f"/v1/whatsapp/{account}/messages", json=body)
        return answer

    async def taken(self) -> list[str]:
        return [each["token"] for each in (await (await self.client.get("/taken")).json())["taken"]]

    def words(self) -> list[str]:
        return [receipt.status for _, _, receipt in self.receipts]


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    worlds: list[World] = []

    async def start(**faults: object) -> World:
        world = World(**faults)
        worlds.append(world)
        await world.client.start_server()
        return world

    yield start
    for world in worlds:
        await world.client.close()


async def test_a_friendly_provider_takes_a_message_and_reports_its_receipts(running: Running) -> None:
    world = await running()
    answer = await world.call()
    assert answer.status == 201
    taken = await answer.json()
    await until(lambda: len(world.receipts) == 2)
    assert world.words() == ["DELIVERED", "READ"]
    channel, conversation, receipt = world.receipts[0]
    assert (channel, conversation) == ("whatsapp", "c-1")
    assert (receipt.account, receipt.provider_id, receipt.token) == ("main", taken["id"], "m-1")
    [entry] = (await (await world.client.get("/taken")).json())["taken"]
    assert entry["address"] == "whatsapp:+1"
    assert entry["at_ms"] == taken["at_ms"]


async def test_a_second_call_is_a_second_message(running: Running) -> None:
    world = await running()
    first, second = await (await world.call()).json(), await (await world.call(attempt=2)).json()
    assert first["id"] != second["id"]
    assert await world.taken() == ["m-1", "m-1"]


@pytest.mark.parametrize(
    ("fault", "status", "taken"),
    [
        ("throttle_share", 429, []),
        ("bare_throttle_share", 429, []),
        ("unavailable_share", 503, []),
        ("refuse_share", 422, []),
        ("unauthorized_share", 401, []),
    ],
)
async def test_faults_with_a_clear_answer(running: Running, fault: str, status: int, taken: list[str]) -> None:
    world = await running(**{fault: 1.0})
    answer = await world.call()
    assert answer.status == status
    assert (await answer.json())["error"]["code"]
    assert ("Retry-After" in answer.headers) == (fault == "throttle_share")
    assert await world.taken() == taken


@pytest.mark.parametrize(("fault", "status"), [("error_share", 500), ("html_share", 502), ("bad_json_share", 200)])
async def test_faults_without_a_clear_answer_take_half_of_the_messages(
    running: Running, fault: str, status: int
) -> None:
    world = await running(**{fault: 1.0})
    for number in range(40):
        answer = await world.call(f"m-{number}")
        assert answer.status == status
        if fault == "html_share":
            assert len(await answer.read()) == 300_000
    assert 8 < len(await world.taken()) < 32


@pytest.mark.parametrize(("fault", "taken"), [("cut_before_share", []), ("cut_after_share", ["m-1"])])
async def test_a_cut_connection(running: Running, fault: str, taken: list[str]) -> None:
    world = await running(**{fault: 1.0})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await world.call()
    assert await world.taken() == taken


@pytest.mark.parametrize(("fault", "taken"), [("timeout_before_share", []), ("timeout_after_share", ["m-1"])])
async def test_a_call_without_an_answer(running: Running, fault: str, taken: list[str]) -> None:
    world = await running(**{fault: 1.0, "hang_seconds": 0.3})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await world.call()
    assert await world.taken() == taken


async def test_a_receipt_before_the_answer(running: Running) -> None:
    world = await running(early_share=1.0, delivered_seconds=[30, 30])
    await world.call()
    assert world.words() == ["DELIVERED"]


async def test_a_receipt_that_cannot_be_written_is_reported_again(running: Running) -> None:
    world = await running()
    world.is_away = True
    await world.call()
    await until(lambda: world.provider._sender.waiting > 0)
    world.is_away = False
    await until(lambda: len(world.receipts) == 2)
    given = (await (await world.client.get("/receipts")).json())["receipts"]
    assert sorted(each["status"] for each in given) == ["DELIVERED", "READ"]


async def test_a_receipt_for_a_message_that_nobody_sent(running: Running) -> None:
    world = await running(stranger_share=1.0, never_delivered_share=1.0)
    await world.call()
    [(_, _, receipt)] = world.receipts
    assert receipt.provider_id.endswith(".stranger")
    assert (await (await world.client.get("/counts")).json())["strangers"] == 1
    assert (await (await world.client.get("/receipts")).json())["receipts"] == []


async def test_an_account_is_away_for_a_while_and_the_others_are_not(running: Running) -> None:
    world = await running()
    changes = {"windows": [{"account": "main", "kind": "unavailable", "to_seconds": 60}]}
    assert (await world.client.post("/faults", json=changes)).status == 200
    assert (await world.call()).status == 503
    assert (await world.call(account="other")).status == 201
    assert (await world.client.post("/faults", json={"windows": []})).status == 200
    assert (await world.call()).status == 201


async def test_a_window_costs_no_decision_of_a_message(running: Running) -> None:
    windows = [{"account": "*", "kind": "unavailable"}]
    world, other = await running(throttle_share=0.5, windows=windows), await running(throttle_share=0.5)
    for _ in range(3):
        await world.call()
    await world.client.post("/faults", json={"windows": []})
    assert [(await world.call()).status for _ in range(8)] == [(await other.call()).status for _ in range(8)]


async def test_an_account_over_its_rate_is_throttled(running: Running) -> None:
    world = await running(account_per_second=2.0)
    statuses = [(await world.call(f"m-{n}")).status for n in range(4)]
    assert statuses == [201, 201, 429, 429]
    assert (await world.call("m-9", account="other")).status == 201


async def test_a_look_up_tells_what_was_taken_and_what_is_pending(running: Running) -> None:
    world = await running(latency_seconds=[0.3, 0.3])

    async def look_up() -> Any:
        return await (await world.client.get("/v1/whatsapp/main/messages", params={"token": "m-1"})).json()

    assert await look_up() == {"messages": [], "pending": False}
    call = asyncio.create_task(world.call())
    await until(lambda: world.provider.books.open_calls)
    assert await look_up() == {"messages": [], "pending": True}
    taken = await (await call).json()
    assert await look_up() == {"messages": [taken], "pending": False}


async def test_the_truth_comes_in_pages(running: Running) -> None:
    world = await running()
    for number in range(5):
        await world.call(f"m-{number}")
    first = await (await world.client.get("/taken", params={"limit": "3"})).json()
    second = await (await world.client.get("/taken", params={"limit": "3", "after": first["next"]})).json()
    assert [each["token"] for each in first["taken"] + second["taken"]] == [f"m-{n}" for n in range(5)]
    assert second["next"] is None
    assert (await world.client.get("/taken", params={"limit": "0"})).status == 400
    assert (await world.client.get("/taken", params={"after": "x"})).status == 400


async def test_faults_are_shown_and_wrong_ones_refused(running: Running) -> None:
    world = await running()
    assert (await (await world.client.get("/faults")).json())["seed"] == 1
    shown = await (await world.client.post("/faults", json={"preset": "worst", "slow_share": 0})).json()
    assert (shown["seed"], shown["slow_share"], shown["twice_share"] > 0) == (1, 0, True)
    for wrong in ({"nonsense": 1}, {"slow_share": 2}, {"preset": "x"}, [1], "x"):
        answer = await world.client.post("/faults", json=wrong)
        assert answer.status == 400
        assert (await answer.json())["error"]["detail"]
    assert world.provider.faults.slow_share == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"token":1}', b'{"token":"","conversation":"c","address":"a","text":"t"}']
)
async def test_a_malformed_call_is_refused(running: Running, body: bytes) -> None:
    world = await running()
    answer = await world.client.post("/v1/whatsapp/main/messages", data=body)
    assert answer.status == 400
    assert (await world.client.post("/v1/pigeon/main/messages", data=body)).status in (400, 404)
    assert await world.taken() == []


async def test_a_file_is_taken_before_its_message(running: Running) -> None:
    world = await running()
    answer = await world.client.post("/v1/whatsapp/main/media", data=b"x" * 100_000)
    assert answer.status == 201
    assert (await answer.json())["id"].startswith("media.")
