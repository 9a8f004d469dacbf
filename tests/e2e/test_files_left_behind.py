"""An API that is killed, and clients that vanish, in the middle of uploads: only whole files are left."""

from __future__ import annotations

import asyncio
import hashlib
import random
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientConnectionError, ClientSession, FormData, TCPConnector

from app.cassandra import cassandra_config
from app.clock import now_ms
from app.file_sweep import Sweep
from app.files import open_file_store
from domain.errors import NotFound
from domain.files import MIB
from domain.ports import FileStore, Upload
from loadtests.groups import until
from loadtests.orders import signed_up
from loadtests.system import Servers, System, system_settings
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.session import CassandraSession

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
DATA = random.Random(1).randbytes(6 * MIB)
TUS = {"Tus-Resumable": "1.0.0"}
HOLD_SECONDS = 6.0  # renewed every 2 s, also on a busy machine; the tests wait for the expiry anyway
EXPIRY_SECONDS = 8.0
GONE_SECONDS = 60.0
# later than any expiry here; a day later, and to look would strike the entries of uploads that are just beginning
LATER_MS = 3_600_000


@dataclass
class World:
    """A system without workers, what it keeps of files, a client, and the keys of its whole files."""

    system: System
    records: CassandraFileRecords
    store: FileStore
    session: ClientSession
    whole: set[str] = field(default_factory=set)

    async def uploads(self) -> list[Upload]:
        """All that are under way or left behind."""
        return [found async for found in self.records.expired(now_ms() + LATER_MS)]

    async def whole_file(self) -> dict[str, Any]:
        async with self.session.post("/v1/files", data=_form(DATA)) as answer:
            assert answer.status == 201, await answer.text()
            file = dict(await answer.json())
        self.whole.add(file["storage_path"])
        return file

    async def nothing_but(self, file: dict[str, Any], before: list[Upload]) -> None:
        """Wait until the sweep of the API has cleared away ``before``, and check what there is."""

        async def are_gone() -> bool:
            return not await self.uploads()

        await until("no upload is left", GONE_SECONDS, are_gone)
        # what was stored just before its row would have said so
        sweep = Sweep(self.records, self.store, now_ms, grace_ms=0)
        await sweep.orphans()
        assert sweep.report.failures == []
        keys = {one.key async for one in self.store.everything()}
        assert keys == self.whole | {".uploads/owner"}
        for upload in before:
            assert await self.records.find(upload.upload_id) is None
            if upload.store_upload:  # MinIO lists none
                with pytest.raises(NotFound):
                    await self.store.parts(upload.key, upload.store_upload)
        async with self.session.get(f"/v1/files/{file['file_id']}/content") as answer:
            assert hashlib.sha256(await answer.read()).digest() == hashlib.sha256(DATA).digest()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["local", "s3"])
async def world(
    request: pytest.FixtureRequest, stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("left_behind")
    changes: dict[str, Any] = {
        "upload_hold_seconds": HOLD_SECONDS,
        "upload_expiry_hours": EXPIRY_SECONDS / 3600,
        "files_sweep_seconds": 0.5,
    }
    async with AsyncExitStack() as parts:
        if request.param == "s3":
            minio = request.getfixturevalue("minio")
            config = minio.config()
            changes |= {"files": "s3", "s3_url": config.url, "s3_bucket": config.bucket}
            parts.push_async_callback(minio.delete_bucket, config)
        settings = system_settings(stack, folder, **changes)
        system = await parts.enter_async_context(System(settings, folder, {}))
        cassandra = await parts.enter_async_context(CassandraSession(cassandra_config(settings)))
        await cassandra.connected(30)
        store = open_file_store(settings)
        parts.push_async_callback(store.close)
        headers = {"Authorization": f"Bearer {await signed_up(settings.host, settings.port)}"}
        url = f"http://{settings.host}:{settings.port}"
        # a connection for each request: none is left over from an API that was killed
        connector = TCPConnector(force_close=True)
        session = await parts.enter_async_context(ClientSession(url, headers=headers, connector=connector))
        conversation = {"conversation_id": "c-1", "participants": ["whatsapp:+5511999990001"]}
        async with session.post("/v1/conversations", json=conversation) as answer:
            assert answer.status == 201, await answer.text()
        yield World(system, CassandraFileRecords(cassandra), store, session)


async def _stalling(size: int) -> AsyncIterator[bytes]:
    """So many bytes, and then nothing, for ever."""
    for start in range(0, size, 256 * 1024):
        yield DATA[:1] * min(256 * 1024, size - start)
    await asyncio.Event().wait()


def _form(content: object, *, file_first: bool = False) -> FormData:
    form = FormData()
    if not file_first:
        form.add_field("conversation_id", "c-1")
    form.add_field("file", content, filename="film.bin")
    if file_first:
        form.add_field("conversation_id", "c-1")
    return form


async def _send(session: ClientSession, form: FormData) -> None:
    with suppress(ClientConnectionError, OSError):
        async with session.post("/v1/files", data=form) as answer:
            raise AssertionError(f"an upload that never ends was answered: {answer.status} {await answer.text()}")


async def _begin_to_send(world: World) -> list[asyncio.Task[None]]:
    """Begin requests that stall at several points, and an upload that can be resumed; return once all have a row."""
    forms = [
        _form(_stalling(size), file_first=first) for size in (6 * MIB, 11 * MIB, 21 * MIB) for first in (False, True)
    ]
    sending = [asyncio.create_task(_send(world.session, form)) for form in forms]

    async def all_have_a_row() -> bool:
        for task in sending:
            assert not task.done(), f"a stalled upload has ended: {task.exception() or 'its connection broke'}"
        return len(await world.uploads()) == len(sending)

    await until("all uploads have a row", 60, all_have_a_row)
    name, conversation = (b64encode(text).decode() for text in (b"film.bin", b"c-1"))
    about = {"Upload-Length": str(12 * MIB), "Upload-Metadata": f"filename {name},conversation_id {conversation}"}
    async with world.session.post("/v1/uploads", headers={**TUS, **about}) as answer:
        assert answer.status == 201, await answer.text()
        path = answer.headers["Location"]
    more = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    async with world.session.patch(path, headers={**TUS, **more}, data=DATA) as answer:
        assert answer.status == 204, await answer.text()
    return sending


async def test_an_api_that_is_killed_in_the_middle_of_uploads_leaves_nothing_for_long(world: World) -> None:
    file = await world.whole_file()
    sending = await _begin_to_send(world)
    world.system.apis[0].kill()
    await asyncio.gather(*sending)
    before = await world.uploads()
    assert len(before) == len(sending) + 1
    await world.system.revive()
    await world.nothing_but(file, before)


async def test_clients_that_vanish_leave_nothing_for_long(world: World) -> None:
    file = await world.whole_file()
    sending = await _begin_to_send(world)
    before = await world.uploads()
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    await world.nothing_but(file, before)
