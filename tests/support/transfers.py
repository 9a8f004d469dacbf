"""What tests of uploads and downloads share."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from chat4all import Begun, Client, Step
from chat4all.cli.saved_sessions import default_file
from domain.ports import Upload
from support.api import Api
from support.proxy import Proxy
from support.waiting import until

MIB = 1024 * 1024
LONG = 24 * MIB  # more than sockets and readers hold between them
PASSWORD = "correct horse battery"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2_000)


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Return bytes that do not repeat themselves."""
    return random.Random(seed).randbytes(size)


@asynccontextmanager
async def logged_in(port: int, name: str = "ana") -> AsyncIterator[Client]:
    """A client of somebody who has registered."""
    async with Client(f"http://127.0.0.1:{port}") as client:
        await client.register(name, PASSWORD)
        await client.login(name, PASSWORD)
        yield client


class Memory:
    """``UploadStore`` as a dict."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Path, str], Begun] = {}

    async def recall(self, path: Path, conversation_id: str) -> Begun | None:
        return self.kept.get((path, conversation_id))

    async def remember(self, path: Path, conversation_id: str, begun: Begun) -> None:
        self.kept[path, conversation_id] = begun

    async def forget(self, path: Path, conversation_id: str) -> None:
        self.kept.pop((path, conversation_id), None)


class Watch:
    """An ``OnProgress`` that does something, once, when an upload (or another ``step``) has got so far."""

    def __init__(self, at_bytes: int, act: Callable[[], object], step: Step = Step.UPLOADING) -> None:
        self.at_bytes = at_bytes
        self.act = act
        self.step = step
        self.seen: list[tuple[Step, int, int]] = []
        self.was_done = asyncio.Event()

    def __call__(self, step: Step, done_bytes: int, total_bytes: int) -> None:
        self.seen.append((step, done_bytes, total_bytes))
        if step is self.step and done_bytes >= self.at_bytes and not self.was_done.is_set():
            self.was_done.set()
            self.act()

    def steps(self) -> set[Step]:
        return {step for step, _, _ in self.seen}


def written(folder: Path, data: bytes, name: str = "photo.bin") -> Path:
    """Write a file; return where it is."""
    path = folder / name
    path.write_bytes(data)
    return path


def stored(api: Api, file: dict[str, Any]) -> bytes:
    """Return the bytes of a file as the store has them."""
    return bytes(api.file_store.objects[file["storage_path"]][0])


async def interrupted(
    api: Api, ana: Client, proxy: Proxy, path: Path, memory: Memory, at_bytes: int = 12 * MIB
) -> None:
    """Upload until so much has gone out, then give up, as with Ctrl-C."""
    watch = Watch(at_bytes, proxy.stall)
    task = asyncio.create_task(ana.upload_file(path, "c-1", on_progress=watch, upload_store=memory))
    await asyncio.wait_for(watch.was_done.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.resume()
    await until(
        lambda: not any(isinstance(row, Upload) and row.holder for row in api.files.rows.values())
    )  # the API has noticed


def told(result: Result) -> dict[str, Any]:
    """Return the JSON object that a command printed."""
    return dict(json.loads(result.stdout))


def lines(result: Result) -> list[dict[str, Any]]:
    """Return the JSON objects that a command printed."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def photo(data: bytes = PNG, name: str = "photo.png") -> Path:
    """Write a file into the current folder."""
    path = Path(name)
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    """Return the files in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def uploads_file() -> Path:
    """Return where the commands remember unfinished uploads."""
    return default_file().with_name("uploads.json")


def remembered() -> list[dict[str, Any]]:
    """Return the unfinished uploads that the commands remember."""
    return list(json.loads(uploads_file().read_text())["uploads"])
