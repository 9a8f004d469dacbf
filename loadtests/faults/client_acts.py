"""Faults that clients make or meet: uploads cut short, a client that never reads, ten times the load."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import random
import socket
import uuid

import psutil

from chat4all import Client
from loadtests.faults.acts import part_killed
from loadtests.faults.load import Load
from loadtests.faults.row import Act
from loadtests.faults.world import World
from loadtests.groups import until

FILE_BYTES = 24 * 1024 * 1024
PATIENCE_SECONDS = 60.0
_MIB = 2**20
UNREAD_SECONDS = 12.0
FLOOD_SECONDS = 60.0
BURST_PER_SECOND = 300.0  # a client that never reads has a pair of sockets' buffers full after so many messages


def upload_killed_at(point: str, passes: int = 1) -> Act:
    """Kill the API process that takes an upload, at ``point``; the client goes on, and the file must be whole."""

    async def act(world: World) -> str:
        arm = world.system.arm("api", point, passes if point == "upload-part" else 0)

        async def is_gone() -> bool:
            return not arm.exists()

        uploading = asyncio.create_task(_uploaded(world))
        await until(f"an API reaches {point}", PATIENCE_SECONDS, is_gone)
        return await uploading

    return act


async def minio_killed_mid_upload(world: World) -> str:
    """Kill MinIO while a file is uploaded, and start it again."""
    uploading = asyncio.create_task(_uploaded(world))
    await asyncio.sleep(0.3)
    await part_killed("minio", 4)(world)
    return await uploading


async def _uploaded(world: World) -> str:
    """Upload a file and download it. Raises ``RuntimeError`` if it is not the same."""
    file = world.folder / f"file-{random.randrange(10**9)}.bin"
    content = random.Random(1).randbytes(FILE_BYTES)
    file.write_bytes(content)
    settings, loop = world.settings, asyncio.get_running_loop()
    began = loop.time()
    async with Client(f"http://{settings.host}:{settings.port}", world.load.token) as client:
        made = await client.upload_file(file, f"upload-of-faults-{uuid.uuid4().hex}", patience_seconds=PATIENCE_SECONDS)
        seconds = loop.time() - began
        target = file.with_suffix(".back")
        await client.download_file(made["file_id"], target)
    if hashlib.sha256(target.read_bytes()).digest() != hashlib.sha256(content).digest():
        raise RuntimeError("the file that came back is not the one that was uploaded")
    return f"the upload of {FILE_BYTES // _MIB} MiB took {seconds:.1f} s, and is whole"


async def client_never_reads(world: World) -> str:
    """Open a WebSocket that never reads, while many messages come for it."""
    run, settings = world.load, world.settings
    before = _resident_mib(world)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(deaf.connect, (settings.host, settings.port))
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /notifications?token={run.token} HTTP/1.1\r\nHost: {settings.host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        await asyncio.to_thread(deaf.sendall, request.encode())
        load = Load(run, world.more_orders(), BURST_PER_SECOND / 3)
        loading = asyncio.create_task(load.go_on())
        await asyncio.sleep(UNREAD_SECONDS)
        load.is_over = True
        await loading
    grown = max(0.0, _resident_mib(world) - before)
    return f"{load.answers[202]} more messages; both API processes together grew by {grown:.0f} MiB"


def _resident_mib(world: World) -> float:
    return sum(psutil.Process(api.pid).memory_info().rss for api in world.system.apis) / _MIB


def times_the_load(factor: float, seconds: float) -> Act:
    """Send ``factor`` times the load besides."""

    async def act(world: World) -> str:
        load = Load(world.load, world.more_orders(), 20.0 * factor)
        loading = asyncio.create_task(load.go_on())
        await asyncio.sleep(seconds)
        load.is_over = True
        await loading
        others = {status: count for status, count in load.answers.items() if status != 202}
        return f"{load.answers[202]} more messages in {seconds:.0f} s" + (
            f", other answers: {others}" if others else ""
        )

    return act
