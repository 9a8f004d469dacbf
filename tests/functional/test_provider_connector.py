"""The driver "provider" against the simulated provider: each fault has its outcome, and nothing raises."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels import make_connector
from channels.http.client import MAX_ANSWER_BYTES
from channels.provider.connector import ProviderConnector
from channels.simulated import Simulation
from channels.simulated.chaos.faults import Faults
from channels.simulated.provider.server import Provider
from domain.accounts import Account
from domain.attachments import MediaKind, MediaPlan
from domain.errors import DeliveryFailed, FileStoreUnavailable, Unavailable
from domain.files import FileMetadata
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown
from domain.ports import Attachment
from domain.records import DeliveryRequested, ReceiptReported
from support.waiting import until

REQUEST = DeliveryRequested("m-1", "c-1", "u", "whatsapp:+5511999990000", "hi", None, 1, 0)
Running = Callable[..., Awaitable["World"]]


class World:
    """A provider, a connector to it, and the receipts it reported."""

    def __init__(self, **faults: object) -> None:
        self.receipts: list[ReceiptReported] = []
        quick = {"latency_seconds": [0, 0], "delivered_seconds": [0, 0], "read_seconds": [0, 0], "hang_seconds": 0.2}
        self.provider = Provider(Faults().changed({**quick, **faults}), self.report)
        self.server = TestServer(self.provider.app())
        self.connector: ProviderConnector

    async def start(self) -> None:
        await self.server.start_server()
        self.connector = connector_to(str(self.server.make_url("")), look_up="yes")

    async def report(self, channel: str, conversation: str, receipt: ReceiptReported) -> None:
        self.receipts.append(receipt)

    async def send(self, request: DeliveryRequested = REQUEST, attempt: int = 1) -> SendOutcome:
        return await self.connector.send(request, attempt)

    def taken(self) -> list[str]:
        return [taken.token for taken in self.provider.books.taken]


def connector_to(url: str, **options: str) -> ProviderConnector:
    return ProviderConnector("whatsapp", "main", {"url": url, **options})


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    worlds: list[World] = []

    async def start(**faults: object) -> World:
        world = World(**faults)
        await world.start()
        worlds.append(world)
        return world

    yield start
    for world in worlds:
        await world.connector.close()
        await world.server.close()


async def test_a_taken_message_is_sent_with_the_providers_id_and_time(running: Running) -> None:
    world = await running()
    outcome = await world.send()
    [taken] = world.provider.books.taken
    assert outcome == Sent(taken.provider_id, taken.at_ms)
    assert (taken.conversation, taken.address) == ("c-1", "whatsapp:+5511999990000")
    await until(lambda: len(world.receipts) == 2)
    assert {receipt.token for receipt in world.receipts} == {"m-1"}


async def test_the_token_of_a_message_to_several_holds_the_address(running: Running) -> None:
    world = await running()
    await world.send(replace(REQUEST, recipient_count=2))
    assert world.taken() == ["m-1 whatsapp:+5511999990000"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttle_share", NotNow),
        ("bare_throttle_share", NotNow),
        ("unavailable_share", NotNow),
        ("refuse_share", Refused),
        ("unauthorized_share", Refused),
        ("error_share", Unknown),
        ("html_share", Unknown),
        ("bad_json_share", Unknown),
        ("cut_before_share", Unknown),
        ("cut_after_share", Unknown),
        ("timeout_before_share", Unknown),
        ("timeout_after_share", Unknown),
    ],
)
async def test_each_fault_has_its_outcome(running: Running, fault: str, expected: type) -> None:
    world = await running(**{fault: 1.0, "retry_after_seconds": 7.0})
    outcome = await world.send()
    assert type(outcome) is expected
    if isinstance(outcome, NotNow):
        assert outcome.after_seconds == (7.0 if fault == "throttle_share" else None)
        assert outcome.scope in ((Scope.ACCOUNT,) if fault == "unavailable_share" else (Scope.ACCOUNT, Scope.PAIR))
    if isinstance(outcome, Refused):
        assert (outcome.kind is Refusal.AUTHENTICATION) == (fault == "unauthorized_share")
    if isinstance(outcome, NotNow | Refused):
        assert world.taken() == []


async def test_no_connection_means_that_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        connector = connector_to(f"http://127.0.0.1:{taken.getsockname()[1]}")
        outcome = await connector.send(REQUEST, 1)
        assert isinstance(outcome, NotNow)
        assert outcome.scope is Scope.ACCOUNT
        assert isinstance(await connector.look_up(REQUEST, 1), Unknown)
        await connector.close()


async def test_a_connection_that_does_not_come_about_in_time_means_that_nothing_was_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]  # they fill the queue of the listener
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        connector = connector_to(f"http://127.0.0.1:{address[1]}", connect_seconds="0.2")
        outcome = await connector.send(REQUEST, 1)
        assert isinstance(outcome, NotNow)
        await connector.close()
        for each in waiting:
            each.close()


async def test_a_cancelled_call_leaves_a_usable_connector(running: Running) -> None:
    world = await running(timeout_after_share=1.0, hang_seconds=5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.send(), 0.1)
    world.provider.set_faults(Faults())
    assert isinstance(await world.send(), Sent)


async def test_a_look_up_finds_what_a_call_without_an_answer_left(running: Running) -> None:
    world = await running(cut_after_share=1.0)
    assert isinstance(await world.send(), Unknown)
    assert isinstance(await world.connector.look_up(REQUEST, 1), Sent)
    missing = await world.connector.look_up(replace(REQUEST, message_id="m-2"), 1)
    assert isinstance(missing, NotNow)


async def test_a_look_up_during_an_outage_tells_nothing(running: Running) -> None:
    world = await running(windows=[{"kind": "unavailable"}])
    assert isinstance(await world.connector.look_up(REQUEST, 1), Unknown)


async def test_an_endless_page_is_read_in_part() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=500)
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * MAX_ANSWER_BYTES)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", endless)
    async with TestServer(app) as server:
        connector = connector_to(str(server.make_url("")))
        assert isinstance(await connector.send(REQUEST, 1), Unknown)
        await connector.close()


async def test_a_redirect_is_not_followed() -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", redirect)
    async with TestServer(app) as server:
        connector = connector_to(str(server.make_url("")))
        assert isinstance(await connector.send(REQUEST, 1), Unknown)
        await connector.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://example.org"])
def test_an_account_without_a_usable_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        connector_to(url)


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "1000"])
def test_a_wrong_time_to_connect_is_refused(seconds: str) -> None:
    with pytest.raises(ValueError, match="connect_seconds"):
        connector_to("http://x", connect_seconds=seconds)


def test_capabilities_are_those_of_the_provider() -> None:
    assert not connector_to("http://x").capabilities.repeatable
    assert not connector_to("http://x").capabilities.can_look_up
    assert connector_to("http://x", look_up="yes").capabilities.can_look_up


# Files -------------------------------------------------------------------------------------------------------------


def attachment(*chunks: bytes, error: Exception | None = None, kind: MediaKind = MediaKind.IMAGE) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if error is not None:
            raise error

    metadata = FileMetadata("a.png", sum(map(len, chunks)), "image/png", "sha256:0", "k")
    return Attachment(MediaPlan(kind, "look", ("more",)), metadata, "https://files/1", read)


async def test_a_file_is_uploaded_and_named_in_its_message(running: Running) -> None:
    world = await running()
    made = attachment(b"x" * 70_000, b"y")
    handle = await world.connector.upload(made)
    assert handle.startswith("media.")
    assert isinstance(await world.connector.send(REQUEST, 1, replace(made, handle=handle)), Sent)


async def test_a_corrupt_file_is_no_fault_of_the_channel(running: Running) -> None:
    world = await running()
    with pytest.raises(DeliveryFailed, match="corrupt"):
        await world.connector.upload(attachment(b"x", error=DeliveryFailed("file-corrupt", "it is corrupt")))
    with pytest.raises(FileStoreUnavailable):
        await world.connector.upload(attachment(b"x", error=FileStoreUnavailable("away")))


async def test_an_outage_during_an_upload_is_one_of_the_channel(running: Running) -> None:
    world = await running(windows=[{"kind": "unavailable"}])
    with pytest.raises(Unavailable):
        await world.connector.upload(attachment(b"x"))


def no_secret(name: str) -> str:
    raise ValueError(f"there is no {name}")


def test_an_account_names_its_driver() -> None:
    options = {"url": "http://127.0.0.1:1"}
    made = make_connector(Account(channel="telegram", driver="provider", options=options), Simulation(), no_secret)
    assert isinstance(made, ProviderConnector)
    assert made.channel == "telegram"
    with pytest.raises(ValueError, match="pigeon"):
        make_connector(Account(channel="telegram", driver="pigeon"), Simulation(), no_secret)
