"""Uploads of the Python client: interrupted and gone on with, changed meanwhile, damaged on the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat4all import (
    Begun,
    Client,
    Damaged,
    LocalFault,
    Step,
)
from chat4all import uploads as tus
from support.api import Api
from support.proxy import Proxy
from support.transfers import LONG, MIB, Memory, Watch, interrupted, logged_in, some_bytes, stored, written


@pytest.fixture
async def ana(proxy: Proxy) -> AsyncIterator[Client]:
    """Who reaches the API through the proxy."""
    async with logged_in(proxy.port) as client:
        yield client


@pytest.fixture(autouse=True)
def _requests_of_a_few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "REQUEST_BYTES", 2 * tus.PART_BYTES)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 23 * MIB + 7])
async def test_a_file_arrives_whole_with_its_name_and_checksum(
    api: Api, ana: Client, tmp_path: Path, size: int
) -> None:
    data, told = some_bytes(size), Watch(0, lambda: None)
    file = await ana.upload_file(written(tmp_path, data), "c-1", on_progress=told)
    assert stored(api, file) == data
    assert (file["filename"], file["conversation_id"], file["size_bytes"]) == ("photo.bin", "c-1", size)
    assert file["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert file == await ana.file(file["file_id"])
    assert told.seen[-1] == (Step.UPLOADING, size, size) or size == 0


async def test_an_upload_that_breaks_off_goes_on_from_there(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    data = some_bytes(LONG)
    for at_bytes in (0, 1, 7 * MIB, 15 * MIB, LONG - 1):
        watch = Watch(at_bytes, proxy.cut)
        file = await ana.upload_file(written(tmp_path, data), "c-1", on_progress=watch)
        assert stored(api, file) == data
        assert watch.was_done.is_set()


async def test_the_next_call_goes_on_where_one_was_given_up(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)
    await interrupted(api, ana, proxy, path, memory)
    [begun] = memory.kept.values()
    watch = Watch(0, lambda: None)
    file = await ana.upload_file(path, "c-1", on_progress=watch, upload_store=memory)
    assert stored(api, file) == data
    assert file["file_id"] == begun.upload_id
    assert watch.steps() == {Step.UPLOADING}  # what it is was known already
    assert watch.seen[0][1] >= 10 * MIB


async def test_a_file_that_was_uploaded_is_not_uploaded_again_until_it_is_forgotten(
    api: Api, ana: Client, tmp_path: Path
) -> None:
    path, memory = written(tmp_path, b"hello"), Memory()
    first = await ana.upload_file(path, "c-1", upload_store=memory)
    assert await ana.upload_file(path, "c-1", upload_store=memory) == first
    assert (await ana.upload_file(path, "c-2", upload_store=memory))["file_id"] != first["file_id"]
    await memory.forget(path, "c-1")
    assert (await ana.upload_file(path, "c-1", upload_store=memory))["file_id"] != first["file_id"]


async def test_a_file_that_was_changed_between_two_calls_is_uploaded_anew(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    memory = Memory()
    path = written(tmp_path, some_bytes(LONG))
    await interrupted(api, ana, proxy, path, memory)
    [begun] = memory.kept.values()
    data = some_bytes(LONG, seed=2)  # of the same length
    file = await ana.upload_file(written(tmp_path, data), "c-1", upload_store=memory)
    assert file["file_id"] != begun.upload_id
    assert stored(api, file) == data


async def test_a_file_that_is_changed_while_it_is_uploaded_is_nobodys_file(
    api: Api, ana: Client, tmp_path: Path
) -> None:
    path, memory = written(tmp_path, some_bytes(LONG)), Memory()
    watch = Watch(MIB, lambda: path.write_bytes(some_bytes(LONG, seed=2)))
    with pytest.raises(LocalFault, match="is being changed"):
        await ana.upload_file(path, "c-1", on_progress=watch, upload_store=memory)
    assert memory.kept == {}
    assert api.file_store.objects == {}


async def test_a_file_that_becomes_shorter_while_it_is_uploaded_is_said_so(
    api: Api, ana: Client, tmp_path: Path
) -> None:
    path = written(tmp_path, some_bytes(LONG))
    watch = Watch(MIB, lambda: os.truncate(path, 3 * MIB))
    with pytest.raises(LocalFault, match="is being changed"):
        await ana.upload_file(path, "c-1", on_progress=watch)
    watch = Watch(0, lambda: os.truncate(path, MIB), Step.CHECKING)
    with pytest.raises(LocalFault, match="shorter"):
        await ana.upload_file(path, "c-1", on_progress=watch)


async def test_bytes_that_are_damaged_on_the_way_are_told(api: Api, ana: Client, proxy: Proxy, tmp_path: Path) -> None:
    path, memory = written(tmp_path, some_bytes(LONG)), Memory()
    await interrupted(api, ana, proxy, path, memory)
    [(key, begun)] = memory.kept.items()
    found = path.stat()
    path.write_bytes(some_bytes(LONG, seed=2))  # as if what goes out from here on were damaged
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    with pytest.raises(Damaged, match="nothing of it was kept"):
        await ana.upload_file(path, "c-1", upload_store=memory)
    assert memory.kept == {}
    assert api.file_store.objects == {}
    assert begun.upload_id
    assert key == (path, "c-1")


async def test_an_upload_that_has_expired_is_begun_anew(api: Api, ana: Client, proxy: Proxy, tmp_path: Path) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)
    await interrupted(api, ana, proxy, path, memory)
    [begun] = memory.kept.values()
    api.clock.now_ms += 2 * 86_400_000
    file = await ana.upload_file(path, "c-1", upload_store=memory)
    assert file["file_id"] != begun.upload_id
    assert stored(api, file) == data


async def test_an_upload_that_was_ended_elsewhere_is_begun_anew(
    api: Api, ana: Client, proxy: Proxy, tmp_path: Path
) -> None:
    path, memory = written(tmp_path, b"hello"), Memory()
    gone = Begun("019aaf33-1c2d-7e3f-8a4b-5c6d7e8f9a0b", "sha256:" + "0" * 64, await _fingerprint(path), 0.0)
    memory.kept[path, "c-1"] = replace(gone, checksum=f"sha256:{hashlib.sha256(b'hello').hexdigest()}")
    file = await ana.upload_file(path, "c-1", upload_store=memory)
    assert file["file_id"] != gone.upload_id
    assert memory.kept[path, "c-1"].upload_id == file["file_id"]


async def _fingerprint(path: Path) -> Any:
    from chat4all.source import opened

    async with opened(path) as source:
        return source.fingerprint
