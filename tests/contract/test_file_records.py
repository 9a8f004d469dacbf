"""FileRecords, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace

import pytest

from domain.errors import StoreUnavailable
from domain.files import File, FileMetadata, storage_key
from domain.ports import FileRecords, Upload
from support.waiting import decided
from tests.contract.conftest import Stores

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW_MS = 1_767_225_600_123
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def records(stores: Stores) -> FileRecords:
    return stores.file_records


def an_upload(**given: object) -> Upload:
    values = {
        "upload_id": str(uuid.uuid4()),
        "conversation_id": "c-1",
        "uploader_id": "u-1",
        "filename": "relatório.pdf",
        "size_bytes": None,
        "started_at_ms": NOW_MS,
        "expires_at_ms": NOW_MS + DAY_MS,
    }
    return Upload(**(values | given))


def file_of(upload: Upload, **given: object) -> File:
    key = storage_key(upload.conversation_id, upload.upload_id, upload.filename)
    metadata = FileMetadata(upload.filename, 17, "application/pdf", f"sha256:{'ab' * 32}", key)
    values = {"conversation_id": upload.conversation_id, "uploader_id": upload.uploader_id, "metadata": metadata}
    return File(**({"file_id": upload.upload_id, "uploaded_at_ms": NOW_MS + 5} | values | given))


async def expired_among(records: FileRecords, uploads: list[Upload], now_ms: int) -> list[Upload]:
    ids = {upload.upload_id for upload in uploads}
    return [found async for found in records.expired(now_ms) if found.upload_id in ids]


async def test_an_upload_is_kept_as_it_was_begun_and_is_no_file(records):
    one = an_upload(
        size_bytes=2**31,
        offset_bytes=5,
        mimetype="text/plain",
        key="c/1",
        store_upload="s",
        expected_checksum="sha256:0",
        holder="api-1",
        held_until_ms=NOW_MS + 1,
    )
    plain = an_upload(filename="", conversation_id="")
    assert await records.upload(one.upload_id) is None
    for upload in (one, plain):
        await records.begin(upload)
        assert await records.upload(upload.upload_id) == upload
        assert await records.get(upload.upload_id) is None


async def test_beginning_again_changes_nothing(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    further = replace(one, offset_bytes=7)
    assert await records.save(further, holder="api-1") is True
    await records.begin(one)
    assert await records.upload(one.upload_id) == further


async def test_a_hold_is_taken_when_nobody_has_it_and_keeps_others_out_until_its_time_is_over(records):
    one = an_upload()
    await records.begin(one)
    taken = await records.acquire_lease(one.upload_id, "api-1", NOW_MS, NOW_MS + 100)
    assert taken == replace(one, holder="api-1", held_until_ms=NOW_MS + 100)
    assert await records.upload(one.upload_id) == taken
    assert await records.acquire_lease(one.upload_id, "api-2", NOW_MS + 99, NOW_MS + 500) is None
    assert await records.upload(one.upload_id) == taken
    other = await records.acquire_lease(one.upload_id, "api-2", NOW_MS + 100, NOW_MS + 500)
    assert other == replace(one, holder="api-2", held_until_ms=NOW_MS + 500)
    assert await records.acquire_lease(one.upload_id, "api-1", NOW_MS + 101, NOW_MS + 501) is None


async def test_the_holder_renews_its_hold_also_after_its_time_if_nobody_took_it(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    for now_ms in (NOW_MS, NOW_MS + 50, NOW_MS + 2 * DAY_MS):
        taken = await records.acquire_lease(one.upload_id, "api-1", now_ms, now_ms + 10)
        assert taken == replace(one, held_until_ms=now_ms + 10)


async def test_a_hold_without_a_holder_is_a_mistake(records):
    one = an_upload()
    await records.begin(one)
    for take in (records.acquire_lease, records.acquire_expired_lease):
        with pytest.raises(ValueError, match="holder"):
            await take(one.upload_id, "", NOW_MS, NOW_MS + 1)
    assert await records.save(replace(one, offset_bytes=1), holder="") is False
    assert await records.finish(file_of(one), holder="") is False
    assert await records.forget(one.upload_id, holder="") is False
    assert await records.upload(one.upload_id) == one


async def test_of_ten_who_take_it_at_once_exactly_one_gets_it(records):
    one = an_upload(holder="gone", held_until_ms=NOW_MS - 1)
    await records.begin(one)

    async def take(number: int) -> Upload | None:
        return await decided(lambda: records.acquire_lease(one.upload_id, f"api-{number}", NOW_MS, NOW_MS + 1_000))

    taken = [found for found in await asyncio.gather(*map(take, range(10))) if found is not None]
    assert len(taken) == 1
    assert await records.upload(one.upload_id) == taken[0]


async def test_what_does_not_exist_cannot_be_taken_saved_or_finished_and_comes_not_into_being(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    assert await records.acquire_lease(one.upload_id, "api-1", NOW_MS, NOW_MS + 1) is None
    assert await records.acquire_expired_lease(one.upload_id, "api-1", NOW_MS, NOW_MS + 1) is None
    assert await records.save(one, holder="api-1") is False
    assert await records.finish(file_of(one), holder="api-1") is False
    assert await records.forget(one.upload_id, holder="api-1") is True
    assert await records.upload(one.upload_id) is None
    assert await records.get(one.upload_id) is None


async def test_the_holder_saves_all_that_changes(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    changed = replace(
        one,
        conversation_id="c-2",
        uploader_id="u-2",
        filename="b.txt",
        size_bytes=9,
        expires_at_ms=NOW_MS + 7,
        offset_bytes=8,
        mimetype="text/plain",
        key="c-2/x.txt",
        store_upload="s-1",
        expected_checksum="sha256:1",
        held_until_ms=NOW_MS + 77,
    )
    for _ in range(2):  # the answer to the first may have been lost
        assert await records.save(changed, holder="api-1") is True
        assert await records.upload(one.upload_id) == changed
    assert await records.save(one, holder="api-2") is False
    assert await records.upload(one.upload_id) == changed


async def test_a_save_without_a_holder_lets_the_hold_go_and_may_be_repeated(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1_000)
    await records.begin(one)
    free = replace(one, offset_bytes=3, holder="")
    for _ in range(2):
        assert await records.save(free, holder="api-1") is True
        assert await records.upload(one.upload_id) == replace(free, held_until_ms=0)
    assert await records.save(replace(free, offset_bytes=4), holder="api-1") is False
    taken = await records.acquire_lease(one.upload_id, "api-2", NOW_MS, NOW_MS + 5)
    assert taken == replace(free, holder="api-2", held_until_ms=NOW_MS + 5)
    assert await records.save(free, holder="api-1") is False


async def test_a_finished_upload_is_a_file_and_an_upload_no_more(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    file = file_of(one)
    for _ in range(2):  # the answer to the first may have been lost
        assert await records.finish(file, holder="api-1") is True
        assert await records.get(one.upload_id) == file
        assert await records.upload(one.upload_id) is None
    assert await records.finish(replace(file, uploader_id="u-2"), holder="api-1") is False
    assert await records.finish(file, holder="api-2") is True  # it is this very file
    assert await records.get(one.upload_id) == file


async def test_a_file_is_never_taken_changed_or_forgotten(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    file = file_of(one)
    assert await records.finish(file, holder="api-1") is True
    late = NOW_MS + 30 * DAY_MS
    await records.begin(one)
    for holder in ("api-1", "api-2", ""):
        assert await records.save(one, holder=holder) is False
        assert await records.forget(one.upload_id, holder=holder) is False
    for holder in ("api-1", "api-2"):
        assert await records.acquire_lease(one.upload_id, holder, late, late + 1) is None
        assert await records.acquire_expired_lease(one.upload_id, holder, late, late + 1) is None
    assert await expired_among(records, [one], late) == []
    assert await records.get(one.upload_id) == file


async def test_a_deleted_file_stays_on_record_and_is_deleted_once(records):
    upload = an_upload(holder="h", held_until_ms=NOW_MS + HOUR_MS)
    file = file_of(upload)
    await decided(lambda: records.begin(upload))
    assert await decided(lambda: records.delete(upload.upload_id, NOW_MS)) is None
    assert await records.upload(upload.upload_id) == upload
    assert await decided(lambda: records.finish(file, holder="h"))
    deleted = replace(file, deleted_at_ms=NOW_MS + 9)
    assert await decided(lambda: records.delete(file.file_id, NOW_MS + 9)) == deleted
    assert await decided(lambda: records.delete(file.file_id, NOW_MS + 99)) == deleted
    assert await records.get(file.file_id) == await records.find(file.file_id) == deleted
    assert deleted in [one async for one in records.files()]
    assert await decided(lambda: records.acquire_lease(file.file_id, "x", NOW_MS, NOW_MS + DAY_MS)) is None
    assert not await decided(lambda: records.forget(file.file_id, holder="h"))


async def test_what_does_not_exist_cannot_be_deleted_and_comes_not_into_being(records):
    for odd in (str(uuid.uuid4()), "", "x" * 70_000):
        assert await decided(lambda odd=odd: records.delete(odd, NOW_MS)) is None
        assert await records.find(odd) is None


async def test_what_stands_under_an_id_is_found_whatever_it_is(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    assert await records.find(one.upload_id) is None
    await records.begin(one)
    assert await records.find(one.upload_id) == one
    await records.finish(file_of(one), holder="api-1")
    assert await records.find(one.upload_id) == file_of(one)


async def test_all_files_are_listed_and_no_upload_is_among_them(records):
    uploads = [an_upload(holder="api-1", held_until_ms=NOW_MS + 1) for _ in range(120)]
    for start in range(0, len(uploads), 10):
        await asyncio.gather(*(decided(lambda one=one: records.begin(one)) for one in uploads[start : start + 10]))
    whole, under_way = uploads[:110], {upload.upload_id for upload in uploads[110:]}
    for start in range(0, len(whole), 10):
        finishes = (lambda one=one: records.finish(file_of(one), holder="api-1") for one in whole[start : start + 10])
        await asyncio.gather(*map(decided, finishes))
    listed = [file async for file in records.files()]
    assert len(listed) == len({file.file_id for file in listed})
    assert {file_of(upload).file_id for upload in whole} <= {file.file_id for file in listed}
    assert [file for file in listed if file.file_id in under_way] == []


async def test_the_records_have_one_identity_for_ever(records):
    found = {await decided(records.identity) for _ in range(3)}
    found |= set(await asyncio.gather(*(decided(records.identity) for _ in range(5))))
    assert len(found) == 1
    assert uuid.UUID(found.pop())


async def test_a_file_of_no_bytes_is_a_file(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    file = file_of(one)
    empty = replace(file, metadata=replace(file.metadata, size_bytes=0))
    assert await records.finish(empty, holder="api-1") is True
    assert await records.get(one.upload_id) == empty


async def test_who_slept_past_its_hold_can_neither_save_nor_finish_nor_forget_nor_renew_once_another_took_it(records):
    one = an_upload(holder="sleeper", held_until_ms=NOW_MS + 10)
    await records.begin(one)
    taken = await records.acquire_lease(one.upload_id, "api-2", NOW_MS + 10, NOW_MS + 20)
    assert taken is not None
    assert await records.save(replace(one, offset_bytes=5), holder="sleeper") is False
    assert await records.finish(file_of(one), holder="sleeper") is False
    assert await records.forget(one.upload_id, holder="sleeper") is False
    assert await records.acquire_lease(one.upload_id, "sleeper", NOW_MS + 11, NOW_MS + 30) is None
    assert await records.upload(one.upload_id) == taken
    assert await records.finish(file_of(one), holder="api-2") is True


async def test_who_slept_past_its_hold_finishes_if_nobody_took_it(records):
    one = an_upload(holder="sleeper", held_until_ms=NOW_MS - DAY_MS, expires_at_ms=NOW_MS - DAY_MS)
    await records.begin(one)
    assert await records.finish(file_of(one), holder="sleeper") is True
    assert await records.get(one.upload_id) == file_of(one)


async def test_of_finishing_and_sweeping_at_once_one_wins(records):
    for _ in range(5):
        one = an_upload(holder="api-1", held_until_ms=NOW_MS - 1, expires_at_ms=NOW_MS - 1)
        await records.begin(one)
        finish = decided(lambda: records.finish(file_of(one), holder="api-1"))  # noqa: B023 (awaited right here)
        take = decided(lambda: records.acquire_expired_lease(one.upload_id, "sweeper", NOW_MS, NOW_MS + 9))  # noqa: B023
        finished, taken = await asyncio.gather(finish, take)
        assert finished is (taken is None)
        assert (await records.get(one.upload_id) is not None) is finished


async def test_an_expired_upload_is_for_the_sweeper_alone_and_for_ever(records):
    one = an_upload(expires_at_ms=NOW_MS)
    await records.begin(one)
    assert await records.acquire_lease(one.upload_id, "api-1", NOW_MS, NOW_MS + 10) is None
    assert await records.acquire_expired_lease(one.upload_id, "sweeper-1", NOW_MS - 1, NOW_MS + 10) is None
    taken = await records.acquire_expired_lease(one.upload_id, "sweeper-1", NOW_MS, NOW_MS + 10)
    assert taken == replace(one, holder="sweeper-1", held_until_ms=NOW_MS + 10)
    # the sweeper sleeps
    assert await records.acquire_expired_lease(one.upload_id, "sweeper-2", NOW_MS + 9, NOW_MS + 50) is None
    for now_ms in (NOW_MS - HOUR_MS, NOW_MS + 9, NOW_MS + 10, NOW_MS + DAY_MS):  # whatever its clock says
        assert await records.acquire_lease(one.upload_id, "api-1", now_ms, now_ms + 10) is None
    assert await records.acquire_expired_lease(one.upload_id, "sweeper-2", NOW_MS + 10, NOW_MS + 50) is not None
    assert await records.forget(one.upload_id, holder="sweeper-1") is False
    assert await records.forget(one.upload_id, holder="sweeper-2") is True


async def test_an_upload_in_time_is_not_for_the_sweeper(records):
    one = an_upload()
    await records.begin(one)
    assert await records.acquire_expired_lease(one.upload_id, "sweeper", NOW_MS, NOW_MS + 10) is None
    assert await records.upload(one.upload_id) == one


async def test_a_forgotten_upload_is_gone_and_may_be_forgotten_again(records):
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    assert await records.forget(one.upload_id, holder="api-2") is False
    for _ in range(2):  # the answer to the first may have been lost
        assert await records.forget(one.upload_id, holder="api-1") is True
        assert await records.upload(one.upload_id) is None
    assert await records.save(one, holder="api-1") is False
    assert await records.finish(file_of(one), holder="api-1") is False
    assert await expired_among(records, [one], NOW_MS + 9 * DAY_MS) == []


async def test_the_sweeper_is_shown_exactly_those_that_have_expired_and_are_held_by_nobody(records):
    past = {"started_at_ms": NOW_MS - 3 * DAY_MS, "expires_at_ms": NOW_MS - 2 * DAY_MS}
    abandoned = an_upload(**past)
    long_ago = an_upload(started_at_ms=NOW_MS - 400 * DAY_MS, expires_at_ms=NOW_MS - 399 * DAY_MS)
    just_now = an_upload(expires_at_ms=NOW_MS)
    crashed = an_upload(**past, holder="api-1", held_until_ms=NOW_MS)
    in_time = an_upload(expires_at_ms=NOW_MS + 1)
    held = an_upload(**past, holder="api-1", held_until_ms=NOW_MS + 1)
    finished = an_upload(**past, holder="api-1", held_until_ms=NOW_MS)
    forgotten = an_upload(**past, holder="api-1", held_until_ms=NOW_MS)
    uploads = [abandoned, long_ago, just_now, crashed, in_time, held, finished, forgotten]
    for upload in uploads:
        await records.begin(upload)
    await records.finish(file_of(finished), holder="api-1")
    await records.forget(forgotten.upload_id, holder="api-1")
    for _ in range(2):
        found = await expired_among(records, uploads, NOW_MS)
        assert sorted(found, key=lambda upload: upload.upload_id) == sorted(
            [abandoned, long_ago, just_now, crashed], key=lambda upload: upload.upload_id
        )
    later = await expired_among(records, uploads, NOW_MS + 1)
    assert {upload.upload_id for upload in later} == {
        upload.upload_id for upload in (abandoned, long_ago, just_now, crashed, in_time, held)
    }


async def test_the_sweeper_is_shown_more_than_a_page_of_them(records):
    uploads = [an_upload(started_at_ms=NOW_MS - 9 * DAY_MS, expires_at_ms=NOW_MS - 8 * DAY_MS) for _ in range(230)]
    for start in range(0, len(uploads), 10):
        await asyncio.gather(*(decided(lambda one=one: records.begin(one)) for one in uploads[start : start + 10]))
    found = [upload.upload_id for upload in await expired_among(records, uploads, NOW_MS)]
    assert sorted(found) == sorted(upload.upload_id for upload in uploads)


@pytest.mark.parametrize("odd", ["", "\ud800", "'; DROP TABLE files; --", "x" * 70_000])
async def test_a_file_that_cannot_be_is_not_found(records, odd):
    upload = replace(an_upload(), upload_id=odd)
    assert await records.get(odd) is None
    assert await records.find(odd) is None
    assert await records.upload(odd) is None
    assert await records.acquire_lease(odd, "api-1", NOW_MS, NOW_MS + 1) is None
    assert await records.acquire_expired_lease(odd, "api-1", NOW_MS, NOW_MS + 1) is None
    assert await records.save(upload, holder="api-1") is False
    assert await records.finish(file_of(upload), holder="api-1") is False
    assert await records.forget(odd, holder="api-1") is True


async def test_an_outage_is_told_quickly(stores):
    records = stores.file_records
    one = an_upload(holder="api-1", held_until_ms=NOW_MS + 1)
    await records.begin(one)
    await stores.off()

    async def sweep() -> list[Upload]:
        return [found async for found in records.expired(NOW_MS)]

    async def check() -> list[File]:
        return [found async for found in records.files()]

    try:
        for call in (
            lambda: records.begin(an_upload()),
            lambda: records.upload(one.upload_id),
            lambda: records.get(one.upload_id),
            lambda: records.acquire_lease(one.upload_id, "api-1", NOW_MS, NOW_MS + 1),
            lambda: records.acquire_expired_lease(one.upload_id, "api-1", NOW_MS, NOW_MS + 1),
            lambda: records.save(one, holder="api-1"),
            lambda: records.finish(file_of(one), holder="api-1"),
            lambda: records.forget(one.upload_id, holder="api-1"),
            lambda: records.find(one.upload_id),
            records.identity,
            sweep,
            check,
        ):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await call()
            assert time.monotonic() - began < 3
    finally:
        await stores.on()
