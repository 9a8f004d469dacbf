"""`chat4all upload` and `download`, as somebody types them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import FormData
from click.testing import Result

from chat4all import Begun, Fingerprint
from chat4all.cli import saved_uploads
from chat4all.cli.saved_sessions import SavedSessions
from chat4all.cli.saved_uploads import SavedUploads
from support.api import Api
from support.transfers import MIB, PASSWORD, PNG, names, photo, remembered, some_bytes, told, uploads_file

Run = Callable[..., Awaitable[Result]]


@pytest.fixture(autouse=True)
def _now(api: Api) -> None:
    """The commands have the clock of this machine; what expires at the API is to do so by that."""
    api.clock.now_ms = int(time.time() * 1000)


@pytest.fixture
async def ana(run: Run) -> str:
    """The id of a user who has registered, and so is logged in."""
    return str(told(await run("register", "ana", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"))["user_id"])


async def put(api: Api, data: bytes, name: str = "photo.png", conversation_id: str = "c-1") -> str:
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


async def test_a_file_is_downloaded_under_its_own_name_or_another(api: Api, run: Run, ana: str, tmp_path: Path) -> None:
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


async def test_a_file_that_is_there_is_replaced_by_force_only(api: Api, run: Run, ana: str) -> None:
    file_id = await put(api, PNG)
    photo(b"old")
    assert "--force" in (await run("download", file_id, code=1)).output
    assert told(await run("download", file_id, "--json", code=1))["exit_code"] == 1
    assert content("photo.png") == b"old"
    await run("download", file_id, "--force")
    assert content("photo.png") == PNG


async def test_the_name_that_others_gave_leads_nowhere_else(api: Api, run: Run, ana: str, tmp_path: Path) -> None:
    file_id = await put(api, PNG)
    known = await api.files.get(file_id)
    metadata = replace(known.metadata, filename="../../\x1b[31mevil\u202e.png")  # which our server does not let in
    api.services.known_files.add(replace(known, metadata=metadata))
    result = await run("download", file_id)
    assert not set(result.output) & {"\x1b", "\u202e"}
    assert names(tmp_path) == ["[31mevil.png"]


async def test_bytes_on_stdout_are_nothing_but_the_file(api: Api, run: Run, ana: str) -> None:
    data = some_bytes(3 * MIB)
    result = await run("download", await put(api, data), "-o", "-")
    assert result.stdout_bytes == data
    assert result.stderr == ""
    assert "choose one" in (await run("download", "x", "-o", "-", "--json", code=2)).output


async def test_a_file_of_somebody_else_is_not_there(api: Api, run: Run, ana: str) -> None:
    file_id = await put(api, PNG)
    await run("register", "bruno", "--password-stdin", stdin=PASSWORD)
    assert "no such file" in (await run("download", file_id, code=1)).output
    assert "no such file" in (await run("download", "../x", code=1)).output


async def test_damaged_bytes_are_no_file(api: Api, run: Run, ana: str, tmp_path: Path) -> None:
    file_id = await put(api, PNG)
    [(key, (data, *rest))] = api.file_store.objects.items()
    api.file_store.objects[key] = (b"?" + data[1:], *rest)
    assert "SHA-256" in (await run("download", file_id, code=1)).output
    assert names(tmp_path) == []


async def test_an_uploaded_file_is_told_with_how_to_send_it(api: Api, run: Run, ana: str) -> None:
    result = await run("upload", str(photo()))
    file_id = result.stdout.split()[1]
    assert f"chat4all send RECIPIENT --file {file_id}" in result.stdout
    assert "(photo.png, 2.0 KiB, image/png)" in result.stdout
    assert result.stderr == ""
    document = told(await run("upload", "photo.png", "--conversation", "c-1", "--json"))
    assert (document["conversation_id"], document["uploader_id"]) == ("c-1", ana)
    assert document["file_id"] != file_id
    assert remembered() == []


async def test_files_without_a_conversation_are_each_in_one_of_their_own(api: Api, run: Run, ana: str) -> None:
    one, other = [
        told(await run("upload", str(photo(data)), "--json"))["conversation_id"] for data in (b"one", b"other")
    ]
    assert one != other
    made_by_the_api = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    assert made_by_the_api.fullmatch(one), "somebody who guesses an id could begin it, and read what comes"
    assert remembered() == []


async def test_an_upload_goes_on_in_the_conversation_that_it_made(api: Api, run: Run, ana: str) -> None:
    photo()
    api.file_store.available = False
    await run("upload", "photo.png", "--retry", "0", code=3)
    api.file_store.available = True
    [before] = api.conversations.members
    file = told(await run("upload", "photo.png", "--json"))
    assert file["conversation_id"] == before
    photo(b"another one")
    assert told(await run("upload", "photo.png", "--json"))["conversation_id"] != before


async def test_what_cannot_be_uploaded_is_a_sentence(run: Run, ana: str, tmp_path: Path) -> None:
    assert "No such file" in (await run("upload", "nothing", code=1)).output
    assert "is not a file" in (await run("upload", ".", code=1)).output
    assert told(await run("upload", "nothing", "--json", code=1))["exit_code"] == 1
    await run("upload", str(photo()), "--conversation", "x" * 500, code=2)


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


async def test_a_file_is_forwarded_and_deleted(api: Api, run: Run, ana: str) -> None:
    file_id = await put(api, PNG)
    copy = told(await run("files", "forward", file_id, "friends", "--json"))
    assert (copy["conversation_id"], copy["filename"]) == ("friends", "photo.png")
    assert "is deleted" in (await run("files", "delete", file_id)).output
    assert api.files.rows[file_id].deleted_at_ms
    assert not api.files.rows[copy["file_id"]].deleted_at_ms
    await run("files", "delete", file_id)
    assert "was deleted" in (await run("download", file_id, code=1)).output
