"""The proxy of the fault matrix does what its manner says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from loadtests.faults.proxy import LOOPBACK, PLAIN, Manner, Proxy, pause_seconds

SOON_SECONDS = 5.0


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
    writer.close()


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(_echo, LOOPBACK, 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as made:
        yield made
    server.close()


async def _said(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    writer.write(b"hello")
    return reader, writer


async def _hears(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(100), SOON_SECONDS)


async def _has_ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await _hears(reader) == b""
    except ConnectionError:
        return True


async def test_a_plain_proxy_carries_both_ways(proxy: Proxy) -> None:
    reader, writer = await _said(proxy)
    assert await _hears(reader) == b"hello"
    writer.close()


async def test_a_half_open_proxy_takes_the_connection_and_answers_once_it_flows(proxy: Proxy) -> None:
    proxy.manner = Manner(is_half_open=True)
    reader, writer = await _said(proxy)
    hearing = asyncio.create_task(_hears(reader))
    done, _ = await asyncio.wait([hearing], timeout=0.2)
    assert not done
    proxy.manner = PLAIN
    assert await hearing == b"hello"
    writer.close()


async def test_a_closed_proxy_cuts_what_is_open(proxy: Proxy) -> None:
    reader, writer = await _said(proxy)
    assert await _hears(reader) == b"hello"
    proxy.manner = Manner(is_closed=True)
    assert await _has_ended(reader)
    writer.close()


async def test_a_proxy_that_cuts_every_chunk_ends_the_connection(proxy: Proxy) -> None:
    proxy.manner = Manner(cut_share=1.0)
    reader, writer = await _said(proxy)
    assert await _has_ended(reader)
    assert proxy.cuts == 1
    writer.close()


@pytest.mark.parametrize(
    ("manner", "size", "expected"),
    [
        (PLAIN, 10_000, 0.0),
        (Manner(delay_seconds=(0.2, 0.6)), 10, 0.4),
        (Manner(bytes_per_second=1_000), 500, 0.5),
        (Manner(delay_seconds=(0.2, 0.6), bytes_per_second=1_000), 500, 0.9),
    ],
)
def test_a_chunk_waits_for_delay_and_size(manner: Manner, size: int, expected: float) -> None:
    assert pause_seconds(manner, size, lambda least, most: (least + most) / 2) == pytest.approx(expected)
