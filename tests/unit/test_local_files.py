"""The folder of files: what only it can get wrong."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from domain.errors import FileStoreUnavailable, NotFound
from domain.files import PART_BYTES, File, FileMetadata
from domain.signed_links import signed_path
from storage.local_disk import write_all
from storage.local_files import LocalFileStore
from support.waiting import pass_time, until

TYPE = "application/octet-stream"
KEY = "c-1/f-1.bin"
FULL = bytes(range(256)) * (PART_BYTES // 256)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalFileStore]:
    made = LocalFileStore(tmp_path / "files", link_key=bytes(32), public_url="https://chat.example/", timeout_seconds=5)
    yield made
    await made.close()


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def content(store: LocalFileStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key)])


async def test_a_folder_that_was_used_holds_nothing_but_objects(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    await store.finish(KEY, upload, [await store.put_part(KEY, upload, 1, b"x")])
    await store.put("c-1/f-2.bin", b"y", TYPE)
    await store.discard("c-1/f-3.bin")
    await store.ping()
    assert files_below(tmp_path) == [tmp_path / "files/objects/c-1/f-1.bin", tmp_path / "files/objects/c-1/f-2.bin"]


async def test_files_and_folders_are_for_this_account_only(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    await store.put("c-1/f-2.bin", b"y", TYPE)
    for path in (tmp_path / "files").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    await store.finish(KEY, upload, [await store.put_part(KEY, upload, 1, b"x")])
    assert (tmp_path / "files/objects" / KEY).stat().st_mode & 0o077 == 0


async def test_another_process_goes_on_with_an_upload(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    first = await store.put_part(KEY, upload, 1, FULL)
    other = LocalFileStore(tmp_path / "files", link_key=bytes(32))
    assert list(await other.parts(KEY, upload)) == [first]
    await other.finish(KEY, upload, [first, await other.put_part(KEY, upload, 2, b"end")])
    await other.close()
    assert await content(store, KEY) == FULL + b"end"


async def test_a_part_half_replaced_when_its_process_was_killed_is_not_there(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    kept = await store.put_part(KEY, upload, 1, FULL)
    await store.put_part(KEY, upload, 2, FULL)
    dies_while_writing = f"""
import os, signal
import storage.local_uploads as uploads
def write_half(descriptor, data, offset):
    uploads_write(descriptor, data[: len(data) // 2], offset)
    os.kill(os.getpid(), signal.SIGKILL)
uploads_write, uploads.write_all = uploads.write_all, write_half
from pathlib import Path
folder = Path({str(tmp_path)!r}, "files", "uploads")
uploads.LocalUploads(folder, 5).put_part({KEY!r}, {upload!r}, 2, bytes({PART_BYTES}))
"""
    died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", dies_while_writing], check=False)
    assert died.returncode == -signal.SIGKILL
    assert list(await store.parts(KEY, upload)) == [kept]
    again = await store.put_part(KEY, upload, 2, FULL)  # and its lock went with it
    await store.finish(KEY, upload, [kept, again])
    assert await content(store, KEY) == FULL * 2


async def test_a_torn_line_of_the_journal_spoils_no_other(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    first = await store.put_part(KEY, upload, 1, FULL)
    journal = tmp_path / "files" / "uploads" / f"{upload}.journal"
    with journal.open("ab") as file:
        file.write(b"\ndone 2 0123456789abc\0\0\xff")
    second = await store.put_part(KEY, upload, 2, b"end")
    assert list(await store.parts(KEY, upload)) == [first, second]


async def test_a_part_whose_line_did_not_fit_on_the_disk_is_not_there(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    journal = tmp_path / "files" / "uploads" / f"{upload}.journal"
    room_bytes = len(journal.read_bytes()) + len("\nclaim 1 0123456789abcdef\n") + len("\ndone 1 01234")
    has_no_room = f"""
import resource
from pathlib import Path
from storage.local_uploads import LocalUploads
resource.setrlimit(resource.RLIMIT_FSIZE, ({room_bytes}, {room_bytes}))
try:
    LocalUploads(Path({str(tmp_path)!r}, "files", "uploads"), 5).put_part({KEY!r}, {upload!r}, 1, b"x")
except OSError as error:
    print(error.strerror)
"""
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", has_no_room], capture_output=True, text=True)
    assert ended.stdout == "No space left on device\n", ended.stderr
    assert list(await store.parts(KEY, upload)) == []
    assert [part.size_bytes for part in [await store.put_part(KEY, upload, 1, b"xy")]] == [2]
    assert [part.size_bytes for part in await store.parts(KEY, upload)] == [2]


async def test_who_slept_through_the_end_of_an_upload_cannot_change_the_object(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    part = await store.put_part(KEY, upload, 1, b"whole")
    data = tmp_path / "files" / "uploads" / f"{upload}.data"
    uploads = store._uploads
    with uploads._opened(data) as opened_before:
        await store.finish(KEY, upload, [part])
        with pytest.raises(NotFound), uploads._locked(opened_before, data):
            write_all(opened_before, b"other", 0)
    assert await content(store, KEY) == b"whole"


async def test_parts_dropped_at_the_end_stay_dropped_if_the_end_fails(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    parts = [await store.put_part(KEY, upload, n, FULL) for n in (1, 2)]
    blocked = tmp_path / "files" / "objects" / KEY
    blocked.mkdir(parents=True)  # nothing can be renamed onto a folder
    with pytest.raises(FileStoreUnavailable):
        await store.finish(KEY, upload, parts[:1])
    assert list(await store.parts(KEY, upload)) == parts[:1]
    blocked.rmdir()
    await store.finish(KEY, upload, parts[:1])
    assert await store.size(KEY) == PART_BYTES


async def test_a_full_disk_is_told_without_a_path_and_leaves_no_part(tmp_path, monkeypatch):
    store = LocalFileStore(tmp_path / "files", link_key=bytes(32))
    upload = await store.begin(KEY, TYPE)
    data = tmp_path / "files" / "uploads" / f"{upload}.data"
    data.unlink()
    data.symlink_to("/dev/full")
    with pytest.raises(FileStoreUnavailable) as told:
        await store.put_part(KEY, upload, 1, b"x")
    assert str(told.value) == "the folder of files: No space left on device"
    assert list(await store.parts(KEY, upload)) == []
    await store.close()


async def test_what_killed_processes_left_is_cleared_away_once_it_is_old(store, tmp_path):
    upload = await store.begin(KEY, TYPE)
    folder = tmp_path / "files" / "uploads"
    (folder / f"{upload}.data").unlink()
    (folder / "0123.draft").write_bytes(b"half")
    assert [one async for one in store.everything()] == []
    assert len(files_below(folder)) == 2
    for path in files_below(folder):
        os.utime(path, (time.time() - 4_000,) * 2)
    assert [one async for one in store.everything()] == []
    assert files_below(folder) == []


async def test_an_upload_locked_by_a_process_that_stands_still_is_given_up(tmp_path):
    store = LocalFileStore(tmp_path / "files", link_key=bytes(32), timeout_seconds=0.3)
    upload = await store.begin(KEY, TYPE)
    data = tmp_path / "files" / "uploads" / f"{upload}.data"
    uploads = store._uploads
    with uploads._opened(data) as file, uploads._locked(file, data), pytest.raises(FileStoreUnavailable):
        await store.put_part(KEY, upload, 1, b"x")
    await store.put_part(KEY, upload, 1, b"x")
    await store.close()


async def test_a_read_that_is_cancelled_closes_its_file(store, tmp_path):
    await store.put(KEY, FULL, TYPE)

    def open_files() -> list[str]:
        return [file.path for file in psutil.Process().open_files() if Path(file.path).is_relative_to(tmp_path)]

    before = len(open_files())

    async def read() -> None:
        async for _ in store.read(KEY):
            pass

    for pause in range(40):
        task = asyncio.create_task(read())
        await pass_time(pause / 10_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    del task  # a cancelled task keeps its exception, whose frames keep what they had opened
    await store.ping()
    # a thread closes the last one; it has a low priority
    await until(lambda: len(open_files()) <= before, seconds=60)


@pytest.mark.parametrize(("public_url", "start"), [("https://chat.example/", "https://chat.example/v1"), ("", "/v1")])
async def test_links_are_signed_for_the_public_address(tmp_path, public_url, start):
    store = LocalFileStore(tmp_path, link_key=b"k" * 32, public_url=public_url)
    file = File("f-1", "c-1", "u-1", FileMetadata("a.bin", 1, TYPE, "sha256:" + "0" * 64, KEY), 0)
    link = store.link(file, 60, 1_700_000_000_999)
    assert link.startswith(start)
    assert link.endswith(signed_path(b"k" * 32, "f-1", 1_700_000_060))
    await store.close()


async def test_where_a_folder_takes_no_second_name_for_a_file_its_bytes_are_copied(store, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    await store.put("c-1/a", b"bytes", "text/plain")
    await store.copy("c-1/a", "c-2/b")
    await store.discard("c-1/a")
    assert b"".join([chunk async for chunk in store.read("c-2/b")]) == b"bytes"
    assert [one.key async for one in store.everything()] == ["c-2/b"]


async def test_an_object_moved_onto_its_own_copy_leaves_its_old_key(store, tmp_path):
    await store.put(KEY, b"x", TYPE)
    await store.copy(KEY, "c-2/f-1.bin")
    await store.move(KEY, "c-2/f-1.bin")
    await store.move("c-2/f-1.bin", "c-2/f-1.bin")
    assert files_below(tmp_path) == [tmp_path / "files/objects/c-2/f-1.bin"]
    assert await content(store, "c-2/f-1.bin") == b"x"
