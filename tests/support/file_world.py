"""What a sweep of files works on, on fakes: rows, objects, and a clock that moves when told."""

from __future__ import annotations

import uuid
from typing import Any

from app.file_sweep import Sweep, SweepReport
from domain.file_sweeping import OWNER_KEY
from domain.files import File, FileMetadata, incomplete_part_key, storage_key
from domain.ports import Upload
from fakes.file_records import MemoryFileRecords
from fakes.file_store import SMALL_PART, MemoryFileStore
from support.values import changed

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TYPE = "text/plain"
FULL = bytes(SMALL_PART)


class FilesToSweep:
    """The two fakes, and a clock."""

    def __init__(self) -> None:
        self.records = MemoryFileRecords()
        self.store = MemoryFileStore()
        self.now_ms = 1_900_000_000_000  # later than everything that the fake stores

    @property
    def objects(self) -> dict[str, Any]:
        return {key: known for key, known in self.store.objects.items() if key != OWNER_KEY}

    def sweep(self, *, dry_run: bool = False, believing: bool = False) -> Sweep:
        clock = lambda: self.now_ms  # noqa: E731
        return Sweep(self.records, self.store, clock, grace_ms=DAY_MS, dry_run=dry_run, believing=believing)

    async def swept(self, *, dry_run: bool = False, believing: bool = False) -> SweepReport:
        sweep = self.sweep(dry_run=dry_run, believing=believing)
        await sweep.uploads()
        await sweep.orphans()
        return sweep.report

    async def upload(self, **given: object) -> Upload:
        """An upload of two parts and an incomplete one, which has expired."""
        file_id = str(uuid.uuid4())
        key = storage_key("family", file_id, "a.txt")
        name = await self.store.begin(key, TYPE)
        for number in (1, 2):
            await self.store.put_part(key, name, number, FULL)
        await self.store.put(incomplete_part_key(file_id, 2 * SMALL_PART + 4), b"tail", TYPE)
        long_ago = self.now_ms - 2 * DAY_MS
        made = Upload(
            file_id, "family", "u-1", "a.txt", None, long_ago, self.now_ms, 2 * SMALL_PART + 4, TYPE, key, name
        )
        made = changed(made, given)
        await self.records.begin(made)
        return made

    async def file(self, content: bytes = b"whole") -> File:
        file_id = str(uuid.uuid4())
        key = storage_key("family", file_id, "a.txt")
        await self.records.begin(
            Upload(file_id, "family", "u-1", "a.txt", None, 0, 1, key=key, holder="h", held_until_ms=1)
        )
        await self.store.put(key, content, TYPE)
        file = File(file_id, "family", "u-1", FileMetadata("a.txt", len(content), TYPE, "sha256:x", key), 2)
        assert await self.records.finish(file, holder="h")
        return file
