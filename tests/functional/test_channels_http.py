"""The HTTP client of connectors: what it returns for each end of a call, and what it never shows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.http import Answer, HttpClient, Redaction
from channels.http.client import MAX_ANSWER_BYTES
from domain.attachments import MediaKind, MediaPlan
from domain.errors import DeliveryFailed, Unavailable
from domain.files import FileMetadata
from domain.outcomes import MOST_ANSWER, NotNow, Scope, Unknown
from domain.ports import Attachment

TOKEN = "123456:AAF-marked_token"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler, **options: str) -> AsyncIterator[HttpClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        client = client_of(str(server.make_url("")), **options)
        yield client
        await client.close()


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[HttpClient]:
    """A server that answers each request with these bytes, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield client
        await client.close()


def client_of(base: str, **options: str) -> HttpClient:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return HttpClient(f"{base}/bot{TOKEN}", options, headers=headers, secrets=[TOKEN])


def file_of(*chunks: bytes, size_bytes: int | None = None, error: Exception | None = None) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if error is not None:
            raise error

    size = sum(map(len, chunks)) if size_bytes is None else size_bytes
    return Attachment(
        MediaPlan(MediaKind.IMAGE), FileMetadata("ä b.png", size, "image/png", "sha256:0", "k"), "https://f", read
    )


async def test_an_answer_has_its_times_and_is_shown_without_secrets() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=418, text=f"you sent {request.headers['Authorization']} to {request.path}")

    async with served(echo) as client:
        answered = await client.ask("POST", "x", json={})
        again = await client.ask("POST", "x", json={})
    assert isinstance(answered, Answer)
    assert isinstance(again, Answer)
    assert TOKEN.encode() in answered.body
    assert TOKEN not in answered.exchange.answer
    assert "Bearer [hidden]" in answered.exchange.answer
    assert answered.exchange.status == 418
    assert 0 <= answered.exchange.connect_ms <= answered.exchange.first_byte_ms <= answered.exchange.duration_ms
    assert again.exchange.connect_ms == -1, "the connection is used again"


async def test_a_secret_at_the_end_of_the_shown_part_is_hidden_whole() -> None:
    async def long(request: web.Request) -> web.Response:
        return web.Response(text="x" * (MOST_ANSWER - 10) + TOKEN + "y" * MAX_ANSWER_BYTES)

    async with served(long) as client:
        answered = await client.ask("GET", "x")
    assert isinstance(answered, Answer)
    assert len(answered.body) == MAX_ANSWER_BYTES
    assert len(answered.exchange.answer) == MOST_ANSWER
    assert TOKEN[:10] not in answered.exchange.answer


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_call_that_breaks_is_unknown_and_shows_no_token(raw: bytes) -> None:
    async with answering(raw) as client:
        outcome = await client.ask("POST", "x", json={})
    assert isinstance(outcome, Unknown)
    assert TOKEN not in repr(outcome)


async def test_without_a_connection_nothing_was_sent() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        client = client_of(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        outcome = await client.ask("POST", "x", json={})
        await client.close()
    assert isinstance(outcome, NotNow)
    assert outcome.scope is Scope.ACCOUNT
    assert outcome.exchange is not None
    assert outcome.exchange.status == 0


async def test_a_call_that_waits_for_a_free_connection_was_not_sent() -> None:
    hanging, arrived = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        arrived.set()
        await hanging.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hang)
    async with TestServer(app) as server:
        client = HttpClient(str(server.make_url("")), {}, calls_at_once=1)
        first = asyncio.create_task(client.ask("POST", "x", json={}))
        await arrived.wait()
        assert isinstance(await client.ask("POST", "y", seconds=0.2, json={}), NotNow)
        hanging.set()
        assert isinstance(await first, Answer)
        await client.close()


async def test_a_silent_server_leaves_the_outcome_open() -> None:
    done = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        await done.wait()
        return web.Response()

    async with served(silent, call_seconds="0.1") as client:
        outcome = await client.ask("POST", "x", json={})
        done.set()
    assert isinstance(outcome, Unknown)


async def test_a_file_goes_as_a_form_of_a_known_length() -> None:
    seen: dict[str, object] = {}

    async def take(request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        seen.update(
            length=request.content_length,
            product=form["messaging_product"],
            name=file.filename,
            type=file.content_type,
            content=file.file.read(),
        )
        return web.json_response({"id": "1"})

    async with served(take) as client:
        answered = await client.upload("media", {"messaging_product": "whatsapp"}, file_of(b"a" * 70_000, b"b"))
    assert isinstance(answered, Answer)
    length = seen.pop("length")
    assert isinstance(length, int)
    assert length > 70_001
    assert seen == {
        "product": "whatsapp",
        "name": "file.png",
        "type": "image/png",
        "content": b"a" * 70_000 + b"b",
    }


@pytest.mark.parametrize("error", [DeliveryFailed("file-corrupt", "it is corrupt"), Unavailable("away")])
async def test_a_file_that_cannot_be_read_is_no_fault_of_the_channel(error: Exception) -> None:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"id": "1"})

    async with served(take) as client:
        with pytest.raises(type(error)):
            await client.upload("media", {}, file_of(b"a", size_bytes=2, error=error))


async def test_a_download_is_bounded_and_checked() -> None:
    async def give(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("missing"):
            raise web.HTTPNotFound
        if request.path.endswith("away"):
            raise web.HTTPServiceUnavailable
        assert "Authorization" not in request.headers, "the account's headers stay at home"
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"ab" * 1000)
        return response

    async def fetched(client: HttpClient, path: str, most_bytes: int = 2000, hexdigest: str = "") -> bytes:
        return b"".join([chunk async for chunk in client.download(f"{client.base}/{path}", most_bytes, hexdigest)])

    async with served(give) as client:
        content = b"ab" * 1000
        assert await fetched(client, "x", hexdigest=sha256(content).hexdigest()) == content
        for path, most, hexdigest, reason in (
            ("x", 1999, "", "file-too-large"),
            ("x", 2000, "00", "file-corrupt"),
            ("missing", 2000, "", "file-missing"),
        ):
            with pytest.raises(DeliveryFailed) as caught:
                await fetched(client, path, most, hexdigest)
            assert caught.value.reason == reason
        with pytest.raises(Unavailable):
            await fetched(client, "away")
    with pytest.raises(Unavailable) as refused:
        await fetched(client, "x")
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "https://api.telegram.org/bot123456%3AAAF-marked_token/sendMessage",
        '{"url":"https:\\/\\/x?access_token=EAAabcdef"}',
        "Authorization: Bearer EAAGnonsense|x",
        "https://api.telegram.org/bot99:AAEsomebodyelses/getMe",
    ],
)
def test_tokens_are_hidden_in_every_form(text: str) -> None:
    shown = Redaction([TOKEN])(text)
    assert "[hidden]" in shown
    for secret in ("marked_token", "EAAabcdef", "EAAGnonsense", "AAEsomebodyelses"):
        assert secret not in shown


@pytest.mark.parametrize("shown", [13, 20, len(TOKEN) - 1])
def test_a_token_that_a_text_was_cut_in_is_hidden(shown: int) -> None:
    assert Redaction([TOKEN])(f"'you sent {TOKEN[:shown]}'") == "'you sent [hidden]'"


def test_an_option_out_of_range_is_refused_and_shows_no_token() -> None:
    for base, options in (("ftp://x", {}), ("http://x", {"call_seconds": "0"}), ("http://x", {"connect_seconds": "x"})):
        with pytest.raises(ValueError, match="expected") as caught:
            HttpClient(f"{base}/{TOKEN}", options, secrets=[TOKEN])
        assert TOKEN not in str(caught.value)
