"""Downloads of the Python client from servers that do not answer as ours does: proxies, other releases."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chat4all import ApiUnavailable, Client, Damaged


@asynccontextmanager
async def serving(data: bytes, *answers: Callable[[web.Request], web.Response]) -> AsyncIterator[tuple[str, list[Any]]]:
    """An API with one file, which gives these answers to requests for its bytes; with the headers of those."""
    asked: list[Any] = []
    checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"

    async def show(request: web.Request) -> web.Response:
        facts = {"filename": "a.bin", "size_bytes": len(data), "mimetype": "x/y", "checksum": checksum}
        return web.json_response({"file_id": "f-1", **facts})

    async def send(request: web.Request) -> web.Response:
        asked.append(request.headers)
        return answers[min(len(asked), len(answers)) - 1](request)

    app = web.Application()
    app.add_routes([web.get("/v1/files/f-1", show), web.get("/v1/files/f-1/content", send)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_the_rest_is_asked_for_only_of_the_very_same_bytes(tmp_path: Path) -> None:
    def whole(_: web.Request) -> web.Response:
        return web.Response(body=b"0123456789")

    (tmp_path / "copy.part").write_bytes(b"01?")
    async with serving(b"0123456789", whole) as (url, asked), Client(url) as client:
        await client.download_file("f-1", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0123456789"
    assert [headers["Range"] for headers in asked] == ["bytes=3-"]
    assert asked[0]["If-Range"] == f'"sha256:{hashlib.sha256(b"0123456789").hexdigest()}"'


async def test_a_range_that_cannot_be_had_begins_anew(tmp_path: Path) -> None:
    def nothing(_: web.Request) -> web.Response:
        return web.json_response({"detail": "no such range"}, status=416)

    def whole(_: web.Request) -> web.Response:
        return web.Response(body=b"0123456789")

    (tmp_path / "copy.part").write_bytes(b"01?")
    async with serving(b"0123456789", nothing, whole) as (url, _), Client(url) as client:
        await client.download_file("f-1", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0123456789"


async def test_another_range_than_was_asked_for_is_not_taken(tmp_path: Path) -> None:
    def wrong(_: web.Request) -> web.Response:
        return web.Response(body=b"456789", status=206, headers={"Content-Range": "bytes 4-9/10"})

    (tmp_path / "copy.part").write_bytes(b"012")
    async with serving(b"0123456789", wrong) as (url, _), Client(url, retry_seconds=0.3) as client:
        with pytest.raises(ApiUnavailable, match="another range"):
            await client.download_file("f-1", tmp_path / "copy")
    assert (tmp_path / "copy.part").read_bytes() == b"012"


async def test_more_bytes_than_the_file_has_are_not_taken(tmp_path: Path) -> None:
    def more(_: web.Request) -> web.Response:
        return web.Response(body=b"0123456789more")

    async with serving(b"0123456789", more) as (url, _), Client(url) as client:
        with pytest.raises(Damaged, match="more than"):
            await client.download_file("f-1", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
