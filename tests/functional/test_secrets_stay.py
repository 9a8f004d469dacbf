"""Tokens of accounts are in no record, no log, no error and no trace, whatever fails: engine and connectors."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.connections import Connections
from app.accounts import account_secret, parse_accounts, shown
from app.clock import now_ms
from app.kafka.codec import encode
from channels import make_connector
from channels.conformance import file_of
from channels.simulated import Simulation
from domain.inbound import Media
from domain.ports import Connector, TwoWayConnector
from domain.records import DeliveryRequested
from support.deliveries import World
from support.fakes import batch_of
from support.waiting import until

PART = "AAMarkedTokenOfTheAccount"
TOKEN = f"123456789:{PART}"
ADDRESSES = {
    "whatsapp": "whatsapp:+5511999990000",
    "instagram": "instagram:17841400000000000",
    "telegram": "telegram:123",
}
ACCOUNTS = """
[[whatsapp]]
driver = "whatsapp"
phone_number_id = "1065"
base_url = "{url}/graph/v26.0"
token_env = "TOKEN"
call_seconds = 0.2
[[instagram]]
driver = "instagram"
ig_id = "17841405822304914"
base_url = "{url}/graph/v25.0"
token_env = "TOKEN"
call_seconds = 0.2
[[telegram]]
driver = "telegram"
base_url = "{url}"
token_env = "TOKEN"
call_seconds = 0.2
"""
ECHO = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
Answer = Callable[[bytes], bytes | None]


def echo(status: int, form: bytes = b'{"error":{"code":100,"message":"%s"},"ok":false,"error_code":400}') -> Answer:
    """Return an answer that repeats the request's head, where the token is."""

    def answer(head: bytes) -> bytes:
        said = head.replace(b"\r\n", b" ").replace(b'"', b"'")
        body = form.replace(b"%s", said)
        return ECHO % (status, len(body), body)

    return answer


FAILURES: dict[str, Answer] = {
    **{f"status {status}": echo(status) for status in (200, 400, 401, 403, 404, 408, 429, 500, 503)},
    "a page": echo(502, b"<html>%s</html>"),
    "a redirect": lambda head: b"HTTP/1.1 307 X\r\nLocation: " + head.split(b" ")[1] + b"\r\nContent-Length: 0\r\n\r\n",
    "no http": lambda head: b"you said: " + head + b"\r\n\r\n",
    "broken headers": lambda head: b"HTTP/1.1 200 OK\r\n" + head.split(b"\r\n")[0] + b"\x00\r\nA B: c\r\n\r\n",
    "half an answer": lambda head: b"HTTP/1.1 400 X\r\nContent-Length: 99999\r\n\r\n" + head,
    "cut": lambda head: b"",
    "silence": lambda head: None,
}


@asynccontextmanager
async def provider(answer: Answer) -> AsyncIterator[str]:
    """Run a server that answers each request so; yield its URL."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            given = answer((await reader.readuntil(b"\r\n\r\n")).strip())
            if given is None:
                await done.wait()
            else:
                writer.write(given)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()


@asynccontextmanager
async def connected(channel: str, url: str) -> AsyncIterator[Connector]:
    [account] = parse_accounts(ACCOUNTS.format(url=url).encode(), Path("accounts.toml"))[channel]
    assert PART not in f"{account} {dict(shown(account))}"
    connector = make_connector(account, Simulation(), lambda name: account_secret(account, name, {"TOKEN": TOKEN}))
    yield connector
    await Connections([connector]).on_stop()


async def error_of(call: Awaitable[object]) -> str:
    """Return the error of a call as a log shows it, empty if there is none."""
    try:
        async with asyncio.timeout(0.6):  # an upload is bounded by its caller
            return repr(await call)
    except Exception as error:  # noqa: BLE001 - every error is what this is about
        return "".join(traceback.format_exception(error))


async def fetched(connector: TwoWayConnector) -> bytes:
    media = Media("77", url=f"{connector._http.base}/file", kind="image")
    return b"".join([chunk async for chunk in connector.fetch(media, 1_000)])


@pytest.mark.parametrize("channel", ADDRESSES)
@pytest.mark.parametrize("failure", [*FAILURES, "no connection"])
async def test_a_token_stays_where_it_is(channel: str, failure: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with AsyncExitStack() as stack:
        answer = FAILURES.get(failure)
        url = await stack.enter_async_context(provider(answer)) if answer else "http://127.0.0.1:9"
        connector: Any = await stack.enter_async_context(connected(channel, url))
        world = World(channel=channel)
        world.channels = {"default": connector}
        world.start()
        request = DeliveryRequested("m-1", "c-1", "u", ADDRESSES[channel], "hi", None, now_ms(), 0)
        other = replace(
            request,
            message_id="m-2",
            conversation_id="c-2",
            kind="reaction",
            body={"message_id": "m", "emoji": "x"},
            target_id="123:41",
        )
        await world.deliver(batch_of(f"{channel}-outbound", encode(request), encode(other)))
        await until(lambda: world.is_done() or all(row.attempt for row in world.rows()))
        await until(lambda: any(topic.startswith("traces") for topic, *_ in world.producer.records))
        texts = [
            await error_of(call)
            for call in (
                connector.send(request, 1),
                connector.look_up(request, 1),
                connector.upload(file_of()),
                connector.send(request, 1, file_of()),
                connector.mark_read("123:41", is_typing=True),
                fetched(connector),
            )
        ]
        for name in ("history", "poll", "profile"):
            if call := getattr(connector, name, None):
                texts.append(await error_of(call(0 if name == "poll" else "17841400000000000")))
        texts += [repr(connector), repr(connector.capabilities)]
    texts += [caplog.text, repr(world.producer.records), repr(world.queue.rows), repr(world.table.rows)]
    for record in caplog.records:
        texts.append(repr((record.msg, record.args)))
        if record.exc_info and record.exc_info[1] is not None:
            texts.append("".join(traceback.format_exception(record.exc_info[1])))
    for text in texts:
        assert PART not in text, text[max(0, text.find(PART) - 300) : text.find(PART) + 100]
