"""Clears away what is left of files that never became whole: ``chat4all files sweep``, and a timer in the API.

Three passes, each of which may be interrupted and repeated, and made by several processes at once:

uploads    Those that have expired and have no lease. For each: acquire its lease, discard what the store has of it,
           forget its row. The row goes last, so what breaks off leaves it for the next sweep.
orphans    What the store has for a longer time than a grace, and that belongs to no row.
check      Files whose object is not there or has another size. They are reported; nothing is changed.

Why no file, and no upload that somebody works on, is ever touched, however long any process sleeps:

1. A sweeper discards an upload only under ``acquire_expired_lease``, which fails while another process has the
   lease. A former holder that resumes late can neither save nor finish: the row has another holder. Only a sweeper can
   get the lease again: ``acquire_lease`` refuses an expired upload, and a sweeper's lease ends after the expiry, so any
   clock that finds the lease over finds the upload expired, too. Once a sweeper has had the lease the row can only be
   deleted, so a sweeper that resumes late can still delete the data safely.
2. A former holder that wakes up may still store something. Its row is gone or goes, so that is an orphan by and by.
3. Bytes are stored after their row was written, and a row goes for good. So what has no row has none to come; the grace
   is for a clock of the store that is not ours. A row is looked at once for both, upload and file: it becomes the one
   from the other, and two looks could miss it.
4. Rows that are missing by mistake would make orphans of whole files. So the store bears the mark of the records that
   swept it first, and others (another keyspace, a new database) leave its objects alone; and when more objects have no
   row than have one (an old backup), none is discarded. The operator can say that it is to be done nevertheless.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from domain.errors import Chat4AllError, NotFound, Unavailable
from domain.file_sweeping import OWNER_KEY, Decision, decide, is_believable, is_ours, keys_of
from domain.files import File, file_id_of
from domain.ports import FileRecords, FileStore, StoredObject, Upload

log = logging.getLogger(__name__)

T = TypeVar("T")

# A sweeper's lease. One upload takes the store a few requests; if it takes longer, another sweeper may join in.
HOLD_SECONDS = 120.0
_AT_ONCE = 8
# A store or a database that is away fails everything: after so many failures the rest waits for the next sweep.
_MOST_FAILURES = 16
_MOST_ORPHANS = 10_000  # of one sweep: they are kept in memory until all has been seen
_MOST_NAMED = 1_000


@dataclass(slots=True)
class SweepReport:
    """What a sweep did, or would do. ``failures``: what could not be done, in sentences.

    ``busy``: uploads that had expired and were somebody's by the time. ``foreign``: objects that are not ours.
    ``damaged``: ids of files whose object is not there or has another size (the first thousand; ``files_damaged``
    counts them all).
    """

    uploads_swept: int = 0
    uploads_busy: int = 0
    objects_seen: int = 0
    objects_swept: int = 0
    objects_foreign: int = 0
    files_checked: int = 0
    files_damaged: int = 0
    damaged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Sweep:
    """One sweep. Its passes add to ``report`` and raise nothing that the store or the database raises.

    ``grace_ms``: what the store has for a shorter time is not looked at. ``dry_run``: nothing is changed.
    ``believing``: discard orphans, however many there are.
    """

    def __init__(
        self,
        records: FileRecords,
        store: FileStore,
        clock_ms: Callable[[], int],
        *,
        grace_ms: int,
        dry_run: bool = False,
        believing: bool = False,
    ) -> None:
        self.report = SweepReport()
        self._records = records
        self._store = store
        self._clock_ms = clock_ms
        self._grace_ms = grace_ms
        self._dry_run = dry_run
        self._believing = believing
        self._holder = f"sweeper-{secrets.token_hex(8)}"

    async def uploads(self) -> None:
        """Clear away the uploads that have expired and have no lease."""
        await self._owns_the_store()  # the first one makes its mark
        await self._each(self._records.expired(self._clock_ms()), self._clear, "an upload was not cleared away")

    async def orphans(self) -> None:
        """Discard what the store has and that belongs to no row."""
        if not await self._owns_the_store():
            self.report.failures.append(
                "the store of files bears the mark of another database: what belongs to no file was not looked for."
                " If it is this one's now, say so: chat4all files sweep --force"
            )
            return
        found: list[tuple[str, Decision]] = []
        before_ms = self._clock_ms() - self._grace_ms
        owned = 0

        async def look_at(one: StoredObject) -> None:
            nonlocal owned
            if one.key == OWNER_KEY:
                return
            self.report.objects_seen += 1
            if one.modified_at_ms > before_ms:
                return
            known = await self._records.find(file_id_of(one.key)) if is_ours(one.key) else None
            decision = decide(one, known)
            if decision is Decision.FOREIGN:
                self.report.objects_foreign += 1
                return
            if decision is Decision.KEEP or known is not None:  # of a deleted file there is a row, too
                owned += 1
            if decision is not Decision.KEEP and len(found) < _MOST_ORPHANS:
                found.append((one.key, decision))

        await self._each(self._store.everything(), look_at, "an object was not looked at")
        if self._believing or is_believable(len(found), owned):
            await self._each(_each_of(found), self._discard, "an object was not discarded")
        else:
            self.report.failures.append(
                f"{len(found)} objects belong to no file and {owned} do. Rather, rows are missing, so nothing"
                " was discarded. If these are to go, say so: chat4all files sweep --force"
            )

    async def check(self) -> None:
        """Report files whose object is not there or has another size."""

        async def look(file: File) -> None:
            if file.deleted_at_ms:
                return
            self.report.files_checked += 1
            if await self._store.size(file.metadata.storage_path) != file.metadata.size_bytes:
                self.report.files_damaged += 1
                if len(self.report.damaged) < _MOST_NAMED:
                    self.report.damaged.append(file.file_id)

        await self._each(self._records.files(), look, "a file was not checked")

    async def _owns_the_store(self) -> bool:
        """Return whether the store is that of our records; a store that bears no mark, or is claimed, gets ours."""
        try:
            ours = (await self._records.identity()).encode()
            with suppress(NotFound):
                mark = b"".join([chunk async for chunk in self._store.read(OWNER_KEY)])
                if mark == ours or not self._believing:
                    return mark == ours
            if not self._dry_run:
                await self._store.put(OWNER_KEY, ours, "text/plain")
        except Unavailable as error:
            self.report.failures.append(f"whose the store is could not be seen: {error}")
            return False
        return True

    async def _clear(self, upload: Upload) -> None:
        if self._dry_run:
            self.report.uploads_swept += 1
            return
        now_ms = self._clock_ms()
        until_ms = now_ms + int(HOLD_SECONDS * 1000)
        taken = await self._records.acquire_expired_lease(upload.upload_id, self._holder, now_ms, until_ms)
        if taken is None:
            self.report.uploads_busy += 1
            return
        for key in keys_of(taken):
            await self._store.discard(key)
        if await self._records.forget(taken.upload_id, holder=self._holder):
            self.report.uploads_swept += 1
        else:  # another sweeper took over
            self.report.uploads_busy += 1

    async def _discard(self, orphan: tuple[str, Decision]) -> None:
        key, decision = orphan
        if not self._dry_run:
            await (self._store.abort(key) if decision is Decision.ABORT else self._store.discard(key))
            log.info("%s belongs to no file: discarded", key)
        self.report.objects_swept += 1

    async def _each(self, items: AsyncIterator[T], work: Callable[[T], Awaitable[None]], failure: str) -> None:
        """Do ``work`` on each item, some at once; what fails is reported and left for the next sweep."""
        turn = asyncio.Lock()
        failures = self.report.failures
        most = len(failures) + _MOST_FAILURES

        async def go_on() -> None:
            while len(failures) < most:
                async with turn:
                    try:
                        item = await anext(items)
                    except StopAsyncIteration:
                        return
                    except Chat4AllError as error:
                        failures.append(f"not all was looked through: {error}")
                        return
                try:
                    await work(item)
                except Chat4AllError as error:
                    failures.append(f"{failure}: {error}")

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(_AT_ONCE):
                    workers.create_task(go_on())
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()


async def _each_of(items: list[T]) -> AsyncIterator[T]:
    for item in items:
        yield item
