"""What breaks off in a change of the records of files: nothing is lost to the sweeper, and nothing kept for it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any

import pytest
import pytest_asyncio

from domain.errors import StoreUnavailable
from domain.files import File, FileMetadata
from domain.ports import Upload
from storage.cassandra.driver_session import Access, CassandraConfig
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.session import CassandraSession

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
NOW_MS = 1_767_225_600_123
DAY_MS = 86_400_000


class Breaking(CassandraSession):
    """Does so many statements, and does the next one and loses its answer, or does not do it."""

    left: int | None = None
    does_the_last = False

    async def run(self, cql: str, values: Sequence[Any], kind: Access) -> list[Any]:
        if self.left is None:
            return await super().run(cql, values, kind)
        self.left -= 1
        if self.left < 0:
            if self.left == -1 and self.does_the_last:
                await super().run(cql, values, kind)
            raise StoreUnavailable("broken off")
        return await super().run(cql, values, kind)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(cassandra: CassandraConfig) -> AsyncIterator[Breaking]:
    async with Breaking(cassandra) as opened:
        await opened.connected(30)
        yield opened


@pytest.fixture(params=[(n, does) for n in range(6) for does in (False, True)], ids=str)
def broken(request: pytest.FixtureRequest, session: Breaking) -> Any:
    """Arms the session: ``with broken: …`` breaks off, or does all if there are fewer statements."""

    class Break:
        def __enter__(self) -> None:
            session.left, session.does_the_last = request.param

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> bool:
            session.left = None
            return kind is StoreUnavailable

    return Break()


def an_upload() -> Upload:
    return Upload(
        str(uuid.uuid4()), "c-1", "u-1", "a.pdf", None, NOW_MS, NOW_MS + 10, holder="api-1", held_until_ms=NOW_MS + 10
    )


def file_of(upload: Upload) -> File:
    return File(upload.upload_id, "c-1", "u-1", FileMetadata("a.pdf", 1, "application/pdf", "sha256:x", "c/1"), NOW_MS)


async def shown(records: CassandraFileRecords, upload: Upload, now_ms: int) -> list[Upload]:
    return [found async for found in records.expired(now_ms) if found.upload_id == upload.upload_id]


async def noted(session: Breaking, upload: Upload) -> bool:
    cql = "SELECT upload_id FROM {ks}.open_uploads WHERE hour = ? AND upload_id = ?"
    return bool(await session.run(cql, (upload.started_at_ms // 3_600_000, upload.upload_id), Access.READ))


async def test_a_begin_that_breaks_off_leaves_a_row_that_the_sweeper_is_shown_or_none(session, broken):
    records, one = CassandraFileRecords(session), an_upload()
    with broken:
        await records.begin(one)
    expected = [one] if await records.upload(one.upload_id) else []
    assert await shown(records, one, NOW_MS + 10) == expected
    # it may be begun again, also after the sweeper looked
    await records.begin(one)
    assert await shown(records, one, NOW_MS + 10) == [one]


async def test_a_note_of_an_upload_that_never_was_is_struck_off_after_a_day(session):
    records, one = CassandraFileRecords(session), an_upload()
    session.left, session.does_the_last = 2, False
    with pytest.raises(StoreUnavailable):
        await records.begin(one)
    session.left = None
    assert await noted(session, one)
    assert await shown(records, one, NOW_MS + DAY_MS // 2) == []
    assert await noted(session, one)
    assert await shown(records, one, NOW_MS + 2 * DAY_MS) == []
    assert not await noted(session, one)


async def test_a_finish_that_breaks_off_may_be_repeated_and_leaves_no_note_for_long(session, broken):
    records, one = CassandraFileRecords(session), an_upload()
    await records.begin(one)
    with broken:
        await records.finish(file_of(one), holder="api-1")
    assert await records.finish(file_of(one), holder="api-1") is True
    assert await records.get(one.upload_id) == file_of(one)
    assert await shown(records, one, NOW_MS + DAY_MS) == []
    assert not await noted(session, one)


async def test_a_forget_that_breaks_off_may_be_repeated_and_leaves_no_note_for_long(session, broken):
    records, one = CassandraFileRecords(session), an_upload()
    await records.begin(one)
    with broken:
        await records.forget(one.upload_id, holder="api-1")
    assert await records.forget(one.upload_id, holder="api-1") is True
    assert await records.upload(one.upload_id) is None
    assert await shown(records, one, NOW_MS + 2 * DAY_MS) == []
    assert not await noted(session, one)


async def test_a_take_that_breaks_off_may_be_repeated(session, broken):
    records, one = CassandraFileRecords(session), an_upload()
    await records.begin(one)
    late = NOW_MS + 10
    with broken:
        await records.acquire_expired_lease(one.upload_id, "sweeper", late, late + 5)
    taken = await records.acquire_expired_lease(one.upload_id, "sweeper", late, late + 5)
    assert taken is not None
    assert (taken.holder, taken.held_until_ms) == ("sweeper", late + 5)
    assert await records.forget(one.upload_id, holder="sweeper") is True


async def test_a_save_that_lets_go_and_breaks_off_may_be_repeated(session, broken):
    records, one = CassandraFileRecords(session), an_upload()
    await records.begin(one)
    free = Upload(one.upload_id, "c-1", "u-1", "a.pdf", None, NOW_MS, NOW_MS + DAY_MS, offset_bytes=9)
    with broken:
        await records.save(free, holder="api-1")
    assert await records.save(free, holder="api-1") is True
    assert await records.upload(one.upload_id) == free


async def test_an_hour_without_uploads_is_not_looked_at_again(session):
    records = CassandraFileRecords(session)
    hour = "SELECT hour FROM {ks}.open_upload_hours WHERE scope = 'all' AND hour = ?"
    started_at_ms = NOW_MS - 50 * DAY_MS
    one = Upload(str(uuid.uuid4()), "c", "u", "a", None, started_at_ms, started_at_ms + 1)
    await records.begin(one)
    values = (started_at_ms // 3_600_000,)
    assert await shown(records, one, NOW_MS) == [one]
    assert await session.run(hour, values, Access.READ)
    await records.acquire_expired_lease(one.upload_id, "sweeper", NOW_MS, NOW_MS + 5)
    await records.forget(one.upload_id, holder="sweeper")
    assert await shown(records, one, NOW_MS) == []
    assert not await session.run(hour, values, Access.READ)
