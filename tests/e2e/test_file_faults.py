"""Nothing is half kept: whatever breaks while a file comes in, the sweeper leaves no bytes and no row of it.

On a real Cassandra, a real folder and a real MinIO; the API is a process that is really killed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.cassandra import cassandra_config
from app.clock import now_ms
from app.file_sweep import Sweep, SweepReport
from app.files import open_file_store
from domain.errors import Unavailable
from domain.file_sweeping import OWNER_KEY
from domain.files import PART_BYTES
from domain.ports import FileStore, Upload
from loadtests.groups import until
from loadtests.orders import signed_up
from loadtests.system import Servers, System, system_settings
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.session import CassandraSession
from support.proxy import Proxy

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

HOLD_SECONDS = 2.0
LIMIT_BYTES = 10 * PART_BYTES
DATA = random.Random(8).randbytes(LIMIT_BYTES)
# later than any expiry; more, and to look would strike the entries of uploads that are just beginning
_DAY_MS = 24 * 3_600_000
_BOUNDARY = "b0undary"


@dataclass
class World:
    """An API, its store behind a switch, and a look at what is left."""

    system: System
    store: FileStore
    records: CassandraFileRecords
    store_off: Callable[[], Awaitable[None]]
    store_on: Callable[[], Awaitable[None]]
    cassandra: CassandraConfig  # the proxy in front of it
    received_before: float = 0.0

    async def uploads(self) -> list[Upload]:
        """The rows of unfinished uploads."""
        return [upload async for upload in self.records.expired(now_ms() + _DAY_MS)]

    async def keys(self) -> set[str]:
        return {one.key async for one in self.store.everything() if one.key != OWNER_KEY}

    async def until_it_has(self, parts: int) -> Upload:
        """Return the upload under way once the API has so many parts of it: then all but four of them are stored."""

        async def has_come() -> bool:
            text = (await self.system.client().ask("GET", "/metrics")).body.decode()
            (line,) = [line for line in text.splitlines() if line.startswith("chat4all_file_bytes_received_total")]
            return float(line.split()[-1]) - self.received_before >= parts * PART_BYTES

        await until(f"{parts} parts have come", 30, has_come)
        (upload,) = await self.uploads()
        return upload

    async def swept(self) -> SweepReport:
        """Sweep once all holds are over."""

        async def all_are_over() -> bool:
            return all(upload.held_until_ms <= now_ms() for upload in await self.uploads())

        await until("all holds are over", 10 * HOLD_SECONDS, all_are_over)
        sweep = Sweep(self.records, self.store, now_ms, grace_ms=0, believing=True)
        await sweep.uploads()
        await sweep.orphans()
        return sweep.report

    async def nothing_is_left(self, whole: set[str]) -> None:
        """Sweep; then there is nothing but the files at ``whole``."""
        report = await self.swept()
        assert report.failures == []
        assert await self.keys() == whole
        assert await self.uploads() == []


class Sending:
    """A form with a file that stays open: what is sent when is the test's to say."""

    def __init__(self, world: World, token: str, conversation_id: str) -> None:
        self._address = (world.system.settings.host, world.system.settings.port)
        self._head = (
            f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
        )
        self._before = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\n{conversation_id}\r\n'
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        )

    async def begin(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        self._writer.write(self._head.encode())
        await self.send(self._before.encode())

    async def send(self, data: bytes) -> None:
        """A chunk. Whoever refuses may have closed by now."""
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await asyncio.wait_for(self._writer.drain(), 30)

    async def end(self) -> tuple[int, Any]:
        """Finish the form; return the answer."""
        await self.send(f"\r\n--{_BOUNDARY}--\r\n".encode())
        self._writer.write(b"0\r\n\r\n")
        return await self.answer()

    async def answer(self) -> tuple[int, Any]:
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 60)
        (length,) = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        body = await self._reader.readexactly(int(length))
        self._writer.close()
        return int(head.split()[1]), json.loads(body)

    def vanish(self) -> None:
        self._writer.transport.abort()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["local", "s3"])
async def running(
    request: pytest.FixtureRequest, stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("faults")
    changes: dict[str, Any] = {
        "upload_hold_seconds": HOLD_SECONDS,
        "files_sweep_seconds": 0.0,
        "files_timeout_seconds": 3.0,
        "files_max_bytes": LIMIT_BYTES,
    }
    async with AsyncExitStack() as parts:
        cassandra = Proxy(stack.cassandra_contact_points[0], stack.cassandra_port)
        await cassandra.on()
        parts.push_async_callback(cassandra.off)
        if request.param == "s3":
            minio = request.getfixturevalue("minio")
            config = minio.config()
            proxy = Proxy("127.0.0.1", minio.port)
            await proxy.on()
            parts.push_async_callback(minio.delete_bucket, config)
            parts.push_async_callback(proxy.off)
            changes |= {"files": "s3", "s3_url": f"http://127.0.0.1:{proxy.port}", "s3_bucket": config.bucket}
            off, on = proxy.off, proxy.on
        else:
            files = folder / "files"

            async def off() -> None:
                files.rename(folder / "away")
                files.symlink_to(files)  # which nobody can follow

            async def on() -> None:
                files.unlink()
                (folder / "away").rename(files)

            changes["files_dir"] = str(files)
        settings = system_settings(stack, folder, **changes)
        store = open_file_store(settings)
        parts.push_async_callback(store.close)
        session = await parts.enter_async_context(CassandraSession(cassandra_config(settings)))
        system = System(settings, folder, {})
        await system.prepare()
        api_settings = replace(settings, cassandra_port=cassandra.port)
        system = System(api_settings, folder, {})
        await parts.enter_async_context(system)
        yield World(system, store, CassandraFileRecords(session), off, on, cassandra)


@pytest_asyncio.fixture(loop_scope="module")
async def world(running: World) -> AsyncIterator[World]:
    """Running, with nothing unfinished, and an API that has counted nothing yet."""
    running.system.apis[0].kill()
    await running.system.revive()
    yield running


@pytest_asyncio.fixture(loop_scope="module")
async def token(world: World) -> str:
    return await signed_up(world.system.settings.host, world.system.settings.port)


async def refused_for_messages(world: World, token: str, file_id: str, conversation_id: str) -> bool:
    body = {"conversation_id": conversation_id, "recipient_id": "telegram:5", "content": "", "file_id": file_id}
    answer = await world.system.client(token).ask("POST", "/v1/messages", body)
    return bool(answer.status == 400 and "file_id" in answer.body.decode())


async def whole(world: World) -> set[str]:
    """The keys of what is there before a test begins."""
    return await world.keys()


async def test_over_the_limit_is_413_and_the_parts_are_gone_at_once(world: World, token: str) -> None:
    before = await whole(world)
    sending = Sending(world, token, "too-large")
    await sending.begin()
    await sending.send(DATA)
    await sending.send(bytes(300_000))
    status, _ = await sending.answer()
    assert status == 413
    assert await world.keys() == before
    assert await world.uploads() == []


async def test_of_a_client_that_vanishes_nothing_stays(world: World, token: str) -> None:
    before = await whole(world)
    sending = Sending(world, token, "vanished")
    await sending.begin()
    await sending.send(DATA[: 6 * PART_BYTES])
    await world.until_it_has(5)
    sending.vanish()

    async def is_gone() -> bool:
        return await world.keys() == before and not await world.uploads()

    await until("nothing is left of it", 20, is_gone)


async def test_of_an_api_that_is_killed_the_sweeper_leaves_nothing(world: World, token: str) -> None:
    before = await whole(world)
    sending = Sending(world, token, "killed")
    await sending.begin()
    await sending.send(DATA[: 6 * PART_BYTES])
    upload = await world.until_it_has(5)
    world.system.apis[0].kill()
    sending.vanish()
    await world.system.revive()
    assert await world.uploads() == [upload] or (await world.uploads())[0].upload_id == upload.upload_id
    assert await refused_for_messages(world, token, upload.upload_id, "killed")
    await world.nothing_is_left(before)
    assert await refused_for_messages(world, token, upload.upload_id, "killed")


async def test_no_message_can_name_a_file_that_is_still_coming_in(world: World, token: str) -> None:
    before = await whole(world)
    sending = Sending(world, token, "unfinished")
    await sending.begin()
    await sending.send(DATA[: 6 * PART_BYTES])
    upload = await world.until_it_has(5)
    assert await refused_for_messages(world, token, upload.upload_id, "unfinished")
    status, file = await sending.end()
    assert (status, file["file_id"], file["size_bytes"]) == (201, upload.upload_id, 6 * PART_BYTES)
    assert not await refused_for_messages(world, token, upload.upload_id, "unfinished")
    assert await refused_for_messages(world, token, upload.upload_id, "another-conversation")
    await world.nothing_is_left(before | {file["storage_path"]})


async def test_a_store_that_dies_on_the_way_leaves_nothing_once_it_is_back(world: World, token: str) -> None:
    before = await whole(world)
    sending = Sending(world, token, "store-away")
    await sending.begin()
    await sending.send(DATA[: 6 * PART_BYTES])
    await world.until_it_has(5)
    await world.store_off()
    try:
        assert await status_of_the_rest(sending, DATA[6 * PART_BYTES :]) != 201
        sending.vanish()
        await until("the API has given up", 60, lambda: no_upload_is_under_way(world))
    finally:
        await world.store_on()
    await world.nothing_is_left(before)


async def status_of_the_rest(sending: Sending, data: bytes) -> int:
    """Send the rest; return the answer's status, 0 if the connection was cut while there was more to send."""
    try:
        await sending.send(data)
        return (await sending.end())[0]
    except (OSError, EOFError):
        return 0


async def no_upload_is_under_way(world: World) -> bool:
    text = (await world.system.client().ask("GET", "/metrics")).body.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("chat4all_uploads_under_way")]
    return line.split()[-1] == "0"


async def test_a_cassandra_that_dies_on_the_way_leaves_nothing_half_kept(world: World, token: str) -> None:
    before = await whole(world)
    sending = Sending(world, token, "cassandra-away")
    await sending.begin()
    await sending.send(DATA[: 6 * PART_BYTES])
    upload = await world.until_it_has(5)
    await world.cassandra.off()
    try:
        status, problem = await sending.end()
        assert status == 503, problem
    finally:
        await world.cassandra.on()
    file = await whole_file(world, upload.upload_id)
    # an answer of Cassandra that was lost may have been that it is a file: then it is a whole one
    await world.nothing_is_left(before | ({file} if file else set()))


async def whole_file(world: World, file_id: str) -> str | None:
    try:
        found = await world.records.get(file_id)
    except Unavailable:
        pytest.fail("the test's own Cassandra is away")
    return found.metadata.storage_path if found else None
