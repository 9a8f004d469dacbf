"""Downloads of the Python client: interrupted, continued, damaged, in the way."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import FormData

from chat4all import (
    ApiUnavailable,
    Client,
    Damaged,
    LocalFault,
    NotFound,
    NotLoggedIn,
    OutputClosed,
    Step,
    TargetExists,
)
from chat4all.part_file import part_file
from chat4all.transfers import quietly
from support.api import Api
from support.proxy import Proxy
from support.transfers import LONG, MIB, PASSWORD, logged_in, some_bytes


@pytest.fixture
async def ana(proxy: Proxy) -> AsyncIterator[Client]:
    """Who reaches the API through the proxy."""
    async with logged_in(proxy.port) as client:
        yield client


async def put(api: Api, client: Client, data: bytes, name: str = "a.bin") -> str:
    form = FormData(quote_fields=False)
    form.add_field("conversation_id", "c-1")
    form.add_field("file", data, filename=name)
    answer = await api.call("POST", "/v1/files", token=client.token, data=form)
    assert answer.status == 201
    return str((await answer.json())["file_id"])


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 7])
async def test_a_file_comes_whole_with_what_is_known_of_it(api: Api, ana: Client, tmp_path: Path, size: int) -> None:
    data, told = some_bytes(size), []
    file_id = await put(api, ana, data)
    file = await ana.download_file(
        file_id, tmp_path / "copy", on_progress=lambda step, done, total: told.append((step, done, total))
    )
    assert (tmp_path / "copy").read_bytes() == data
    assert file["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert told[-1] == (Step.DOWNLOADING, size, size)
    assert left(tmp_path) == ["copy"]


async def test_a_download_that_breaks_off_goes_on_from_there(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    data = some_bytes(LONG)
    file_id = await put(api, ana, data)
    seen: list[int] = []
    cuts = [1 * MIB, 3 * MIB, 5 * MIB]

    def cut(step: Step, done: int, total: int) -> None:
        seen.append(done)
        if cuts and done >= cuts[0]:
            cuts.pop(0)
            proxy.cut()

    await ana.download_file(file_id, tmp_path / "copy", on_progress=cut)
    assert (tmp_path / "copy").read_bytes() == data
    assert not cuts
    assert seen == sorted(seen)  # it never had to begin again


async def test_what_an_earlier_download_left_is_gone_on_with(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    data = some_bytes(LONG)
    file_id = await put(api, ana, data)
    steps: list[tuple[Step, int]] = []
    started = asyncio.Event()

    def note(step: Step, done: int, total: int) -> None:
        if done >= 2 * MIB:
            started.set()
            proxy.stall()

    task = asyncio.create_task(ana.download_file(file_id, tmp_path / "copy", on_progress=note))
    await asyncio.wait_for(started.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.resume()
    assert left(tmp_path) == ["copy.part"]
    kept = (tmp_path / "copy.part").stat().st_size
    assert 2 * MIB <= kept < len(data)
    await ana.download_file(file_id, tmp_path / "copy", on_progress=lambda step, done, _: steps.append((step, done)))
    assert (tmp_path / "copy").read_bytes() == data
    assert steps[0] == (Step.CHECKING, 0)
    assert next(done for step, done in steps if step is Step.DOWNLOADING) >= kept
    assert left(tmp_path) == ["copy"]


@pytest.mark.parametrize("old", [b"x" * MIB, b"x" * (3 * MIB), b"x" * (5 * MIB)])
async def test_a_part_that_is_of_something_else_is_fetched_anew(
    api: Api, ana: Client, tmp_path: Path, old: bytes
) -> None:
    data = some_bytes(3 * MIB)
    file_id = await put(api, ana, data)
    (tmp_path / "copy.part").write_bytes(old)
    await ana.download_file(file_id, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert left(tmp_path) == ["copy"]


async def test_bytes_that_are_damaged_in_the_store_are_nobodys_file(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, some_bytes(MIB))
    [(key, (data, *rest))] = api.file_store.objects.items()
    api.file_store.objects[key] = (b"?" + data[1:], *rest)
    with pytest.raises(Damaged, match="download it again"):
        await ana.download_file(file_id, tmp_path / "copy")
    assert left(tmp_path) == []
    with pytest.raises(Damaged):
        await ana.download_file(file_id, io.BytesIO())


async def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, b"new")
    target = tmp_path / "copy"
    target.write_bytes(b"old")
    with pytest.raises(TargetExists, match="is there already"):
        await ana.download_file(file_id, target)
    assert target.read_bytes() == b"old"
    await ana.download_file(file_id, target, overwrite=True)
    assert target.read_bytes() == b"new"
    with pytest.raises(LocalFault, match="is a folder"):
        await ana.download_file(file_id, tmp_path, overwrite=True)


async def test_a_file_that_comes_to_be_meanwhile_stays_and_so_does_what_was_fetched(
    api: Api, ana: Client, tmp_path: Path
) -> None:
    file_id = await put(api, ana, b"new")
    target = tmp_path / "copy"
    with pytest.raises(TargetExists, match=r"copy\.part"):
        await ana.download_file(file_id, target, on_progress=lambda *_: target.write_bytes(b"old") and None)
    assert target.read_bytes() == b"old"
    assert (tmp_path / "copy.part").read_bytes() == b"new"


async def test_a_link_in_place_of_the_part_is_not_followed(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, b"new")
    (tmp_path / "precious").write_bytes(b"old")
    (tmp_path / "copy.part").symlink_to("precious")
    with pytest.raises(LocalFault, match=r"copy\.part"):
        await ana.download_file(file_id, tmp_path / "copy")
    assert (tmp_path / "precious").read_bytes() == b"old"
    os.mkfifo(tmp_path / "pipe.part")
    with pytest.raises(LocalFault, match="is not a file"):
        await ana.download_file(file_id, tmp_path / "pipe")


async def test_two_downloads_do_not_write_to_one_file(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, b"new")
    with (tmp_path / "copy.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LocalFault, match="another download"):
            await ana.download_file(file_id, tmp_path / "copy")
    await ana.download_file(file_id, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"new"


async def test_where_nothing_can_be_written_is_said_so(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, some_bytes(MIB))
    with pytest.raises(LocalFault, match="No such file or directory"):
        await ana.download_file(file_id, tmp_path / "nowhere" / "copy")
    full_up = os.open("/dev/full", os.O_WRONLY)
    with os.fdopen(full_up, "wb", buffering=0) as full, pytest.raises(LocalFault, match="No space left"):
        await ana.download_file(file_id, full)


async def test_whoever_has_read_enough_ends_it(api: Api, ana: Client) -> None:
    file_id = await put(api, ana, some_bytes(MIB))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as output, pytest.raises(OutputClosed):
        await ana.download_file(file_id, output)


async def test_a_stream_goes_on_after_a_break_without_a_byte_twice(api: Api, ana: Client, proxy: Proxy) -> None:
    data, cuts = some_bytes(LONG), [2 * MIB]
    file_id = await put(api, ana, data)

    def cut(step: Step, done: int, total: int) -> None:
        if cuts and done >= cuts[0]:
            cuts.pop()
            proxy.cut()

    output = io.BytesIO()
    await ana.download_file(file_id, output, on_progress=cut)
    assert output.getvalue() == data


async def test_an_expired_token_is_refreshed_on_the_way(api: Api, ana: Client, proxy: Proxy, tmp_path: Path) -> None:
    data, cuts = some_bytes(LONG), [2 * MIB]
    file_id = await put(api, ana, data)
    before = ana.token

    def cut(step: Step, done: int, total: int) -> None:
        if cuts and done >= cuts[0]:
            cuts.pop()
            api.clock.now_ms += 3_700_000
            proxy.cut()

    await ana.download_file(file_id, tmp_path / "copy", on_progress=cut)
    assert (tmp_path / "copy").read_bytes() == data
    assert ana.token != before


async def test_it_is_for_those_who_take_part(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, b"new")
    async with Client(ana.url) as bruno:
        with pytest.raises(NotLoggedIn):
            await bruno.download_file(file_id, tmp_path / "copy")
        await bruno.register("bruno", PASSWORD)
        await bruno.login("bruno", PASSWORD)
        with pytest.raises(NotFound):
            await bruno.download_file(file_id, tmp_path / "copy")
    assert left(tmp_path) == []


async def test_an_api_that_stays_away_is_given_up_and_what_came_is_kept(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    file_id = await put(api, ana, some_bytes(LONG))
    gone: list[asyncio.Task[None]] = []

    def leave(step: Step, done: int, total: int) -> None:
        if done >= MIB and not gone:
            gone.append(asyncio.create_task(proxy.off()))

    with pytest.raises(ApiUnavailable):
        await ana.download_file(file_id, tmp_path / "copy", on_progress=leave, patience_seconds=0.5)
    await gone[0]
    assert (tmp_path / "copy.part").stat().st_size >= MIB
    await proxy.on()
    await ana.download_file(file_id, tmp_path / "copy")
    assert left(tmp_path) == ["copy"]


async def test_where_there_is_no_room_not_a_byte_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match=r"are free, and \d+ are needed"):
        async with part_file(tmp_path / "copy", 1 << 60, overwrite=False, on_progress=quietly):
            pass
    assert left(tmp_path) == []


async def test_a_name_may_be_as_long_as_names_can_be(api: Api, ana: Client, tmp_path: Path) -> None:
    file_id = await put(api, ana, b"new")
    for name in ("x" * 255, "\U0001f44b" * 63, "\xe1" * 127):
        await ana.download_file(file_id, tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"new"
    assert len(left(tmp_path)) == 3


async def test_what_is_there_whole_is_not_fetched_again(api: Api, ana: Client, tmp_path: Path) -> None:
    data = some_bytes(MIB)
    file_id = await put(api, ana, data)
    (tmp_path / "copy.part").write_bytes(data)
    api.file_store.objects.clear()
    await ana.download_file(file_id, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
