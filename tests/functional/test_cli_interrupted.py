"""`chat4all upload` and `download` as processes that are interrupted, or cannot write."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from chat4all.cli import saved_uploads
from support.api import Api
from support.proxy import Proxy
from support.transfers import LONG, MIB, PASSWORD, some_bytes
from support.waiting import until

SECONDS = 30.0


@pytest.fixture(autouse=True)
def _now(api: Api) -> None:
    """The commands have the clock of this machine; what expires at the API is to do so by that."""
    api.clock.now_ms = int(time.time() * 1000)


class Typed:
    """A command as a process of its own, through a proxy that can hold it up."""

    def __init__(self, proxy: Proxy, folder: Path) -> None:
        self._folder = folder
        url = f"http://127.0.0.1:{proxy.port}"
        self._environ = {**os.environ, "CHAT4ALL_URL": url, "XDG_CONFIG_HOME": str(folder / "config")}

    async def begin(self, *arguments: str, **more: object) -> asyncio.subprocess.Process:
        pipe = subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chat4all",
            *arguments,
            cwd=self._folder,
            env={**self._environ, "PYTHONPATH": str(Path(saved_uploads.__file__).parents[2])},
            **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **more},
        )

    async def type(self, *arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        return await ended(await self.begin(*arguments), stdin, code)


async def ended(process: asyncio.subprocess.Process, stdin: str = "", code: int = 0) -> tuple[str, str]:
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), SECONDS)
    assert process.returncode == code, (out, err)
    return (out or b"").decode(), err.decode()


@pytest.mark.parametrize("as_json", [False, True])
async def test_an_upload_goes_on_after_ctrl_c(api: Api, proxy: Proxy, tmp_path: Path, as_json: bool) -> None:
    terminal = Typed(proxy, tmp_path)
    await terminal.type("register", "ana", "--password-stdin", stdin=PASSWORD)
    data = some_bytes(4 * LONG)
    (tmp_path / "film.bin").write_bytes(data)
    upload = ("upload", "film.bin", "--conversation", "c-1", *(["--json"] if as_json else []))
    proxy.stall_after(2 * LONG)
    process = await terminal.begin(*upload)
    await until(lambda: proxy.is_stalled, SECONDS)
    process.send_signal(signal.SIGINT)
    out, err = await ended(process, code=130)
    sentence = json.loads(out)["detail"] if as_json else err
    assert "interrupted" in sentence
    assert "the same command again" in sentence
    assert "Traceback" not in err
    file = tmp_path / "config" / "chat4all" / "uploads.json"
    assert file.stat().st_mode & 0o777 == 0o600
    [begun] = json.loads(file.read_text())["uploads"]
    proxy.resume()
    proxy.cut()
    out, err = await terminal.type(*upload)
    assert begun["upload_id"] in out
    assert err == ""
    [(stored, *_)] = api.file_store.objects.values()
    assert stored == data
    assert json.loads(file.read_text())["uploads"] == []


async def test_a_download_goes_on_after_ctrl_c(api: Api, proxy: Proxy, tmp_path: Path) -> None:
    terminal = Typed(proxy, tmp_path)
    await terminal.type("register", "ana", "--password-stdin", stdin=PASSWORD)
    data = some_bytes(2 * LONG)
    (tmp_path / "film.bin").write_bytes(data)
    file_id = json.loads((await terminal.type("upload", "film.bin", "--json"))[0])["file_id"]
    proxy.stall_after(LONG)
    process = await terminal.begin("download", file_id, "-o", "copy")
    await until(lambda: proxy.is_stalled, SECONDS)
    process.send_signal(signal.SIGINT)
    _, err = await ended(process, code=130)
    assert "copy.part" in err
    assert "the same command again" in err
    assert 0 < (tmp_path / "copy.part").stat().st_size < len(data)
    proxy.resume()
    await terminal.type("download", file_id, "-o", "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert not (tmp_path / "copy.part").exists()


async def test_where_no_byte_can_be_written_is_a_sentence(api: Api, proxy: Proxy, tmp_path: Path) -> None:
    terminal = Typed(proxy, tmp_path)
    await terminal.type("register", "ana", "--password-stdin", stdin=PASSWORD)
    (tmp_path / "film.bin").write_bytes(some_bytes(3 * MIB))
    file_id = json.loads((await terminal.type("upload", "film.bin", "--json"))[0])["file_id"]
    full = os.open("/dev/full", os.O_WRONLY)
    _, err = await ended(await terminal.begin("download", file_id, "-o", "-", stdout=full), code=1)
    os.close(full)
    assert err == "Error: the output: No space left on device\n"
    # a file system where files have at most 1 MiB
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (MIB, MIB))
    _, err = await ended(await terminal.begin("download", file_id, "-o", "copy", preexec_fn=limit), code=1)
    hint, error = err.splitlines()
    assert error == "Error: copy.part: File too large"
    assert hint == "33 % are in copy.part; the same command again goes on from there"
    await terminal.type("download", file_id, "-o", "copy")
    assert (tmp_path / "copy").read_bytes() == some_bytes(3 * MIB)


async def test_a_reader_who_has_enough_is_no_error_to_speak_of(api: Api, proxy: Proxy, tmp_path: Path) -> None:
    terminal = Typed(proxy, tmp_path)
    await terminal.type("register", "ana", "--password-stdin", stdin=PASSWORD)
    (tmp_path / "film.bin").write_bytes(some_bytes(3 * MIB))
    file_id = json.loads((await terminal.type("upload", "film.bin", "--json"))[0])["file_id"]
    reader, writer = os.pipe()
    process = await terminal.begin("download", file_id, "-o", "-", stdout=writer)
    os.close(writer)
    await asyncio.to_thread(os.read, reader, 1_000)
    os.close(reader)
    _, err = await ended(process, code=1)
    assert err == ""
