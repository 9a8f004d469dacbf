"""Messages with files through the whole system, with files in a folder: sent, refused, waited for, linked."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, FormData

from app.clock import now_ms
from app.worker_files import FilesOfWorker
from domain.attachments import MB
from domain.files import File, FileMetadata
from loadtests.groups import until
from loadtests.orders import signed_up
from loadtests.system import System, system_settings

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
LIFE_SECONDS = 30.0
WATCHDOG_SECONDS = 5.0


@pytest.fixture(scope="module")
def system(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A worker of each role."""
    folder: Path = tmp_path_factory.mktemp("files")
    settings = system_settings(stack, folder, watchdog_seconds=WATCHDOG_SECONDS)
    made = System(settings, folder, {"core": 1, "mirror": 1, "whatsapp": 1, "instagram": 1, "telegram": 1})
    try:
        asyncio.run(made.start())
        yield made
    finally:
        asyncio.run(made.stop())


class Person:
    """Somebody with a token who sends files."""

    def __init__(self, system: System, session: ClientSession) -> None:
        self.system = system
        self._session = session

    async def upload(self, conversation_id: str, data: bytes, filename: str) -> Any:
        form = FormData()
        form.add_field("conversation_id", conversation_id)
        form.add_field("file", data, filename=filename)
        async with self._session.post("/v1/files", data=form) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.json()

    async def ask(self, method: str, path: str, wanted: int, body: Any = None) -> Any:
        async with self._session.request(method, path, json=body) as answer:
            assert answer.status == wanted, await answer.text()
            return await answer.json()

    async def send(self, conversation_id: str, recipient_id: str | None, file: Any = None, content: str = "") -> str:
        body = {"conversation_id": conversation_id, "recipient_id": recipient_id, "content": content}
        if file is not None:
            body["file_id"] = file["file_id"]
        return str((await self.ask("POST", "/v1/messages", 202, body))["message_id"])

    async def until(self, message_id: str, *words: str) -> Any:
        """Return the message once its status is one of ``words``."""
        shown: Any = None

        async def is_so() -> bool:
            nonlocal shown
            shown = await self.ask("GET", f"/v1/messages/{message_id}", 200)
            return shown["status"] in words

        await until(f"{message_id} is {words}", LIFE_SECONDS, is_so)
        return shown


@pytest_asyncio.fixture(loop_scope="module")
async def person(system: System) -> AsyncIterator[Person]:
    settings = system.settings
    token = await signed_up(settings.host, settings.port)
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession(f"http://{settings.host}:{settings.port}", headers=headers) as session:
        yield Person(system, session)


def object_of(system: System, file: Any) -> Path:
    """Where the file's bytes are."""
    return Path(system.settings.files_dir) / "objects" / str(file["storage_path"])


def take_away(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.symlink_to(folder)  # which nobody can follow


def bring_back(folder: Path) -> None:
    folder.unlink()
    folder.with_name("away").rename(folder)


def lines_about(system: System, channel: str, file: str) -> list[str]:
    """What the channel's log tells of the files that were sent."""
    text = system.worker(f"{channel}-1").log_text()
    return [line.partition("] With ")[2] for line in text.splitlines() if f"] With {file} for" in line]


async def test_a_file_goes_through_kafka_to_the_channel_and_stays_with_the_message(person: Person) -> None:
    data = PNG + random.Random(1).randbytes(3 * MB)
    message_id = await person.send("warm-up", "whatsapp:+5511999990001", content="the conversation begins")
    file = await person.upload("warm-up", data, "photo.png")
    checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert file["checksum"] == checksum

    sent = await person.send("warm-up", "whatsapp:+5511999990001", file, "look")
    shown = await person.until(sent, "DELIVERED", "READ")

    metadata = {"filename": "photo.png", "size_bytes": len(data), "mimetype": "image/png", "checksum": checksum}
    assert (shown["file_id"], shown["file_metadata"], shown["content"]) == (file["file_id"], metadata, "look")
    assert lines_about(person.system, "whatsapp", "photo.png") == [
        f"photo.png for +5511999990001: {len(data)} bytes, as image, {checksum}"
    ]
    listed = (await person.ask("GET", "/v1/messages?conversation_id=warm-up", 200))["messages"]
    assert [(one["message_id"], one["file_metadata"]) for one in listed] == [(message_id, None), (sent, metadata)]


async def test_a_file_that_changed_in_the_store_or_left_it_fails_its_message_and_no_other(person: Person) -> None:
    to = "whatsapp:+5511999990002"
    await person.send("broken", to, content="first")
    corrupt = await person.upload("broken", PDF + b"the contract", "contract.pdf")
    gone = await person.upload("broken", PDF + b"the annex", "annex.pdf")
    stored = object_of(person.system, corrupt)
    stored.write_bytes(stored.read_bytes().replace(b"contract", b"cOntract"))
    object_of(person.system, gone).unlink()

    ids = [await person.send("broken", to, corrupt), await person.send("broken", to, gone)]
    last = await person.send("broken", to, content="last")

    await person.until(last, "DELIVERED", "READ")
    failures = [(await person.until(message_id, "FAILED"))["failure"] for message_id in ids]
    assert [failure["code"] for failure in failures] == ["file-corrupt", "file-missing"]
    assert "contract.pdf" in failures[0]["detail"]
    assert lines_about(person.system, "whatsapp", "contract.pdf") == []


async def test_a_file_over_the_cap_goes_as_a_link_that_anybody_can_follow(person: Person) -> None:
    system = person.system
    data = PNG + random.Random(2).randbytes(5 * MB)  # eight bytes more than WhatsApp takes
    await person.send("large", "whatsapp:+5511999990003", content="first")
    file = await person.upload("large", data, "large.png")

    await person.until(await person.send("large", "whatsapp:+5511999990003", file, "too large"), "DELIVERED", "READ")

    assert lines_about(system, "whatsapp", "large.png") == [
        f"large.png for +5511999990003: {len(data)} bytes, as a link"
    ]
    # the log does not tell the link; this is how a worker makes it
    whole = File(file["file_id"], "large", "", FileMetadata("large.png", len(data), "", "", file["storage_path"]), 0)
    worker = FilesOfWorker(system.settings)
    url = worker.open().link(whole, system.settings.files_channel_link_seconds, now_ms())
    await worker.on_stop()
    assert url.startswith(f"http://{system.settings.host}:{system.settings.port}/")
    async with ClientSession() as anybody, anybody.get(url) as answer:
        assert (answer.status, await answer.read()) == (200, data)


async def test_each_recipient_of_one_message_gets_what_its_channel_takes(person: Person) -> None:
    addresses = ["whatsapp:+5511999990004", "instagram:@maria", "telegram:@maria"]
    body = {"conversation_id": "everyone", "participants": addresses}
    await person.ask("POST", "/v1/conversations", 201, body)
    file = await person.upload("everyone", PDF + b"minutes of the meeting", "minutes.pdf")

    shown = await person.until(await person.send("everyone", None, file), "READ")

    assert {one["recipient_id"]: one["status"] for one in shown["deliveries"]} == dict.fromkeys(addresses, "READ")
    told = {channel: lines_about(person.system, channel, "minutes.pdf")[0] for channel in ("whatsapp", "telegram")}
    assert all(f"as document, {file['checksum']}" in line for line in told.values())
    (on_instagram,) = lines_about(person.system, "instagram", "minutes.pdf")
    assert on_instagram.endswith("as a link")


async def test_while_the_store_is_away_messages_with_files_wait_and_no_worker_is_taken_for_stalled(
    person: Person,
) -> None:
    system = person.system
    to = "telegram:@carla"
    await person.until(await person.send("patience", to, content="first"), "READ")
    file = await person.upload("patience", PDF + b"worth waiting for", "later.pdf")
    pids = {process.name: process.pid for process in system.workers}
    folder = Path(system.settings.files_dir)
    take_away(folder)
    try:
        waiting = await person.send("patience", to, file)
        await until("the worker waits", 10, lambda: _is_told(system, "the store of files is away"))
        behind = await person.send("patience", to, content="keeps its place")
        await person.until(await person.send("others", to, content="at once"), "READ")
        await asyncio.sleep(2 * WATCHDOG_SECONDS)
        for message_id in (waiting, behind):
            assert (await person.ask("GET", f"/v1/messages/{message_id}", 200))["status"] == "ACCEPTED"
    finally:
        bring_back(folder)
    await person.until(behind, "READ")
    assert (await person.until(waiting, "READ"))["failure"] is None
    assert {process.name: process.pid for process in system.workers if process.is_running} == pids


async def _is_told(system: System, text: str) -> bool:
    return text in system.worker("telegram-1").log_text()
