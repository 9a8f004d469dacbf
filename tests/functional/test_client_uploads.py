"""Uploads of the Python client: interrupted, continued, changed meanwhile, refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.client import (
    Begun,
    Client,
    Damaged,
    Forbidden,
    InvalidRequest,
    LocalFault,
    NotLoggedIn,
    Refused,
    Step,
    Unreachable,
)
from cli.client import uploads as tus
from support.fakes import until
from support.transfers import LONG, MIB, some_bytes

PASSWORD = "correct horse battery"


class Memory:
    """``UploadMemory`` as a dict."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Path, str], Begun] = {}

    async def recall(self, path: Path, conversation_id: str) -> Begun | None:
        return self.kept.get((path, conversation_id))

    async def remember(self, path: Path, conversation_id: str, begun: Begun) -> None:
        self.kept[path, conversation_id] = begun

    async def forget(self, path: Path, conversation_id: str) -> None:
        self.kept.pop((path, conversation_id), None)


class Watch:
    """An ``OnProgress`` that does something, once, when an upload (or another ``step``) has got so far."""

    def __init__(self, at_bytes: int, act: Any, step: Step = Step.UPLOADING) -> None:
        self.at_bytes = at_bytes
        self.act = act
        self.step = step
        self.seen: list[tuple[Step, int, int]] = []
        self.was_done = asyncio.Event()

    def __call__(self, step: Step, done_bytes: int, total_bytes: int) -> None:
        self.seen.append((step, done_bytes, total_bytes))
        if step is self.step and done_bytes >= self.at_bytes and not self.was_done.is_set():
            self.was_done.set()
            self.act()

    def steps(self) -> set[Step]:
        return {step for step, _, _ in self.seen}


@pytest.fixture
async def proxy(api: Any, make_proxy: Any) -> AsyncIterator[Any]:
    proxy = make_proxy("127.0.0.1", api.port)
    await proxy.on()
    yield proxy
    await proxy.off()


@pytest.fixture
async def ana(proxy: Any) -> AsyncIterator[Client]:
    async with Client(f"http://127.0.0.1:{proxy.port}") as client:
        await client.register("ana", PASSWORD)
        await client.login("ana", PASSWORD)
        yield client


@pytest.fixture(autouse=True)
def _requests_of_a_few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "REQUEST_BYTES", 2 * tus.PART_BYTES)


def written(folder: Path, data: bytes, name: str = "photo.bin") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def stored(api: Any, file: dict[str, Any]) -> bytes:
    return bytes(api.file_store.objects[file["storage_path"]][0])


async def interrupted(api: Any, ana: Client, proxy: Any, path: Path, memory: Memory, at_bytes: int = 12 * MIB) -> None:
    """Upload until so much has gone out, then give up, as with Ctrl-C."""
    watch = Watch(at_bytes, proxy.stall)
    task = asyncio.create_task(ana.upload_file(path, "c-1", on_progress=watch, memory=memory))
    await asyncio.wait_for(watch.was_done.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.resume()
    await until(lambda: not any(row.holder for row in api.files.rows.values()))  # the API has noticed


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 23 * MIB + 7])
async def test_a_file_arrives_whole_with_its_name_and_checksum(
    api: Any, ana: Client, tmp_path: Path, size: int
) -> None:
    data, told = some_bytes(size), Watch(0, lambda: None)
    file = await ana.upload_file(written(tmp_path, data), "c-1", on_progress=told)
    assert stored(api, file) == data
    assert (file["filename"], file["conversation_id"], file["size_bytes"]) == ("photo.bin", "c-1", size)
    assert file["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert file == await ana.file(file["file_id"])
    assert told.seen[-1] == (Step.UPLOADING, size, size) or size == 0


async def test_an_upload_that_breaks_off_goes_on_from_there(api: Any, ana: Client, proxy: Any, tmp_path: Path) -> None:
    data = some_bytes(LONG)
    for at_bytes in (0, 1, 7 * MIB, 15 * MIB, LONG - 1):
        watch = Watch(at_bytes, proxy.cut)
        file = await ana.upload_file(written(tmp_path, data), "c-1", on_progress=watch)
        assert stored(api, file) == data
        assert watch.was_done.is_set()


async def test_the_next_call_goes_on_where_one_was_given_up(api: Any, ana: Client, proxy: Any, tmp_path: Path) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)
    await interrupted(api, ana, proxy, path, memory)
    [begun] = memory.kept.values()
    watch = Watch(0, lambda: None)
    file = await ana.upload_file(path, "c-1", on_progress=watch, memory=memory)
    assert stored(api, file) == data
    assert file["file_id"] == begun.upload_id
    assert watch.steps() == {Step.UPLOADING}  # what it is was known already
    assert watch.seen[0][1] >= 10 * MIB


async def test_a_file_that_was_uploaded_is_not_uploaded_again_until_it_is_forgotten(
    api: Any, ana: Client, tmp_path: Path
) -> None:
    path, memory = written(tmp_path, b"hello"), Memory()
    first = await ana.upload_file(path, "c-1", memory=memory)
    assert await ana.upload_file(path, "c-1", memory=memory) == first
    assert (await ana.upload_file(path, "c-2", memory=memory))["file_id"] != first["file_id"]
    await memory.forget(path, "c-1")
    assert (await ana.upload_file(path, "c-1", memory=memory))["file_id"] != first["file_id"]


async def test_a_file_that_was_changed_between_two_calls_is_uploaded_anew(
    api: Any, ana: Client, proxy: Any, tmp_path: Path
) -> None:
    memory = Memory()
    path = written(tmp_path, some_bytes(LONG))
    await interrupted(api, ana, proxy, path, memory)
    [begun] = memory.kept.values()
    data = some_bytes(LONG, seed=2)  # of the same length
    file = await ana.upload_file(written(tmp_path, data), "c-1", memory=memory)
    assert file["file_id"] != begun.upload_id
    assert stored(api, file) == data


async def test_a_file_that_is_changed_while_it_is_uploaded_is_nobodys_file(
    api: Any, ana: Client, tmp_path: Path
) -> None:
    path, memory = written(tmp_path, some_bytes(LONG)), Memory()
    watch = Watch(MIB, lambda: path.write_bytes(some_bytes(LONG, seed=2)))
    with pytest.raises(LocalFault, match="is being changed"):
        await ana.upload_file(path, "c-1", on_progress=watch, memory=memory)
    assert memory.kept == {}
    assert api.file_store.objects == {}


async def test_a_file_that_becomes_shorter_while_it_is_uploaded_is_said_so(
    api: Any, ana: Client, tmp_path: Path
) -> None:
    path = written(tmp_path, some_bytes(LONG))
    watch = Watch(MIB, lambda: os.truncate(path, 3 * MIB))
    with pytest.raises(LocalFault, match="is being changed"):
        await ana.upload_file(path, "c-1", on_progress=watch)
    watch = Watch(0, lambda: os.truncate(path, MIB), Step.CHECKING)
    with pytest.raises(LocalFault, match="shorter"):
        await ana.upload_file(path, "c-1", on_progress=watch)


async def test_bytes_that_are_damaged_on_the_way_are_told(api: Any, ana: Client, proxy: Any, tmp_path: Path) -> None:
    path, memory = written(tmp_path, some_bytes(LONG)), Memory()
    await interrupted(api, ana, proxy, path, memory)
    [(key, begun)] = memory.kept.items()
    found = path.stat()
    path.write_bytes(some_bytes(LONG, seed=2))  # as if what goes out from here on were damaged
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    with pytest.raises(Damaged, match="nothing of it was kept"):
        await ana.upload_file(path, "c-1", memory=memory)
    assert memory.kept == {}
    assert api.file_store.objects == {}
    assert begun.upload_id
    assert key == (path, "c-1")


async def test_an_upload_that_has_expired_is_begun_anew(api: Any, ana: Client, proxy: Any, tmp_path: Path) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)
    await interrupted(api, ana, proxy, path, memory)
    [begun] = memory.kept.values()
    api.clock.now_ms += 2 * 86_400_000
    file = await ana.upload_file(path, "c-1", memory=memory)
    assert file["file_id"] != begun.upload_id
    assert stored(api, file) == data


async def test_an_upload_that_was_ended_elsewhere_is_begun_anew(
    api: Any, ana: Client, proxy: Any, tmp_path: Path
) -> None:
    path, memory = written(tmp_path, b"hello"), Memory()
    gone = Begun("019aaf33-1c2d-7e3f-8a4b-5c6d7e8f9a0b", "sha256:" + "0" * 64, await _fingerprint(path), 0.0)
    memory.kept[path, "c-1"] = replace(gone, checksum=f"sha256:{hashlib.sha256(b'hello').hexdigest()}")
    file = await ana.upload_file(path, "c-1", memory=memory)
    assert file["file_id"] != gone.upload_id
    assert memory.kept[path, "c-1"].upload_id == file["file_id"]


async def _fingerprint(path: Path) -> Any:
    from cli.client.source import opened

    async with opened(path) as source:
        return source.fingerprint


async def test_a_token_that_expires_on_the_way_is_refreshed(api: Any, ana: Client, tmp_path: Path) -> None:
    data, before = some_bytes(LONG), ana.token

    def expire() -> None:
        api.clock.now_ms += 3_700_000

    watch = Watch(4 * MIB, expire)
    file = await ana.upload_file(written(tmp_path, data), "c-1", on_progress=watch)
    assert stored(api, file) == data
    assert ana.token != before


async def test_a_session_that_ends_on_the_way_is_told_and_the_upload_can_go_on(
    api: Any, ana: Client, tmp_path: Path
) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)

    def end() -> None:
        api.clock.now_ms += 3_700_000
        api.refresh_tokens.__init__()

    with pytest.raises(NotLoggedIn):
        await ana.upload_file(path, "c-1", on_progress=Watch(4 * MIB, end), memory=memory)
    [begun] = memory.kept.values()
    await ana.login("ana", PASSWORD)
    file = await ana.upload_file(path, "c-1", memory=memory)
    assert file["file_id"] == begun.upload_id
    assert stored(api, file) == data


async def test_while_another_request_has_the_upload_it_is_waited_for(
    api: Any, ana: Client, proxy: Any, tmp_path: Path
) -> None:
    data, memory = some_bytes(LONG), Memory()
    path = written(tmp_path, data)
    watch = Watch(12 * MIB, proxy.stall)
    first = asyncio.create_task(ana.upload_file(path, "c-1", on_progress=watch, memory=memory))
    await asyncio.wait_for(watch.was_done.wait(), 10)
    async with Client(f"http://127.0.0.1:{api.port}", ana.token) as other:
        second = asyncio.create_task(other.upload_file(path, "c-1", memory=memory, patience_seconds=10))
        await asyncio.sleep(0)
        proxy.resume()
        files = await asyncio.gather(first, second)
    assert files[0] == files[1]
    assert stored(api, files[0]) == data


async def test_an_api_that_stays_away_is_given_up(api: Any, ana: Client, proxy: Any, tmp_path: Path) -> None:
    memory = Memory()
    path = written(tmp_path, some_bytes(LONG))
    gone: list[asyncio.Task[None]] = []
    watch = Watch(12 * MIB, lambda: gone.append(asyncio.create_task(proxy.off())))
    with pytest.raises(Unreachable):
        await ana.upload_file(path, "c-1", on_progress=watch, memory=memory, patience_seconds=0.5)
    await gone[0]
    assert len(memory.kept) == 1
    await proxy.on()
    file = await ana.upload_file(path, "c-1", memory=memory)
    assert stored(api, file) == path.read_bytes()


async def test_an_api_that_never_answered_is_not_waited_for(tmp_path: Path) -> None:
    async with Client("http://127.0.0.1:1", "a.b.c") as nobody:
        with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:1"):
            await nobody.upload_file(written(tmp_path, b"hello"), "c-1")


async def test_what_cannot_be_uploaded_is_refused_with_its_reason(api: Any, ana: Client, tmp_path: Path) -> None:
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


async def test_a_file_over_the_limit_is_refused_before_a_byte_of_it_goes_out(start_api: Any, tmp_path: Path) -> None:
    async with start_api(files_max_bytes=MIB) as api, Client(f"http://127.0.0.1:{api.port}") as client:
        await client.register("ana", PASSWORD)
        await client.login("ana", PASSWORD)
        with pytest.raises(Refused) as refused:
            await client.upload_file(written(tmp_path, bytes(MIB + 1)), "c-1")
        assert refused.value.status == 413


async def test_what_is_no_file_is_not_uploaded(api: Any, ana: Client, tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="No such file"):
        await ana.upload_file(tmp_path / "nothing", "c-1")
    with pytest.raises(LocalFault, match="is not a file"):
        await ana.upload_file(tmp_path, "c-1")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LocalFault, match="is not a file"):
        await ana.upload_file(tmp_path / "pipe", "c-1")


@pytest.mark.parametrize("name", ["a\nb.txt", "\u202egnp.exe", "ol\xe1 👋.txt", "-rf"])
async def test_odd_names_arrive_as_safe_ones(api: Any, ana: Client, tmp_path: Path, name: str) -> None:
    file = await ana.upload_file(written(tmp_path, b"hello", name), "c-1")
    assert file["filename"].isprintable()
    raw = os.fsencode(tmp_path) + b"/\xff.txt"
    with suppress(OSError):  # some file systems take no such name
        written(tmp_path, b"hello", os.fsdecode(b"\xff.txt"))
        assert (await ana.upload_file(Path(os.fsdecode(raw)), "c-1"))["filename"].endswith("txt")


async def test_an_api_with_its_hands_full_is_waited_for(start_api: Any, make_proxy: Any, tmp_path: Path) -> None:
    async with start_api(uploads_at_once=1) as api, Client(f"http://127.0.0.1:{api.port}") as ana:
        await ana.register("ana", PASSWORD)
        await ana.login("ana", PASSWORD)
        proxy = make_proxy("127.0.0.1", api.port)
        await proxy.on()
        async with Client(f"http://127.0.0.1:{proxy.port}", ana.token) as slow:
            watch = Watch(4 * MIB, proxy.stall)
            first = written(tmp_path, some_bytes(LONG), "first")
            task = asyncio.create_task(slow.upload_file(first, "c-1", on_progress=watch))
            await asyncio.wait_for(watch.was_done.wait(), 10)
            await until(lambda: api.deps.upload_gate.under_way)
            other = asyncio.create_task(ana.upload_file(written(tmp_path, some_bytes(LONG, 2), "other"), "c-1"))
            await until(lambda: api.deps.upload_gate.refused)
            proxy.resume()
            files = await asyncio.gather(task, other)
        await proxy.off()
        assert [stored(api, file) for file in files] == [some_bytes(LONG), some_bytes(LONG, 2)]
