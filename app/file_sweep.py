"""Deletes the remains of incomplete files: ``chat4all files sweep``, and a timer in the API.

Three passes, each of which may be interrupted and repeated, and run in several processes:

uploads    Expired uploads without a lease. For each: acquire its lease, discard its data in the store,
           delete its row. The row goes last, so an interrupted deletion is found by the next sweep.
orphans    Objects older than a grace period that belong to no row.
check      Files whose object is missing or has another size. They are reported; nothing is changed.

Why no file and no upload in progress is deleted (the invariants are those of ``web.uploads``):

uploads    A sweeper discards an upload only under ``acquire_expired_lease``, which fails while another process has the
           lease. By invariant 2 a former holder can neither save nor finish, and by invariant 7 the row can only be
           deleted afterwards. A former holder may still store bytes; the next sweep finds them as orphans.
orphans    By invariant 1 an object without a row is garbage. The grace period covers clock skew between the store and
           this process. One query reads both the upload and the file, because an upload becomes a file and two queries
           could miss it.
backups    Rows missing by mistake (an old backup) would make orphans of whole files. So the store bears the mark of the
           records that swept it first, and other databases (another keyspace, a new one) leave its objects alone. When
           objects without a row outnumber the others, none is discarded. The operator can override both.
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
    """The result of a sweep, or of a dry run. ``failures``: the operations that failed, in sentences.

    ``busy``: expired uploads whose lease another process had. ``foreign``: objects of another application.
    ``damaged``: ids of files whose object is missing or has another size (the first thousand; ``files_damaged`` counts
    them all).
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
    """One sweep. Its passes add to ``report``; errors of the store and of the database go there too, and none is
    raised.

    ``grace_ms``: younger objects are skipped. ``dry_run``: nothing is changed. ``believing``: discard orphans, however
    many there are.
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
        """Delete the expired uploads without a lease."""
        await self._owns_the_store()  # the first one makes its mark
        await self._each(self._records.expired(self._clock_ms()), self._clear, "an upload was not cleared away")

    async def orphans(self) -> None:
        """Discard the objects that belong to no row."""
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
        """Return whether the store belongs to our records. An unmarked or claimed store gets our mark."""
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
        for key in keys_of(taken, self._store.part_bytes):
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
        """Run ``work`` on each item, several at a time; failures are reported and left for the next sweep."""
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
