"""What tests of uploads have in common: the requests of tus 1.0.0, and what must come of them."""

from __future__ import annotations

import asyncio
import hashlib
import random
from base64 import b64encode
from typing import Any

from fakes.file_store import SMALL_PART
from support.api import Api
from support.waiting import until
from web.uploads.tus import OFFSET_STREAM

TUS = {"Tus-Resumable": "1.0.0"}
SIZE = 3 * SMALL_PART
SENT = SMALL_PART * 2 + 1_000


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def metadata(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def checksum_header(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return {"Upload-Checksum": f"{algorithm} {b64encode(digest).decode()}"}


async def begin(api: Api, token: str, size: int, data: bytes | None = None, **more: str) -> str:
    """Return the path of a new upload."""
    values = {"filename": "film.bin", "conversation_id": "c-1", **more}
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(**values)}
    if data is not None:
        headers["Content-Type"] = OFFSET_STREAM
    answer = await api.call("POST", "/v1/uploads", token=token, headers=headers, data=data)
    assert answer.status == 201, await answer.text()
    return str(answer.headers["Location"])


async def append(api: Api, token: str, path: str, offset: int, data: object = b"", **headers: str) -> Any:
    more = {**TUS, "Content-Type": OFFSET_STREAM, "Upload-Offset": str(offset), **headers}
    return await api.call("PATCH", path, token=token, headers=more, data=data)


async def look(api: Api, token: str, path: str) -> Any:
    return await api.call("HEAD", path, token=token, headers=TUS)


async def offset_of(api: Api, token: str, path: str) -> int:
    answer = await look(api, token, path)
    assert answer.status == 200
    return int(answer.headers["Upload-Offset"])


async def is_the_file(api: Api, token: str, path: str, data: bytes) -> dict[str, Any]:
    """Return the file that the upload became, whose bytes are ``data``, and of which nothing else is left."""
    file_id = path.rpartition("/")[2]
    answer = await api.call("GET", f"/v1/files/{file_id}", token=token)
    assert answer.status == 200
    file = await answer.json()
    assert (file["size_bytes"], file["checksum"]) == (len(data), sha256(data))
    assert {key: stored for key, (stored, _) in api.file_store.objects.items()} == {file["storage_path"]: data}
    assert not api.file_store.uploads
    return dict(file)


def nothing_is_left(api: Api) -> bool:
    return not (api.file_store.objects or api.file_store.uploads or api.files.rows)


class Sender:
    """A client that has announced all that is left of an upload, and sends as much of it as it is told to."""

    def __init__(self, api: Api, token: str, path: str, offset: int = 0, **headers: str) -> None:
        self.api = api
        fields = {
            **TUS,
            "Content-Type": OFFSET_STREAM,
            "Upload-Offset": str(offset),
            "Host": "x",
            "Content-Length": str(SIZE - offset),
            "Authorization": f"Bearer {token}",
            **headers,
        }
        self._head = f"PATCH {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send the head and ``data``; return once the API has taken it."""
        received = self.api.services.metrics.file_bytes_received
        before = received.count
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        self._writer.write(f"{self._head}\r\n".encode() + data)
        await until(lambda: received.count == before + len(data))

    async def status(self) -> int:
        """Return the status of the answer."""
        line = await asyncio.wait_for(self._reader.readline(), 10)
        return int(line.split()[1])

    def send_more(self, data: bytes) -> None:
        self._writer.write(data)

    def vanish(self) -> None:
        self._writer.transport.abort()
