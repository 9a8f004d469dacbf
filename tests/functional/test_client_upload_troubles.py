"""Uploads of the Python client that the API refuses, or cannot take just now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from chat4all import (
    ApiError,
    ApiUnavailable,
    Client,
    Forbidden,
    InvalidRequest,
    LocalFault,
    NotLoggedIn,
)
from chat4all import uploads as tus
from support.api import Api, StartApi
from support.proxy import Proxy
from support.transfers import LONG, MIB, PASSWORD, Memory, Watch, logged_in, some_bytes, stored, written
from support.waiting import until


@pytest.fixture
async def ana(proxy: Proxy) -> AsyncIterator[Client]:
    """Who reaches the API through the proxy."""
    async with logged_in(proxy.port) as client:
        yield client


@pytest.fixture(autouse=True)
def _requests_of_a_few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "REQUEST_BYTES", 2 * tus.PART_BYTES)


async def test_a_token_that_expires_on_the_way_is_refreshed(api: Api, ana: Client, tmp_path: Path) -> None:
    data, before = some_bytes(LONG), ana.token

    def expire() -> None:
        api.clock.now_ms += 3_700_000

    watch = Watch(4 * MIB, expire)
    file = await ana.upload_file(written(tmp_path, data), "c-1", on_progress=watch)
    assert stored(api, file) == data
    assert ana.token != before


async def test_a_session_that_ends_on_the_way_is_told_and_the_upload_can_go_on(
    api: Api, ana: Client, tmp_path: Path
) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)

    def end() -> None:
        api.clock.now_ms += 3_700_000
        api.refresh_tokens.__init__()

    with pytest.raises(NotLoggedIn):
        await ana.upload_file(path, "c-1", on_progress=Watch(4 * MIB, end), upload_store=memory)
    [begun] = memory.kept.values()
    await ana.login("ana", PASSWORD)
    file = await ana.upload_file(path, "c-1", upload_store=memory)
    assert file["file_id"] == begun.upload_id
    assert stored(api, file) == data


async def test_while_another_request_has_the_upload_it_is_waited_for(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)
    watch = Watch(12 * MIB, proxy.stall)
    first = asyncio.create_task(ana.upload_file(path, "c-1", on_progress=watch, upload_store=memory))
    await asyncio.wait_for(watch.was_done.wait(), 10)
    async with Client(f"http://127.0.0.1:{api.port}", ana.token) as other:
        second = asyncio.create_task(other.upload_file(path, "c-1", upload_store=memory, patience_seconds=10))
        await asyncio.sleep(0)
        proxy.resume()
        files = await asyncio.gather(first, second)
    assert files[0] == files[1]
    assert stored(api, files[0]) == data


async def test_an_api_that_stays_away_is_given_up(api: Api, ana: Client, proxy: Proxy, tmp_path: Path) -> None:
    memory = Memory()
    path = written(tmp_path, some_bytes(LONG))
    gone: list[asyncio.Task[None]] = []
    watch = Watch(12 * MIB, lambda: gone.append(asyncio.create_task(proxy.off())))
    with pytest.raises(ApiUnavailable):
        await ana.upload_file(path, "c-1", on_progress=watch, upload_store=memory, patience_seconds=0.5)
    await gone[0]
    assert len(memory.kept) == 1
    await proxy.on()
    file = await ana.upload_file(path, "c-1", upload_store=memory)
    assert stored(api, file) == path.read_bytes()


async def test_an_api_that_never_answered_is_not_waited_for(tmp_path: Path) -> None:
    async with Client("http://127.0.0.1:1", "a.b.c") as nobody:
        with pytest.raises(ApiUnavailable, match=r"no answer from http://127\.0\.0\.1:1"):
            await nobody.upload_file(written(tmp_path, b"hello"), "c-1")


async def test_what_cannot_be_uploaded_is_refused_with_its_reason(api: Api, ana: Client, tmp_path: Path) -> None:
    path = written(tmp_path, b"hello")
    with pytest.raises(InvalidRequest):
        await ana.upload_file(path, "x" * 500)
    async with Client(ana.url) as bruno:
        with pytest.raises(NotLoggedIn):
            await bruno.upload_file(path, "c-1")
        await bruno.register("bruno", PASSWORD)
        await bruno.login("bruno", PASSWORD)
        await bruno.create_conversation(["whatsapp:+5511999999999"], "not-anas")
    with pytest.raises(Forbidden):
        await ana.upload_file(path, "not-anas")
    assert api.file_store.objects == {}


async def test_a_file_over_the_limit_is_refused_before_a_byte_of_it_goes_out(
    start_api: StartApi, tmp_path: Path
) -> None:
    async with start_api(files_max_bytes=MIB) as api, Client(f"http://127.0.0.1:{api.port}") as client:
        await client.register("ana", PASSWORD)
        await client.login("ana", PASSWORD)
        with pytest.raises(ApiError) as refused:
            await client.upload_file(written(tmp_path, bytes(MIB + 1)), "c-1")
        assert refused.value.status == 413


async def test_what_is_no_file_is_not_uploaded(api: Api, ana: Client, tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="No such file"):
        await ana.upload_file(tmp_path / "nothing", "c-1")
    with pytest.raises(LocalFault, match="is not a file"):
        await ana.upload_file(tmp_path, "c-1")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LocalFault, match="is not a file"):
        await ana.upload_file(tmp_path / "pipe", "c-1")


@pytest.mark.parametrize("name", ["a\nb.txt", "\u202egnp.exe", "ol\xe1 👋.txt", "-rf"])
async def test_odd_names_arrive_as_safe_ones(api: Api, ana: Client, tmp_path: Path, name: str) -> None:
    file = await ana.upload_file(written(tmp_path, b"hello", name), "c-1")
    assert file["filename"].isprintable()
    raw = os.fsencode(tmp_path) + b"/\xff.txt"
    with suppress(OSError):  # some file systems take no such name
        written(tmp_path, b"hello", os.fsdecode(b"\xff.txt"))
        assert (await ana.upload_file(Path(os.fsdecode(raw)), "c-1"))["filename"].endswith("txt")


async def test_an_api_with_its_hands_full_is_waited_for(start_api: StartApi, tmp_path: Path) -> None:
    async with start_api(uploads_at_once=1) as api, Client(f"http://127.0.0.1:{api.port}") as ana:
        await ana.register("ana", PASSWORD)
        await ana.login("ana", PASSWORD)
        proxy = Proxy("127.0.0.1", api.port)
        await proxy.on()
        async with Client(f"http://127.0.0.1:{proxy.port}", ana.token) as slow:
            watch = Watch(4 * MIB, proxy.stall)
            first = written(tmp_path, some_bytes(LONG), "first")
            task = asyncio.create_task(slow.upload_file(first, "c-1", on_progress=watch))
            await asyncio.wait_for(watch.was_done.wait(), 10)
            await until(lambda: api.services.upload_limit.under_way)
            other = asyncio.create_task(ana.upload_file(written(tmp_path, some_bytes(LONG, 2), "other"), "c-1"))
            await until(lambda: api.services.upload_limit.refused)
            proxy.resume()
            files = await asyncio.gather(task, other)
        await proxy.off()
        assert [stored(api, file) for file in files] == [some_bytes(LONG), some_bytes(LONG, 2)]
