"""The lease of an upload: it keeps the row reserved for this process while a request works on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from domain.errors import Chat4AllError, Conflict, Unavailable
from domain.files import File
from domain.ports import FileRecords, Upload

log = logging.getLogger(__name__)

_RENEWALS = 3  # in the time that a lease lasts


class LeaseLost(Conflict):
    """Another process or the sweeper took the upload over, because this process did not renew its lease in time."""

    code = "upload-taken-over"


class Lease:
    """``upload``: the row, leased by ``holder``. The lease is renewed until the end of ``async with``.

    A new upload has no row before ``begin``: its ``held_until_ms`` is 0 until then.

    ``lives_on``: the upload keeps its own expiry. Otherwise it expires with the lease (invariant 8 of ``web.uploads``).
    """

    def __init__(
        self,
        records: FileRecords,
        upload: Upload,
        hold_seconds: float,
        clock_ms: Callable[[], int],
        *,
        lives_on: bool = False,
    ) -> None:
        self.upload = upload
        self.holder = upload.holder
        self._records = records
        self._hold_seconds = hold_seconds
        self._clock_ms = clock_ms
        self._lives_on = lives_on
        self._renewing: asyncio.Task[None] | None = None
        self.has_row = bool(upload.held_until_ms)
        self.may_be_a_file = False  # invariant 6: the file's row was sent to the database
        self._is_lost = False
        self._lock = asyncio.Lock()
        # brings the row up to date with what is durable by now, before each renewal
        self.progress: Callable[[Upload], Upload] = lambda upload: upload

    async def __aenter__(self) -> Self:
        if self.has_row:
            self._renewing = asyncio.create_task(self._renew_on_time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])

    def check(self) -> None:
        """Raise ``LeaseLost`` if the lease has expired or was taken over."""
        if self._is_lost or self._clock_ms() >= self.upload.held_until_ms:
            raise LeaseLost("the upload's lease expired and another process has taken the upload over; retry")

    def amend(self, **changes: Any) -> None:
        """Change ``upload`` in memory. The next write of the row stores the changes."""
        self.upload = replace(self.upload, **changes)

    async def begin(self) -> None:
        """Store the row of a new upload, leased. Raises ``StoreUnavailable``: it may be stored or not."""
        self.has_row = True
        self.amend(**self._renewed())
        await self._records.begin(self.upload)
        self._renewing = asyncio.create_task(self._renew_on_time())

    async def save(self, **changes: Any) -> None:
        """Change the row and renew the lease. Raises ``LeaseLost``, ``StoreUnavailable``."""
        await self._save(lambda: changes)

    async def _save(self, changes_now: Callable[[], Mapping[str, Any]]) -> None:
        async with self._lock:  # compute the changes under the lock, so they cannot be stale
            changes = self._renewed(**changes_now())
            if not await self._records.save(replace(self.upload, **changes), holder=self.holder):
                self._is_lost = True
                self.check()
            self.amend(**changes)

    def _renewed(self, **changes: Any) -> dict[str, Any]:
        until_ms = self._clock_ms() + int(self._hold_seconds * 1000)
        renewed = {"held_until_ms": until_ms, **changes}
        if not self._lives_on:
            renewed["expires_at_ms"] = renewed["held_until_ms"]
        return renewed

    async def finish(self, file: File) -> None:
        """Record the file. Raises ``LeaseLost`` (there is no file) and ``StoreUnavailable`` (the file may or may not
        exist).
        """
        async with self._lock:
            self.check()
            self.may_be_a_file = True
            if not await self._records.finish(file, holder=self.holder):
                self._is_lost = True
                self.check()

    async def abandon(self) -> None:
        """Let the upload expire with the lease, before it is deleted (invariant 7). Raises as ``save``."""
        if self._lives_on:
            self._lives_on = False
            await self.save()
        self.check()

    async def release(self, **changes: Any) -> None:
        """End the lease and apply ``changes`` to the row (invariant 4: no part is in flight). Raises as ``save``."""
        await self.save(holder="", held_until_ms=0, **changes)
        self._is_lost = True

    async def try_to_release(self) -> None:
        """Release the lease; on an error, let it expire."""
        with suppress(Chat4AllError):
            await self.release()

    def _progress_now(self) -> Mapping[str, Any]:
        changed = self.progress(self.upload)
        return {"offset_bytes": changed.offset_bytes, "expires_at_ms": changed.expires_at_ms}

    async def _renew_on_time(self) -> None:
        while not self._is_lost:
            await asyncio.sleep(self._hold_seconds / _RENEWALS)
            try:
                await self._save(self._progress_now)
            except Unavailable as error:
                log.warning("the lease of upload %s was not renewed: %s", self.upload.upload_id, error)
            except LeaseLost:
                return
