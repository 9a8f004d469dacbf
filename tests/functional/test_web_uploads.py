"""Uploads that can be resumed, over HTTP and against fakes: what each request is answered, and what is kept."""

from __future__ import annotations

import hashlib
import random
from base64 import b64encode
from typing import Any

import pytest

from domain.files import PART_BYTES
from web.uploads.tus import OFFSET_STREAM

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": OFFSET_STREAM}
HOUR_MS = 3_600_000


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def metadata(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def checksum_header(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return {"Upload-Checksum": f"{algorithm} {b64encode(digest).decode()}"}


async def begin(api: Any, token: str, size: int, data: bytes | None = None, **more: str) -> str:
    """Return the path of a new upload."""
    values = {"filename": "film.bin", "conversation_id": "c-1", **more}
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(**values)}
    if data is not None:
        headers["Content-Type"] = OFFSET_STREAM
    answer = await api.call("POST", "/v1/uploads", token=token, headers=headers, data=data)
    assert answer.status == 201, await answer.text()
    return str(answer.headers["Location"])


async def append(api: Any, token: str, path: str, offset: int, data: Any = b"", **headers: str) -> Any:
    more = {**PATCH, "Upload-Offset": str(offset), **headers}
    return await api.call("PATCH", path, token=token, headers=more, data=data)


async def look(api: Any, token: str, path: str) -> Any:
    return await api.call("HEAD", path, token=token, headers=TUS)


async def offset_of(api: Any, token: str, path: str) -> int:
    answer = await look(api, token, path)
    assert answer.status == 200
    return int(answer.headers["Upload-Offset"])


async def is_the_file(api: Any, token: str, path: str, data: bytes) -> dict[str, Any]:
    """Return the file that the upload became, whose bytes are ``data``, and of which nothing else is left."""
    file_id = path.rpartition("/")[2]
    answer = await api.call("GET", f"/v1/files/{file_id}", token=token)
    assert answer.status == 200
    file = await answer.json()
    assert (file["size_bytes"], file["checksum"]) == (len(data), sha256(data))
    assert {key: stored for key, (stored, _) in api.file_store.objects.items()} == {file["storage_path"]: data}
    assert not api.file_store.uploads
    return dict(file)


def nothing_is_left(api: Any) -> bool:
    return not (api.file_store.objects or api.file_store.uploads or api.files.rows)


@pytest.mark.parametrize("size", [0, 1, 1_000, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7])
async def test_an_upload_in_one_request_becomes_a_file(api: Any, size: int) -> None:
    token, data = await api.somebody(), some_bytes(size)
    path = await begin(api, token, size)
    if size:
        answer = await append(api, token, path, 0, data)
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(size))
        assert answer.headers["Tus-Resumable"] == "1.0.0"
    file = await is_the_file(api, token, path, data)
    assert file["filename"] == "film.bin"
    assert await offset_of(api, token, path) == size


@pytest.mark.parametrize(
    "pieces",
    [[1, 1, 1], [PART_BYTES - 1, 1, 1], [PART_BYTES, PART_BYTES], [PART_BYTES, 1], [1, PART_BYTES * 2, PART_BYTES],
     [PART_BYTES + 5, PART_BYTES - 5, 3], [100] * 5 + [PART_BYTES * 2 + 100]],
)  # fmt: skip
async def test_any_pieces_make_the_whole(api: Any, pieces: list[int]) -> None:
    token, data = await api.somebody(), some_bytes(sum(pieces))
    path, offset = await begin(api, token, len(data)), 0
    for size in pieces:
        answer = await append(api, token, path, offset, data[offset : offset + size])
        offset += size
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(offset))
        assert await offset_of(api, token, path) == offset
    await is_the_file(api, token, path, data)


async def test_a_first_part_may_come_with_the_creation(api: Any) -> None:
    token, data = await api.somebody(), some_bytes(5_000)
    path = await begin(api, token, 5_000, data[:3_000])
    assert await offset_of(api, token, path) == 3_000
    assert (await append(api, token, path, 3_000, data[3_000:])).status == 204
    await is_the_file(api, token, path, data)
    api.file_store.objects.clear()
    await is_the_file(api, token, await begin(api, token, 5_000, data), data)
