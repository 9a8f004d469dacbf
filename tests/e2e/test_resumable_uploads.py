"""Uploads that go on where they stopped, sent by an independent client of tus, through a real API and real stores."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from tusclient.client import TusClient
from tusclient.uploader import Uploader

from loadtests.groups import until
from loadtests.orders import signed_up
from loadtests.system import Servers, System, system_settings

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

MIB = 1 << 20
LARGE = 512 * MIB
CHUNK = 48 * MIB
HOLD_SECONDS = 3.0
SECONDS = 120.0


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["local", "s3"])
async def system(
    request: pytest.FixtureRequest, stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """An API alone, which lets others have a dead process's uploads soon."""
    folder: Path = tmp_path_factory.mktemp("uploads")
    changes: dict[str, Any] = {"upload_hold_seconds": HOLD_SECONDS}
    minio = request.getfixturevalue("minio") if request.param == "s3" else None
    config = minio.config() if minio is not None else None
    if config is not None:
        changes |= {"files": "s3", "s3_url": config.url, "s3_bucket": config.bucket}
    async with System(system_settings(stack, folder, **changes), folder, {}) as made:
        yield made
    if minio is not None and config is not None:
        await minio.delete_bucket(config)


def file_of(folder: Path, size: int) -> tuple[Path, str]:
    """Return a new file of ``size`` bytes, no two MiB of it alike, and its SHA-256."""
    path, checksum = folder / "film.mp4", hashlib.sha256()
    noise = random.Random(size).randbytes(MIB - 8)
    with path.open("wb") as file:
        for number in range(size // MIB):
            block = number.to_bytes(8, "big") + noise
            checksum.update(block)
            file.write(block)
    return path, checksum.hexdigest()


def uploader(system: System, token: str, file: Path, **more: object) -> Uploader:
    client = TusClient(f"{base(system)}/v1/uploads", headers={"Authorization": f"Bearer {token}"})
    metadata = {"filename": file.name, "conversation_id": uuid.uuid4().hex}
    given = {"chunk_size": CHUNK, "retries": 60, "retry_delay": 1, "metadata": metadata, **more}
    return client.uploader(str(file), **given)


def base(system: System) -> str:
    return f"http://{system.settings.host}:{system.settings.port}"


async def received(system: System) -> int:
    """Return how many bytes of files have come in since the API began."""
    async with ClientSession(base(system)) as session, session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return int(next(line.split()[-1] for line in lines if line.startswith("chat4all_file_bytes_received_total")))


async def check(system: System, token: str, url: str, size: int, checksum: str) -> None:
    """See that the upload is a file, and that what is downloaded is what was sent."""
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/v1/files/{url.rpartition('/')[2]}"
    async with ClientSession(base(system), headers=headers) as session:
        async with session.get(path) as answer:
            file = await answer.json()
        assert (file["size_bytes"], file["checksum"]) == (size, f"sha256:{checksum}")
        downloaded = hashlib.sha256()
        async with session.get(f"{path}/content") as answer:
            async for chunk in answer.content.iter_any():
                downloaded.update(chunk)
        assert downloaded.hexdigest() == checksum


async def test_a_large_upload_goes_on_after_a_kill(system: System, tmp_path: Path) -> None:
    token = await signed_up(system.settings.host, system.settings.port)
    file, checksum = await asyncio.to_thread(file_of, tmp_path, LARGE)
    sender = uploader(system, token, file)
    started = time.monotonic()
    sending = asyncio.create_task(asyncio.to_thread(sender.upload))
    api = system.apis[0]

    async def is_half_there() -> bool:
        assert not sending.done()
        return await received(system) >= LARGE // 2

    await until("half of it has come", SECONDS, is_half_there)
    first = await received(system)
    api.kill()
    api.start()
    await system.ready()
    await asyncio.wait_for(sending, SECONDS)
    second = await received(system)
    print(f"\n{first >> 20} MiB before the kill, {second >> 20} after; {time.monotonic() - started:.1f} s")
    assert second <= LARGE - 200 * MIB, "it began anew"
    await check(system, token, sender.url, LARGE, checksum)


async def test_an_upload_goes_on_after_a_stop(system: System, tmp_path: Path) -> None:
    token = await signed_up(system.settings.host, system.settings.port)
    file, checksum = await asyncio.to_thread(file_of, tmp_path, 256 * MIB)
    sender = uploader(system, token, file, chunk_size=256 * MIB)
    before = await received(system)
    sending = asyncio.create_task(asyncio.to_thread(sender.upload))

    async def is_partly_there() -> bool:
        assert not sending.done()
        return await received(system) - before >= 64 * MIB

    await until("some of it has come", SECONDS, is_partly_there)
    api = system.apis[0]
    api.send(signal.SIGTERM)
    await asyncio.to_thread(api.end, 20.0)
    api.start()
    await system.ready()
    await asyncio.wait_for(sending, SECONDS)
    assert await received(system) <= 192 * MIB, "what came before the stop was sent again"
    await check(system, token, sender.url, 256 * MIB, checksum)


async def test_each_chunk_is_checked(system: System, tmp_path: Path) -> None:
    token = await signed_up(system.settings.host, system.settings.port)
    file, checksum = await asyncio.to_thread(file_of, tmp_path, 32 * MIB)
    sender = uploader(system, token, file, chunk_size=7 * MIB + 1, upload_checksum=True)
    await asyncio.wait_for(asyncio.to_thread(sender.upload), SECONDS)
    await check(system, token, sender.url, 32 * MIB, checksum)
