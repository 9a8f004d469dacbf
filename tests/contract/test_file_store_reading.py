"""FileStore: reading, and listing everything."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from domain.errors import NotFound
from domain.files import PART_BYTES, storage_key
from domain.ports import FileStore

pytestmark = pytest.mark.asyncio(loop_scope="module")
TYPE = "application/octet-stream"
DATA = secrets.token_bytes(PART_BYTES + 1_234_567)
SIZE = len(DATA)
READ_BYTES = 1024 * 1024


@pytest_asyncio.fixture(loop_scope="module")
async def store(files) -> FileStore:
    return files.store


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(files) -> AsyncIterator[str]:
    """The key of an object of two parts."""
    made = storage_key(f"c-{secrets.token_hex(4)}", secrets.token_hex(8), "a.bin")
    upload = await files.store.begin(made, TYPE)
    pieces = [DATA[:PART_BYTES], DATA[PART_BYTES:]]
    parts = [await files.store.put_part(made, upload, n, piece) for n, piece in enumerate(pieces, start=1)]
    await files.store.finish(made, upload, parts)
    yield made
    await files.store.discard(made)


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (0, None),
        (0, SIZE),
        (0, 1),
        (0, SIZE + 1),
        (1, None),
        (SIZE - 1, None),
        (SIZE - 1, 1),
        (SIZE - 1, 5),
        (PART_BYTES - 1, 2),
        (PART_BYTES, None),
        (100_000, 3_000_000),
        (0, 0),
        (5, 0),
        (SIZE, None),
        (SIZE, 0),
        (SIZE, 1),
        (SIZE + 1, None),
        (SIZE * 10, 10),
    ],
)
async def test_any_range_is_read_and_what_is_beyond_the_end_is_empty(store, key, start, length):
    chunks = [chunk async for chunk in store.read(key, start, length)]
    assert b"".join(chunks) == (DATA[start:] if length is None else DATA[start : start + length])
    assert all(0 < len(chunk) <= READ_BYTES for chunk in chunks)


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
async def test_a_negative_range_is_a_mistake(store, key, start, length):
    with pytest.raises(ValueError, match="negative"):
        await anext(store.read(key, start, length))


@pytest.mark.parametrize(("start", "length"), [(0, None), (5, 10), (0, 0), (7, 0)])
async def test_what_is_not_there_is_not_found_before_the_first_chunk(store, key, start, length):
    with pytest.raises(NotFound):
        await anext(store.read(f"{key}.2", start, length))


async def test_readers_who_stop_early_hold_nothing_up(store, key):
    for _ in range(300):  # more than any pool of connections or threads
        async with aclosing(store.read(key)) as chunks:
            assert DATA.startswith(await anext(chunks))
    assert b"".join([chunk async for chunk in store.read(key, SIZE - 9)]) == DATA[-9:]


async def test_an_object_that_is_being_read_can_be_discarded(store):
    made = storage_key(f"c-{secrets.token_hex(4)}", secrets.token_hex(8), "a.bin")
    await store.put(made, DATA[:PART_BYTES], TYPE)
    async with aclosing(store.read(made)) as chunks:
        assert DATA.startswith(await anext(chunks))
        await store.discard(made)
    with pytest.raises(NotFound):
        await anext(store.read(made))


async def test_everything_lists_objects_with_their_size_and_time(store, key):
    found = {one.key: one async for one in store.everything()}
    assert (found[key].size_bytes, found[key].is_whole) == (SIZE, True)
    assert abs(found[key].modified_at_ms - time.time() * 1000) < 120_000


async def test_everything_lists_more_than_a_page(store):
    keys = {storage_key("c-many", f"{number:04}", "a.txt") for number in range(1_050)}
    for made in keys:
        await store.put(made, b"x", TYPE)
    assert keys <= {one.key async for one in store.everything()}
    for made in keys:
        await store.discard(made)
