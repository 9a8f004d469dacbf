"""The collaborators that the upload engines share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.ports import FileRecords, FileStore, Upload
from web.uploads.hashing import RunningHashes
from web.uploads.lease import Lease

if TYPE_CHECKING:
    from app.settings import Settings
    from web.conversations.existing_users import ExistingUsers
    from web.conversations.memberships import Memberships
    from web.files.registry import KnownFiles
    from web.files.transfer_throttle import Throttle
    from web.http.concurrency_limit import ConcurrencyLimit
    from web.http.metrics import Metrics
    from web.uploads.part_writer import PartSlots


@dataclass(frozen=True, kw_only=True)
class UploadContext:
    """The stores, limits and clocks of all uploads in this process."""

    files: FileRecords
    file_store: FileStore
    known_files: KnownFiles
    memberships: Memberships
    existing_users: ExistingUsers
    limit: ConcurrencyLimit
    throttle: Throttle
    part_slots: PartSlots
    threads: ThreadPoolExecutor
    metrics: Metrics
    settings: Settings
    clock_ms: Callable[[], int]
    randomness: Callable[[int], bytes]
    hashes: RunningHashes = field(default_factory=RunningHashes)

    def new_holder(self) -> str:
        """Return a name for the holder of a lease."""
        return self.randomness(8).hex()

    def lease_of(self, upload: Upload) -> Lease:
        """Return the lease of ``upload``, which names its holder. A resumable upload outlives it."""
        seconds = self.settings.upload_hold_seconds
        return Lease(self.files, upload, seconds, self.clock_ms, lives_on=upload.is_resumable)
