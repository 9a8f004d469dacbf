"""`chat4all upload`, `download` and `send --file`, as somebody types them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from click.testing import Result

from cli import saved_uploads
from cli.client import Begun, Fingerprint
from cli.saved_sessions import SavedSessions, default_file
from cli.saved_uploads import SavedUploads
from support.transfers import LONG, MIB, some_bytes

PASSWORD = "correct horse battery"
RECIPIENT = "whatsapp:+5511999999999"
SECONDS = 30.0
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2_000)
Run = Callable[..., Awaitable[Result]]


@pytest.fixture(autouse=True)
def _now(api: Any) -> None:
    """The commands have the clock of this machine; what expires at the API is to do so by that."""
    api.clock.now_ms = int(time.time() * 1000)


@pytest.fixture
async def ana(run: Run) -> str:
    """The id of a user who has registered, and so is logged in."""
    return str(told(await run("register", "ana", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"))["user_id"])


def told(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.stdout))


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def photo(data: bytes = PNG, name: str = "photo.png") -> Path:
    """Write a file into the current folder."""
    path = Path(name)
    path.write_bytes(data)
    return path


async def put(api: Any, data: bytes, name: str = "photo.png", conversation_id: str = "c-1") -> str:
    """Put a file of Ana's there; return its id."""
    token = SavedSessions(f"http://127.0.0.1:{api.port}").load("ana").access_token
    form = FormData(quote_fields=False)
    form.add_field("conversation_id", conversation_id)
    form.add_field("file", data, filename=name)
    answer = await api.call("POST", "/v1/files", token=token, data=form)
    assert answer.status == 201, await answer.text()
    return str((await answer.json())["file_id"])


def content(name: str) -> bytes:
    """Return what is in a file of the current folder."""
    return Path(name).read_bytes()


def names(folder: Path) -> list[str]:
    """Return the files in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def uploads_file() -> Path:
    return default_file().with_name("uploads.json")


def remembered() -> list[dict[str, Any]]:
    return list(json.loads(uploads_file().read_text())["uploads"])


# downloads


async def test_a_file_is_downloaded_under_its_own_name_or_another(api: Any, run: Run, ana: str, tmp_path: Path) -> None:
    file_id = await put(api, PNG)
    result = await run("download", file_id)
    assert "photo.png" in result.stdout
    assert "verified" in result.stdout
    assert result.stderr == ""
    assert content("photo.png") == PNG
    (tmp_path / "deep").mkdir()
    document = told(await run("download", file_id, "-o", "deep", "--json"))
    assert document["path"] == "deep/photo.png"
    assert document["checksum"] == f"sha256:{hashlib.sha256(PNG).hexdigest()}"
    await run("download", file_id, "-o", "deep/other")
    assert names(tmp_path / "deep") == ["other", "photo.png"]


async def test_a_file_that_is_there_is_replaced_by_force_only(api: Any, run: Run, ana: str) -> None:
    file_id = await put(api, PNG)
    photo(b"old")
    assert "--force" in (await run("download", file_id, code=1)).output
    assert told(await run("download", file_id, "--json", code=1))["exit_code"] == 1
    assert content("photo.png") == b"old"
    await run("download", file_id, "--force")
    assert content("photo.png") == PNG


async def test_the_name_that_others_gave_leads_nowhere_else(api: Any, run: Run, ana: str, tmp_path: Path) -> None:
    file_id = await put(api, PNG)
    known = await api.files.get(file_id)
    metadata = replace(known.metadata, filename="../../\x1b[31mevil\u202e.png")  # which our server does not let in
    api.deps.known_files.add(replace(known, metadata=metadata))
    result = await run("download", file_id)
    assert not set(result.output) & {"\x1b", "\u202e"}
    assert names(tmp_path) == ["[31mevil.png"]


async def test_bytes_on_stdout_are_nothing_but_the_file(api: Any, run: Run, ana: str) -> None:
    data = some_bytes(3 * MIB)
    result = await run("download", await put(api, data), "-o", "-")
    assert result.stdout_bytes == data
    assert result.stderr == ""
    assert "choose one" in (await run("download", "x", "-o", "-", "--json", code=2)).output


async def test_a_file_of_somebody_else_is_not_there(api: Any, run: Run, ana: str) -> None:
    file_id = await put(api, PNG)
    await run("register", "bruno", "--password-stdin", stdin=PASSWORD)
    assert "no such file" in (await run("download", file_id, code=1)).output
    assert "no such file" in (await run("download", "../x", code=1)).output


async def test_damaged_bytes_are_no_file(api: Any, run: Run, ana: str, tmp_path: Path) -> None:
    file_id = await put(api, PNG)
    [(key, (data, *rest))] = api.file_store.objects.items()
    api.file_store.objects[key] = (b"?" + data[1:], *rest)
    assert "SHA-256" in (await run("download", file_id, code=1)).output
    assert names(tmp_path) == []


# uploads


async def test_an_uploaded_file_is_told_with_how_to_send_it(api: Any, run: Run, ana: str) -> None:
    result = await run("upload", str(photo()))
    file_id = result.stdout.split()[1]
    assert f"chat4all send RECIPIENT --file {file_id}" in result.stdout
    assert "(photo.png, 2.0 KiB, image/png)" in result.stdout
    assert result.stderr == ""
    document = told(await run("upload", "photo.png", "--conversation", "c-1", "--json"))
    assert (document["conversation_id"], document["uploader_id"]) == ("c-1", ana)
    assert document["file_id"] != file_id
    assert remembered() == []


async def test_files_without_a_conversation_are_each_in_one_of_their_own(api: Any, run: Run, ana: str) -> None:
    one, other = [
        told(await run("upload", str(photo(data)), "--json"))["conversation_id"] for data in (b"one", b"other")
    ]
    assert one != other
    assert one.startswith("ana-file-")


async def test_what_cannot_be_uploaded_is_a_sentence(run: Run, ana: str, tmp_path: Path) -> None:
    assert "No such file" in (await run("upload", "nothing", code=1)).output
    assert "is not a file" in (await run("upload", ".", code=1)).output
    assert told(await run("upload", "nothing", "--json", code=1))["exit_code"] == 1
    await run("upload", str(photo()), "--conversation", "x" * 500, code=2)


class Typed:
    """A command as a process of its own, through a proxy that can hold it up."""

    def __init__(self, proxy: Any, folder: Path) -> None:
        self._folder = folder
        url = f"http://127.0.0.1:{proxy.port}"
        self._environ = {**os.environ, "CHAT4ALL_URL": url, "XDG_CONFIG_HOME": str(folder / "config")}

    async def begin(self, *arguments: str, **more: Any) -> asyncio.subprocess.Process:
        pipe = subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", *arguments, cwd=self._folder, env={
                **self._environ, "PYTHONPATH": str(Path(saved_uploads.__file__).parent.parent)
            }, **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **more},
        )  # fmt: skip

    async def type(self, *arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        return await ended(await self.begin(*arguments), stdin, code)


async def ended(process: asyncio.subprocess.Process, stdin: str = "", code: int = 0) -> tuple[str, str]:
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), SECONDS)
    assert process.returncode == code, (out, err)
    return (out or b"").decode(), err.decode()


@pytest.fixture
async def slow(api: Any, make_proxy: Any) -> Any:
    """A proxy that stops passing bytes on after the first few MiB of each way, until it is told to resume."""
    proxy = make_proxy("127.0.0.1", api.port)
    await proxy.on()
    yield proxy
    await proxy.off()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  another process
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("as_json", [False, True])
async def test_an_upload_goes_on_after_ctrl_c(api: Any, slow: Any, tmp_path: Path, as_json: bool) -> None:
    terminal = Typed(slow, tmp_path)
    await terminal.type("register", "ana", "--password-stdin", stdin=PASSWORD)
    data = some_bytes(4 * LONG)
    (tmp_path / "film.bin").write_bytes(data)
    upload = ("upload", "film.bin", "--conversation", "c-1", *(["--json"] if as_json else []))
    slow.stall_after(2 * LONG)
    process = await terminal.begin(*upload)
    await until(lambda: slow.is_stalled)
    process.send_signal(signal.SIGINT)
    out, err = await ended(process, code=130)
    sentence = json.loads(out)["detail"] if as_json else err
    assert "interrupted" in sentence
    assert "the same command again" in sentence
    assert "Traceback" not in err
    file = tmp_path / "config" / "chat4all" / "uploads.json"
    assert file.stat().st_mode & 0o777 == 0o600
    [begun] = json.loads(file.read_text())["uploads"]
    slow.resume()
    slow.cut()
    out, err = await terminal.type(*upload)
    assert begun["upload_id"] in out
    assert err == ""
    [(stored, *_)] = api.file_store.objects.values()
    assert stored == data
    assert json.loads(file.read_text())["uploads"] == []


async def test_a_download_goes_on_after_ctrl_c(api: Any, slow: Any, tmp_path: Path) -> None:
    terminal = Typed(slow, tmp_path)
    await terminal.type("register", "ana", "--password-stdin", stdin=PASSWORD)
    data = some_bytes(2 * LONG)
    (tmp_path / "film.bin").write_bytes(data)
    file_id = json.loads((await terminal.type("upload", "film.bin", "--json"))[0])["file_id"]
    slow.stall_after(LONG)
    process = await terminal.begin("download", file_id, "-o", "copy")
    await until(lambda: slow.is_stalled)
    process.send_signal(signal.SIGINT)
    _, err = await ended(process, code=130)
    assert "copy.part" in err
    assert "the same command again" in err
    assert 0 < (tmp_path / "copy.part").stat().st_size < len(data)
    slow.resume()
    await terminal.type("download", file_id, "-o", "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert not (tmp_path / "copy.part").exists()


async def test_where_no_byte_can_be_written_is_a_sentence(api: Any, slow: Any, tmp_path: Path) -> None:
    terminal = Typed(slow, tmp_path)
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
    assert content(str(tmp_path / "copy")) == some_bytes(3 * MIB)


async def test_a_reader_who_has_enough_is_no_error_to_speak_of(api: Any, slow: Any, tmp_path: Path) -> None:
    terminal = Typed(slow, tmp_path)
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


# messages with files


async def test_a_file_goes_with_a_message(api: Any, run: Run, ana: str) -> None:
    photo()
    send = ("send", RECIPIENT, "look", "--conversation", "c-1", "--wait", "accepted", "--file")
    result = await run(*send, "photo.png")
    assert "(photo.png, 2.0 KiB, image/png)" in result.stdout
    [sent] = lines(await run("messages", "c-1", "--json"))
    assert (sent["content"], sent["file_metadata"]["filename"]) == ("look", "photo.png")
    assert f"look [photo.png, 2.0 KiB, image/png, file {sent['file_id']}]" in (await run("messages", "c-1")).stdout
    assert "[photo.png" in (await run("status", sent["message_id"])).stdout
    again = lines(await run(*send, sent["file_id"], "--json"))
    assert (again[0]["event"], again[0]["file_id"]) == ("file", sent["file_id"])
    assert remembered() == []


async def test_the_text_may_be_left_out_with_a_file(api: Any, run: Run, ana: str) -> None:
    photo()
    rest = ("--file", "photo.png", "--wait", "accepted")
    await run("send", RECIPIENT, *rest)
    await run("conversations", "create", RECIPIENT, "--id", "c-1")
    await run("send", *rest, "--conversation", "c-1")
    await run("send", "telegram: see this", *rest, "--conversation", "c-1")
    await run("send", RECIPIENT, *rest, "--conversation", "c-1")
    listed = lines(await run("messages", "c-1", "--json"))
    assert [(one["recipient_id"], one["content"]) for one in listed] == [
        (None, ""), (None, "telegram: see this"), (RECIPIENT, ""),
    ]  # fmt: skip
    assert all(one["file_id"] for one in listed)
    await run("send", *rest, code=2)


async def test_a_user_of_the_system_gets_a_file_in_a_conversation_that_it_begins(api: Any, run: Run, ana: str) -> None:
    bruno = told(await run("register", "bruno", "--password-stdin", "--json", stdin=PASSWORD))["user_id"]
    photo()
    send = ("send", bruno, "--file", "photo.png", "--wait", "accepted", "--as", "ana", "--json")
    [file, _] = lines(await run(*send))
    await run("download", file["file_id"], "-o", "copy", "--as", "bruno")
    assert content("copy") == PNG
    await run(*send)  # another message, in the same conversation


async def test_an_uploaded_file_is_sent_in_its_own_conversation(api: Any, run: Run, ana: str) -> None:
    file = told(await run("upload", str(photo()), "--json"))
    await run("send", RECIPIENT, "--file", file["file_id"], "--wait", "accepted")
    [sent] = lines(await run("messages", file["conversation_id"], "--json"))
    assert sent["file_id"] == file["file_id"]


async def test_one_file_a_message_and_one_that_is_there(run: Run, ana: str) -> None:
    photo()
    send = ("send", RECIPIENT, "--wait", "accepted", "--file", "photo.png")
    assert "one file at most" in (await run(*send, "--file", "photo.png", code=2)).output
    assert "no such file here" in (await run("send", RECIPIENT, "--file", "phto.png", code=1)).output
    nowhere = "019aaf33-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
    assert "no such file" in (await run("send", RECIPIENT, "--file", nowhere, code=1)).output


async def test_a_send_that_was_refused_does_not_upload_again(api: Any, run: Run, ana: str) -> None:
    photo()
    send = ("send", RECIPIENT, "--conversation", "c-1", "--wait", "accepted", "--file", "photo.png", "--json")
    api.log.available = False
    await run(*send, "--retry", "0", code=3)
    [begun] = remembered()
    api.log.available = True
    assert lines(await run(*send))[0]["file_id"] == begun["upload_id"]
    assert remembered() == []


async def test_one_key_is_one_message_with_one_file(api: Any, run: Run, ana: str) -> None:
    photo()
    send = (
        "send", RECIPIENT, "--conversation", "c-1", "--wait", "accepted", "--file", "photo.png", "--key", "order-17"
    )  # fmt: skip
    await run(*send)
    await run(*send)
    assert len(lines(await run("messages", "c-1", "--json"))) == 1
    assert len(api.file_store.objects) == 1


async def test_who_is_not_logged_in_sends_files_as_the_demo_user(api: Any, run: Run) -> None:
    photo()
    await run("send", RECIPIENT, "--file", "photo.png", "--wait", "accepted")
    [(message, *_)] = api.log.records
    assert message.file_id


# what is remembered


async def test_unfinished_uploads_are_each_users_own_bounded_and_forgotten_in_time(tmp_path: Path) -> None:
    file, now = tmp_path / "config" / "uploads.json", [1_000.0]

    def saved(url: str = "http://x", name: str = "ana") -> SavedUploads:
        return SavedUploads(url, name, file, lambda: now[0])

    def begun(number: int) -> Begun:
        return Begun(f"u-{number}", "sha256:" + "0" * 64, Fingerprint(1, 2, 3), 2_000.0 + number)

    path = Path("/a/film")
    await saved().remember(path, "c-1", begun(0))
    assert await saved().recall(path, "c-1") == begun(0)
    assert await saved("http://x/").recall(path, "c-1") == begun(0)
    for other in (saved("http://y"), saved(name="bruno")):
        assert await other.recall(path, "c-1") is None
    assert await saved().recall(path, "c-2") is None
    assert file.stat().st_mode & 0o777 == 0o600
    await asyncio.gather(*(saved().remember(Path(f"/a/{n}"), "c-1", begun(n)) for n in range(1, 150)))
    assert len(json.loads(file.read_text())["uploads"]) == saved_uploads.MOST
    assert await saved().recall(path, "c-1") is None
    assert await saved().recall(Path("/a/149"), "c-1") == begun(149)
    now[0] = 2_149.0
    assert await saved().recall(Path("/a/149"), "c-1") is None


async def test_a_damaged_file_of_uploads_is_a_sentence(run: Run, ana: str) -> None:
    uploads_file().write_text("{")
    assert "uploads begin anew" in (await run("upload", str(photo()), code=1)).output
