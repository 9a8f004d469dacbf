"""Messages with files through the whole system, on both stores of files: sent, refused, waited for, linked."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, FormData

from app.audit import audit
from app.clock import now_ms
from app.worker_files import FilesOfWorker
from domain.attachments import MB
from domain.files import File, FileMetadata
from domain.ports import FileStore
from domain.recipients import CHANNELS
from loadtests.groups import until
from loadtests.orders import signed_up
from loadtests.system import Servers, System, system_settings
from support.proxy import Proxy
from support.servers import RunningMinio
from support.waiting import stays
from tables.loaders import LOADERS

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
LIFE_SECONDS = 60.0
WATCHDOG_SECONDS = 12.0  # a rebalance at the start must end within it on a busy machine
AWAY = "the store of files is unavailable"


Switch = Callable[[], Awaitable[None]]


@dataclass
class World:
    """A system, what its files are stored in, and the switch of that."""

    system: System
    files: FileStore
    off: Switch
    on: Switch


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["local", "s3"])
async def world(
    request: pytest.FixtureRequest, stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A worker of each role. ``s3`` is a real MinIO, behind a proxy."""
    folder: Path = tmp_path_factory.mktemp("files")
    async with AsyncExitStack() as stores:
        if request.param == "s3":
            changes, off, on = await stores.enter_async_context(_bucket(request.getfixturevalue("minio")))
        else:
            changes = {}
            off, on = partial(asyncio.to_thread, take_away, folder), partial(asyncio.to_thread, bring_back, folder)
        settings = system_settings(
            stack, folder, watchdog_seconds=WATCHDOG_SECONDS, files_timeout_seconds=3.0, **changes
        )
        worker = FilesOfWorker(settings)
        async with System(settings, folder, {"core": 1, "mirror": 1, **dict.fromkeys(CHANNELS, 1)}) as system:
            yield World(system, worker.open(), off, on)
        await worker.on_stop()


@asynccontextmanager
async def _bucket(minio: RunningMinio) -> AsyncIterator[tuple[dict[str, str], Switch, Switch]]:
    """Settings for a bucket, and its switch."""
    proxy = Proxy("127.0.0.1", minio.port)
    await proxy.on()
    config = minio.config()
    changes = {"files": "s3", "s3_url": f"http://127.0.0.1:{proxy.port}", "s3_bucket": config.bucket}
    yield changes, proxy.off, proxy.on
    await proxy.off()
    await minio.delete_bucket(config)


def take_away(folder: Path) -> None:
    files = folder / "files"
    files.rename(folder / "away")
    files.symlink_to(files)  # which nobody can follow


def bring_back(folder: Path) -> None:
    (folder / "files").unlink()
    (folder / "away").rename(folder / "files")


class Person:
    """Somebody with a token who sends files."""

    def __init__(self, world: World, session: ClientSession) -> None:
        self.world = world
        self.system = world.system
        self._session = session

    async def upload(self, conversation_id: str, data: bytes, filename: str) -> Any:
        form = FormData()
        form.add_field("conversation_id", conversation_id)
        form.add_field("file", data, filename=filename)
        async with self._session.post("/v1/files", data=form) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.json()

    async def ask(self, method: str, path: str, wanted: int, body: object = None) -> Any:
        async with self._session.request(method, path, json=body) as answer:
            assert answer.status == wanted, await answer.text()
            return await answer.json()

    async def send(self, conversation_id: str, recipient_id: str | None, file: object = None, content: str = "") -> str:
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
async def person(world: World) -> AsyncIterator[Person]:
    settings = world.system.settings
    token = await signed_up(settings.host, settings.port)
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession(f"http://{settings.host}:{settings.port}", headers=headers) as session:
        yield Person(world, session)


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
    await person.world.files.put(corrupt["storage_path"], PDF + b"the cOntract", "application/pdf")
    await person.world.files.discard(gone["storage_path"])

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
    metadata = FileMetadata("large.png", len(data), "image/png", file["checksum"], file["storage_path"])
    whole = File(file["file_id"], "large", "", metadata, 0)
    url = person.world.files.link(whole, system.settings.files_channel_link_seconds, now_ms())
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
    await person.world.off()
    try:
        waiting = await person.send("patience", to, file)
        await until("the worker waits", LIFE_SECONDS, lambda: _is_told(system, 1))
        behind = await person.send("patience", to, content="keeps its place")
        await person.until(await person.send("others", to, content="at once"), "READ")

        async def both_wait() -> bool:
            shown = [await person.ask("GET", f"/v1/messages/{one}", 200) for one in (waiting, behind)]
            return [one["status"] for one in shown] == ["ACCEPTED", "ACCEPTED"]

        await stays(both_wait, WATCHDOG_SECONDS + 2.0, look_seconds=0.2)
    finally:
        await person.world.on()
    await person.until(behind, "READ")
    assert (await person.until(waiting, "READ"))["failure"] is None
    assert {process.name: process.pid for process in system.workers if process.is_running} == pids


async def test_a_worker_that_is_killed_while_a_file_is_made_ready_leaves_it_to_the_next(person: Person) -> None:
    world, to = person.world, "telegram:@daniel"
    worker = world.system.worker("telegram-1")
    await person.until(await person.send("crash", to, content="first"), "READ")
    file = await person.upload("crash", PDF + b"sent once", "once.pdf")
    told = worker.log_text().count(AWAY)
    await world.off()
    try:
        waiting = await person.send("crash", to, file)
        behind = await person.send("crash", to, content="keeps its place")
        await until("the worker waits", LIFE_SECONDS, lambda: _is_told(world.system, told + 1))
        worker.kill()
    finally:
        await world.on()
    await world.system.revive()
    await person.until(behind, "READ")
    assert (await person.until(waiting, "READ"))["failure"] is None
    assert len(lines_about(world.system, "telegram", "once.pdf")) == 1


async def test_in_the_end_every_view_says_the_same_of_every_file(world: World) -> None:
    async def is_at_rest() -> bool:
        return (await audit(world.system.settings, LOADERS)).behind == 0

    await until("all is processed", LIFE_SECONDS, is_at_rest)
    report = await audit(world.system.settings, LOADERS)
    assert report.is_clean, str(report)
    assert report.messages > 10


async def _is_told(system: System, times: int) -> bool:
    return system.worker("telegram-1").log_text().count(AWAY) >= times
