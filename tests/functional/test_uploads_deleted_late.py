"""Who deletes an upload that others may go on with, and sleeps in the middle of it."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from domain.errors import FileStoreUnavailable
from domain.files import incomplete_part_key, storage_key
from domain.ports import Upload
from fakes.file_records import MemoryFileRecords
from fakes.file_store import SMALL_PART, MemoryFileStore
from web.uploads.completing import destroy
from web.uploads.lease import Lease

NOW_MS = 1_900_000_000_000
DAY_MS = 86_400_000


class World:
    """An upload that somebody is about to delete."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.files, self.file_store = MemoryFileRecords(), MemoryFileStore()
        self.hashes = SimpleNamespace(forget=lambda upload_id: None)

    async def lease(self) -> Lease:
        upload_id, size = str(uuid.uuid4()), SMALL_PART + 5
        key = storage_key("c-1", upload_id, "a.bin")
        name = await self.file_store.begin(key, "text/plain")
        await self.file_store.put_part(key, name, 1, bytes(SMALL_PART))
        await self.file_store.put(incomplete_part_key(upload_id, size), b"tail!", "text/plain")
        await self.files.begin(
            Upload(upload_id, "c-1", "u-1", "a.bin", 2 * size, NOW_MS, NOW_MS + DAY_MS, size, "", key, name)
        )
        taken = await self.files.acquire_lease(upload_id, "deleter", NOW_MS, NOW_MS + 30_000)
        assert taken is not None
        return Lease(self.files, taken, 30.0, lambda: self.now_ms, lives_on=True)

    async def can_be_taken_up(self, upload_id: str) -> bool:
        times = (self.now_ms, self.now_ms + 30_000, self.now_ms + 30_001, self.now_ms + DAY_MS - 60_000)
        return any([await self.files.acquire_lease(upload_id, "another", at, at + 1) for at in times])


@pytest.fixture
def world() -> World:
    return World()


async def test_nobody_takes_up_an_upload_while_who_deletes_it_sleeps(world: World) -> None:
    lease = await world.lease()
    discard, taken_up = world.file_store.discard, []

    async def sleepy(key: str) -> None:
        taken_up.append(await world.can_be_taken_up(lease.upload.upload_id))
        await discard(key)

    world.file_store.discard = sleepy
    await destroy(world, lease, lease.upload.offset_bytes)
    assert taken_up == [False, False]
    assert world.files.rows == world.file_store.objects == world.file_store.uploads == {}


async def test_what_could_not_be_deleted_is_for_the_sweeper_alone(world: World) -> None:
    lease = await world.lease()
    world.file_store.available = False
    with pytest.raises(FileStoreUnavailable):
        await destroy(world, lease, lease.upload.offset_bytes)
    await lease.release()
    assert not await world.can_be_taken_up(lease.upload.upload_id)
    assert [found.upload_id async for found in world.files.expired(world.now_ms)] == [lease.upload.upload_id]
