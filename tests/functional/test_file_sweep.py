"""The sweep of files, on fakes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from domain.errors import FileStoreUnavailable
from domain.file_sweeping import OWNER_KEY
from domain.files import incomplete_part_key, staging_key, storage_key
from domain.ports import Upload
from support.file_world import DAY_MS, HOUR_MS, TYPE
from support.file_world import FilesToSweep as World


@pytest.fixture
def world() -> World:
    return World()


async def test_of_an_upload_that_nobody_finished_nothing_is_left(world: World) -> None:
    await world.upload()
    await world.upload(key="", store_upload="", offset_bytes=0)
    file = await world.file()
    report = await world.swept()
    # two orphans: the row of the second one knew nothing of its parts and its tail yet
    assert (report.uploads_swept, report.objects_swept, report.failures) == (2, 2, [])
    assert world.records.rows == {file.file_id: file}
    assert list(world.objects) == [file.metadata.storage_path]
    assert world.store.uploads == {}
    again = await world.swept()
    assert (again.uploads_swept, again.objects_swept, again.failures) == (0, 0, [])


async def test_an_upload_in_time_and_one_that_somebody_holds_are_left_alone(world: World) -> None:
    uploads = [
        await world.upload(expires_at_ms=world.now_ms + 1),
        await world.upload(holder="api", held_until_ms=world.now_ms + 1),
    ]
    objects = dict(world.objects)
    report = await world.swept()
    assert (report.uploads_swept, report.objects_swept, report.failures) == (0, 0, [])
    assert list(world.records.rows.values()) == uploads
    assert world.objects == objects
    assert len(world.store.uploads) == 2


async def test_what_somebody_takes_just_before_the_sweeper_does_is_left_alone(world: World) -> None:
    upload = await world.upload()
    listed = world.records.expired

    async def expired(now_ms: int) -> AsyncIterator[Upload]:
        async for one in listed(now_ms):
            world.records.rows[one.upload_id] = replace(one, expires_at_ms=now_ms + DAY_MS)
            yield one

    world.records.expired = expired  # type: ignore[method-assign]
    report = await world.swept()
    assert (report.uploads_swept, report.uploads_busy) == (0, 1)
    assert upload.upload_id in world.records.rows
    assert len(world.store.uploads) == 1


async def test_the_row_stays_for_the_next_sweep_while_the_store_is_away(world: World) -> None:
    upload = await world.upload()
    world.store.available = False
    report = await world.swept()
    assert report.uploads_swept == 0
    assert any("switched off" in failure for failure in report.failures)
    assert upload.upload_id in world.records.rows
    world.store.available = True
    world.now_ms += HOUR_MS  # the lease of the first sweep is over
    report = await world.swept()
    assert (report.uploads_swept, report.failures) == (1, [])
    assert world.records.rows == world.objects == {}


async def test_a_store_that_is_away_is_not_asked_for_every_upload(world: World) -> None:
    for _ in range(60):
        await world.upload(key="", store_upload="")
    world.store.failing.add("discard")
    sweep = world.sweep()
    await sweep.uploads()
    assert 16 <= len(sweep.report.failures) <= 24
    assert len(world.records.rows) == 60


async def test_one_upload_that_cannot_be_cleared_away_does_not_hold_up_the_others(world: World) -> None:
    uploads = [await world.upload() for _ in range(30)]
    discard = world.store.discard

    async def all_but_one(key: str) -> None:
        if uploads[0].upload_id in key:
            raise FileStoreUnavailable("this one is stuck")
        await discard(key)

    world.store.discard = all_but_one  # type: ignore[method-assign]
    sweep = world.sweep()
    await sweep.uploads()
    assert sweep.report.uploads_swept == 29
    assert sweep.report.failures == ["an upload was not cleared away: this one is stuck"]
    assert list(world.records.rows) == [uploads[0].upload_id]


async def test_while_the_database_is_away_nothing_is_discarded(world: World) -> None:
    await world.upload()
    objects = dict(world.objects)
    world.records.available = False
    report = await world.swept()
    assert report.failures
    assert world.objects == objects


async def test_what_belongs_to_no_row_is_discarded_when_it_is_old_enough(world: World) -> None:
    file = await world.file()
    upload = await world.upload(expires_at_ms=world.now_ms + DAY_MS)
    gone = str(uuid.uuid4())
    for key in (
        storage_key("family", gone, ""),
        staging_key(gone),
        incomplete_part_key(gone, 9),
        staging_key(file.file_id),
    ):
        await world.store.put(key, b"orphan", TYPE)
    await world.store.begin(storage_key("other", gone, ".txt"), TYPE)
    await world.store.put("notes/readme.txt", b"somebody else's", TYPE)
    expected = {
        file.metadata.storage_path,
        incomplete_part_key(upload.upload_id, upload.offset_bytes),
        "notes/readme.txt",
    }
    since = min(since for _, since in world.objects.values())
    world.now_ms, now_ms = since + DAY_MS - 1, world.now_ms
    report = await world.swept()
    assert (report.objects_swept, report.failures) == (0, [])
    world.now_ms = now_ms
    report = await world.swept()
    assert (report.objects_swept, report.objects_foreign, report.failures) == (5, 1, [])
    assert set(world.objects) == expected
    assert [known.key for known in world.store.uploads.values()] == [upload.key]


async def test_an_unfinished_upload_beside_the_whole_file_goes_and_the_file_stays(world: World) -> None:
    file = await world.file()
    await world.store.begin(file.metadata.storage_path, TYPE)
    report = await world.swept()
    assert (report.objects_swept, report.failures) == (1, [])
    assert world.store.uploads == {}
    assert await world.store.size(file.metadata.storage_path) == 5


async def test_when_most_rows_are_missing_nothing_is_discarded_unless_the_operator_says_so(world: World) -> None:
    files = [await world.file() for _ in range(30)]
    for file in files[:25]:
        del world.records.rows[file.file_id]
    report = await world.swept()
    assert report.objects_swept == 0
    assert "25 objects belong to no file and 5 do" in report.failures[0]
    assert len(world.objects) == 30
    report = await world.swept(believing=True)
    assert (report.objects_swept, report.failures) == (25, [])
    assert len(world.objects) == 5


async def test_a_store_that_bears_the_mark_of_another_database_keeps_what_it_has(world: World) -> None:
    file = await world.file()
    assert (await world.swept()).failures == []
    other = World()
    other.store = world.store
    abandoned = await other.upload()
    report = await other.swept()
    assert "the mark of another database" in report.failures[0]
    assert (report.uploads_swept, report.objects_swept) == (1, 0)  # its own uploads are its own
    assert list(world.objects) == [file.metadata.storage_path]
    assert (await world.swept()).failures == []
    report = await other.swept(believing=True)
    assert (report.objects_swept, report.failures) == (1, [])
    assert abandoned.upload_id not in other.records.rows
    assert "the mark of another database" in (await world.swept()).failures[0]


async def test_a_dry_run_makes_no_mark(world: World) -> None:
    await world.swept(dry_run=True)
    assert world.store.objects == {}
    await world.swept()
    assert list(world.store.objects) == [OWNER_KEY]


async def test_a_dry_run_counts_and_changes_nothing(world: World) -> None:
    await world.upload()
    await world.store.put(staging_key(str(uuid.uuid4())), b"orphan", TYPE)
    rows, objects, uploads = dict(world.records.rows), dict(world.objects), dict(world.store.uploads)
    report = await world.swept(dry_run=True)
    assert (report.uploads_swept, report.objects_swept) == (1, 1)
    assert (world.records.rows, world.objects, world.store.uploads) == (rows, objects, uploads)


async def test_a_file_without_its_object_or_with_another_size_is_reported_and_stays(world: World) -> None:
    well, missing, short = [await world.file() for _ in range(3)]
    await world.store.discard(missing.metadata.storage_path)
    await world.store.put(short.metadata.storage_path, b"shor", TYPE)
    sweep = world.sweep()
    await sweep.check()
    assert (sweep.report.files_checked, sweep.report.files_damaged) == (3, 2)
    assert set(sweep.report.damaged) == {missing.file_id, short.file_id}
    assert set(world.records.rows) == {well.file_id, missing.file_id, short.file_id}


async def test_several_sweepers_at_once_are_no_harm(world: World) -> None:
    for _ in range(20):
        await world.upload()
    reports = await asyncio.gather(*(world.swept() for _ in range(3)))
    assert sum(report.uploads_swept for report in reports) == 20
    assert all(report.failures == [] for report in reports)
    assert world.records.rows == world.objects == world.store.uploads == {}


async def test_what_is_left_of_a_deleted_file_goes_and_its_row_stays(world: World) -> None:
    deleted, kept = await world.file(), await world.file()
    marked = await world.records.delete(deleted.file_id, world.now_ms)
    report = await world.swept()
    assert (report.objects_swept, report.failures) == (1, [])
    assert list(world.objects) == [kept.metadata.storage_path]
    assert world.records.rows[deleted.file_id] == marked
    check = world.sweep()
    await check.check()
    assert (check.report.files_checked, check.report.files_damaged) == (1, 0)


async def test_many_deleted_files_do_not_look_like_rows_that_are_missing(world: World) -> None:
    for _ in range(40):
        await world.records.delete((await world.file()).file_id, world.now_ms)
    report = await world.swept()
    assert (report.objects_swept, report.failures) == (40, [])
    assert world.objects == {}
