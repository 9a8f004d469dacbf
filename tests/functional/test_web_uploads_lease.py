"""The lease of a new upload: no row before it begins, and no change lost to a renewal."""

from __future__ import annotations

import asyncio

from domain.ports import Upload
from fakes.file_records import MemoryFileRecords
from web.uploads.lease import Lease

NOW_MS = 1_900_000_000_000


def new_upload() -> Upload:
    return Upload("f-1", "", "u-1", "a.bin", None, NOW_MS, NOW_MS, holder="me")


async def test_an_upload_has_no_row_before_it_begins() -> None:
    records = MemoryFileRecords()
    async with Lease(records, new_upload(), 30.0, lambda: NOW_MS) as lease:
        lease.amend(conversation_id="c-1")
        assert records.rows == {}
        await lease.begin()
        assert records.rows == {"f-1": lease.upload}
        assert lease.upload.conversation_id == "c-1"
        assert lease.upload.held_until_ms == lease.upload.expires_at_ms == NOW_MS + 30_000


async def test_a_change_made_while_the_row_is_being_stored_is_kept() -> None:
    records = SlowRecords()
    async with Lease(records, new_upload(), 30.0, lambda: NOW_MS) as lease:
        await lease.begin()
        saving = asyncio.create_task(lease.save(key="k"))
        await records.is_asked.wait()
        lease.amend(store_upload="s-1")
        records.may_answer.set()
        await saving
        assert (lease.upload.key, lease.upload.store_upload) == ("k", "s-1")
        await lease.save()
        assert records.rows == {"f-1": lease.upload}


class SlowRecords(MemoryFileRecords):
    """Records whose ``save`` waits for ``may_answer``."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def save(self, upload: Upload, *, holder: str) -> bool:
        self.is_asked.set()
        await self.may_answer.wait()
        return await super().save(upload, holder=holder)
