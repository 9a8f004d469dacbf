"""The Python client's uploads and downloads on the whole system, whose API ends in the middle of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from chat4all import Client, Step
from loadtests.system import System
from support.transfers import MIB, some_bytes

pytestmark = pytest.mark.real

PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 120.0
SIZE = 64 * MIB


class Crash:
    """An ``OnProgress`` that kills the API once so many bytes have passed, and starts it again."""

    def __init__(self, system: System, step: Step, at_bytes: int) -> None:
        self._system = system
        self._step = step
        self._at_bytes = at_bytes
        self.revival: asyncio.Task[None] | None = None

    def __call__(self, step: Step, done_bytes: int, total_bytes: int) -> None:
        if step is self._step and done_bytes >= self._at_bytes and self.revival is None:
            self._system.apis[0].kill()
            self.revival = asyncio.create_task(self._system.revive())


async def test_a_file_goes_there_and_back_over_two_crashes_of_the_api(system: System, tmp_path: Path) -> None:
    mark = os.urandom(4).hex()
    data = some_bytes(SIZE)
    path = tmp_path / "film.bin"
    path.write_bytes(data)
    url = f"http://{system.settings.host}:{system.settings.port}"
    async with Client(url, retry_seconds=PATIENCE_SECONDS) as client, asyncio.timeout(PATIENCE_SECONDS):
        await client.register(f"ana_{mark}", PASSWORD)
        await client.login(f"ana_{mark}", PASSWORD)
        killed = Crash(system, Step.UPLOADING, SIZE // 2)
        file = await client.upload_file(path, f"films-{mark}", on_progress=killed)
        assert killed.revival is not None
        await killed.revival
        assert file["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"

        killed_again = Crash(system, Step.DOWNLOADING, SIZE // 4)
        await client.download_file(file["file_id"], tmp_path / "copy.bin", on_progress=killed_again)
        assert killed_again.revival is not None
        await killed_again.revival
        assert (tmp_path / "copy.bin").read_bytes() == data

        sent = await client.send("telegram:@carla", "", f"films-{mark}", file_id=file["file_id"])
        told = await client.message(sent.message_id)
        assert told["file_metadata"]["checksum"] == file["checksum"]
