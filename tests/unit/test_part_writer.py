"""The bytes of an upload become parts of one size, however small the pieces in which they come."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.file_store import MemoryFileStore
from web.uploads.part_writer import PartSlots, PartWriter

PART = 256 * 1024
KEY = "file"


@pytest.mark.parametrize("piece", [1, 2, 1000, 16 * 1024 - 1, 16 * 1024, PART - 1, PART, PART + 1, 3 * PART])
async def test_pieces_of_any_size_become_the_same_parts(piece: int) -> None:
    store, digest = MemoryFileStore(part_bytes=PART), hashlib.sha256()
    content = (bytes(range(256)) * (2 * PART // 256))[: 2 * PART + (0 if piece < 100 else 7)]
    upload = await store.begin(KEY, "text/plain")

    async def begun() -> str:
        return upload

    with ThreadPoolExecutor(1) as threads:
        writer = PartWriter(store, KEY, begun, PartSlots(2), threads, checksum=digest)
        for start in range(0, len(content), piece):
            await writer.write(content[start : start + piece])
        await writer.hash_rest()
        parts = await writer.flush()
    assert [part.size_bytes for part in parts[:2]] == [PART, PART]
    assert sum(part.size_bytes for part in parts) == len(content)
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


async def test_single_bytes_are_gathered_in_few_objects() -> None:
    store = MemoryFileStore(part_bytes=PART)

    async def begun() -> str:
        return "u"

    with ThreadPoolExecutor(1) as threads:
        writer = PartWriter(store, KEY, begun, PartSlots(2), threads)
        for _ in range(PART // 2):
            await writer.write(b"x")
        assert len(writer._pieces) <= PART // (16 * 1024)
        assert writer.waiting == b"x" * (PART // 2)
