"""The load generator and its lean client: what they note is what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from loadtests.generator import Generator, percentile
from loadtests.http_client import NO_ANSWER, Client, request_bytes
from support.waiting import pass_time

HOST = "127.0.0.1"
Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, status: str = "202 Accepted") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nRetry-After: 2"
    return head.encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def served(handle: Handler) -> AsyncIterator[int]:
    """A server that hands each request to ``handle``; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
                await handle(head + body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def at_once(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(request[-1:]))


async def test_an_answer_that_comes_in_pieces_is_put_together() -> None:
    async def in_pieces(request: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in answer(b'{"a":1}', "503 Service Unavailable"):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with served(in_pieces) as port:
        found = await Client(HOST, port, "a token").ask("POST", "/x", {"b": 2})
    assert (found.status, found.json(), found.header("retry-after")) == (503, {"a": 1}, "2")


async def test_a_request_carries_its_token_and_its_length() -> None:
    text = request_bytes("POST", "/x", b"abc", "a token", {"X-A": "b"})
    assert text.startswith(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert b"\r\nAuthorization: Bearer a token\r\nX-A: b\r\n" in text
    assert text.endswith(b"\r\nContent-Length: 3\r\n\r\nabc")


async def test_nobody_there_is_no_answer() -> None:
    async with served(at_once) as port:
        pass
    assert await Client(HOST, port).ask("GET", "/") == NO_ANSWER


@pytest.mark.parametrize("connections", [1, 7])
async def test_each_request_gets_its_own_answer(connections: int) -> None:
    requests = [request_bytes("POST", "/", str(n).encode()) for n in range(50)]
    async with served(at_once) as port, Generator(HOST, port, connections) as generator:
        shots = await generator.flat_out(requests)
        again = await generator.flat_out(requests[:10], 1)
    assert [found.body for found in shots.answers] == [str(n).encode()[-1:] for n in range(50)]
    assert (shots.count(202), again.count(202)) == (50, 10)


async def test_the_latency_counts_from_when_a_request_was_due_not_from_when_a_connection_was_free() -> None:
    async def slowly(request: bytes, writer: asyncio.StreamWriter) -> None:
        await pass_time(0.02)
        writer.write(answer(b""))

    async with served(slowly) as port, Generator(HOST, port, 1) as generator:
        shots = await generator.at_rate([request_bytes("GET", "/")] * 10, 10_000)
    assert shots.latencies_ms()[-1] >= 10 * 20 * 0.9
    closed_loop_ms = [b - a for a, b in zip(shots.answered, shots.answered[1:], strict=False)]
    assert max(closed_loop_ms) < 0.2


async def test_the_rate_is_kept_on_average() -> None:
    async with served(at_once) as port, Generator(HOST, port, 8) as generator:
        shots = await generator.at_rate([request_bytes("GET", "/")] * 400, 1_000)
    assert 0.3 < shots.seconds < 1.5
    assert shots.due == sorted(shots.due)


async def test_a_broken_connection_costs_one_answer_and_is_made_again() -> None:
    seen = 0

    async def break_the_third(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            writer.transport.abort()
        else:
            writer.write(answer(b""))

    async with served(break_the_third) as port, Generator(HOST, port, 1) as generator:
        shots = await generator.flat_out([request_bytes("GET", "/")] * 10)
    assert (shots.count(202), shots.count(0)) == (9, 1)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_percentiles_are_values_that_were_measured(share: float, expected: int) -> None:
    assert percentile(list(range(1, 101)), share) == expected
    assert percentile([7.0], share) == 7.0
