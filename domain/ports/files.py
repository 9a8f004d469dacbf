"""Files: their bytes (``FileStore``: a folder or a bucket) and their rows (``FileRecords``: Cassandra).

A file is created in this order, so a process killed at any point leaves nothing that cannot be found again:

    records.begin      the row of the upload; it names the key of the future object
    store.begin …      parts, which cannot be read
    store.finish       the object, whole
    records.finish     the row becomes a file: from here on, and not before, it can be read and sent

A process that works on an upload has its *lease*: a name and a time until which no other process may change its row.
``web.uploads`` lists the numbered invariants of rows, leases and bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.files import File


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload in the store. ``number`` counts from 1; ``etag`` is the store's name for its bytes."""

    number: int
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An entry of the store: a whole object, or a begun upload (``is_whole`` false; its size is unknown)."""

    key: str
    size_bytes: int
    modified_at_ms: int
    is_whole: bool = True


class FileStore(Protocol):
    """Bytes under keys. An object is there whole or not at all, and a reader sees only whole ones.

    Keys are ``domain.files.storage_key`` and ``incomplete_part_key``: relative paths of safe segments. Any other key
    raises ``InvalidInput``. Raises ``FileStoreUnavailable`` when the store does not answer in time; every call may then
    be repeated.
    """

    @property
    def part_bytes(self) -> int:
        """The size of all parts but the last, ``domain.files.PART_BYTES`` unless a test chose another.

        It may not change while the store has unfinished uploads: their rows count offsets in parts of this size.
        """
        ...

    async def begin(self, key: str, mimetype: str) -> str:
        """Begin an upload in parts; return the store's name for it. Several uploads of one key may be under way."""
        ...

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Store part ``number``, durable when this returns; a second time it replaces the first.

        All parts but the last have ``part_bytes`` bytes. They may come in any order and side by side.
        Raises ``NotFound`` if the upload is gone.
        """
        ...

    async def parts(self, key: str, upload: str) -> Sequence[Part]:
        """Return the stored parts, by number. Raises ``NotFound`` if the upload is gone."""
        ...

    async def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make ``parts`` (1, 2, 3, … without a gap, at least one) the object at ``key``; parts not named are dropped.

        Raises ``NotFound`` if the upload is gone, also because it was finished before; ``Conflict`` if ``parts`` make
        no object, or one of them is not there (any more) as it is named.
        """
        ...

    async def put(self, key: str, data: bytes, mimetype: str) -> None:
        """Store a whole object of at most ``part_bytes`` bytes (it may be empty), replacing an existing one."""
        ...

    async def size(self, key: str) -> int | None:
        """Return the size of the object in bytes, ``None`` if there is none."""
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the object's bytes from ``start`` on, ``length`` of them or all, in chunks of at most 1 MiB; nothing
        if ``start`` is at the end or beyond it.

        Raises ``NotFound`` (before the first chunk) if there is none. Close the iterator to stop early.
        """
        ...

    async def move(self, source: str, target: str) -> None:
        """Give the object another key. Raises ``NotFound`` if there is none. May be repeated after a failure:
        if only ``target`` is there, nothing is left to do."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Make ``target`` an object with the bytes of ``source``, which stays; either may be deleted without the
        other. Raises ``NotFound`` if there is no ``source``. May be repeated after a failure.
        """
        ...

    async def discard(self, key: str) -> None:
        """Delete the object and all unfinished uploads of ``key``; nothing wrong if there are none."""
        ...

    async def abort(self, key: str) -> None:
        """Delete all unfinished uploads of ``key``; an object there stays."""
        ...

    def everything(self) -> AsyncIterator[StoredObject]:
        """Yield all objects, and those unfinished uploads that the store can list without being given their keys."""
        ...

    def link(self, file: File, seconds: int, now_ms: int) -> str:
        """Return a URL from which anybody can get the file until ``now_ms`` + ``seconds``: as an attachment, with
        ranges. Made without asking the store. It begins with "/v1/" if it leads to our API and its public address is
        not known: put the origin of the request before it.
        """
        ...

    async def ping(self) -> None:
        """Return if the store answers and can be written to. Raises ``FileStoreUnavailable``."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...


@dataclass(frozen=True, slots=True)
class Upload:
    """An unfinished file. ``upload_id`` becomes the file's id.

    ``size_bytes``: as announced by the client, ``None`` if it was not. ``offset_bytes``: the number of bytes durable
    in the store. ``key`` may be empty until a byte is to be stored, ``store_upload`` (the store's name for the upload
    in parts) until there is more than one part. ``expected_checksum``: as announced by the client, "sha256:<hex>", or
    empty. ``holder``: the owner of the lease until ``held_until_ms``; both empty without a lease. After
    ``expires_at_ms``, and when no process has a lease, it may be swept away.
    """

    upload_id: str
    conversation_id: str
    uploader_id: str
    filename: str
    size_bytes: int | None
    started_at_ms: int
    expires_at_ms: int
    offset_bytes: int = 0
    mimetype: str = ""
    key: str = ""
    store_upload: str = ""
    expected_checksum: str = ""
    holder: str = ""
    held_until_ms: int = 0

    @property
    def is_resumable(self) -> bool:
        """Whether other requests may append to it. An upload of one request has no announced size."""
        return self.size_bytes is not None


class FileRecords(Protocol):
    """The rows of files and of unfinished uploads; an upload's row becomes the file's."""

    async def begin(self, upload: Upload) -> None:
        """Store a new upload, with its holder if it has one; nothing changes if the id exists already.

        Raises ``StoreUnavailable``: it may be stored or not.
        """
        ...

    async def upload(self, upload_id: str) -> Upload | None:
        """Return the upload; ``None`` if there is none (any more), also because it is a file by now."""
        ...

    async def acquire_lease(self, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        """Acquire the lease until ``until_ms`` if it is free at ``now_ms``; return the upload as stored then.

        Its holder renews it. Returns ``None`` if another holder has it, if there is no such upload, or it has expired:
        ``upload`` tells these apart. Raises ``ValueError`` for an empty ``holder``.

        The times are those of the callers' clocks: a clock that is ahead acquires a lease too early by its lead. The
        former holder then finds out at its next change, so no harm is done, but an upload is interrupted.
        """
        ...

    async def acquire_expired_lease(self, upload_id: str, holder: str, now_ms: int, until_ms: int) -> Upload | None:
        """Acquire the lease of an expired upload, to delete it: as ``acquire_lease``, which refuses these.

        Afterwards only another call of this method can lease it (invariant 7).
        """
        ...

    async def save(self, upload: Upload, *, holder: str) -> bool:
        """Store ``upload`` as given if the lease is ``holder``'s; return ``False`` (and store nothing) if it is not,
        or the upload is gone. With ``upload.holder`` empty the lease is released.

        An expired lease is still the holder's until another process acquires it. Returns ``True`` also if exactly this
        is stored already (the answer to a first try was lost).
        """
        ...

    async def finish(self, file: File, *, holder: str) -> bool:
        """Make the upload of this id the file, if the lease is ``holder``'s; else return ``False``.

        ``True`` also when it is this very file already (the answer to a first try was lost).
        """
        ...

    async def forget(self, upload_id: str, *, holder: str) -> bool:
        """Delete the upload if the lease is ``holder``'s; ``True`` also if there is none.

        ``False`` if it is a file by now: use ``delete``. A resumable upload must have expired (invariant 7).
        """
        ...

    async def delete(self, file_id: str, now_ms: int) -> File | None:
        """Mark the file as deleted at ``now_ms`` and return it as stored then; a second time changes nothing.

        ``None`` if there is no such file. The caller deletes the object afterwards, so an interruption leaves an
        orphan for the sweeper.
        """
        ...

    async def get(self, file_id: str) -> File | None:
        """Return the file, also a deleted one; ``None`` if there is none or it is not whole yet."""
        ...

    async def find(self, file_id: str) -> Upload | File | None:
        """Return the file or upload under this id, in one query: ``get`` and then ``upload`` would both miss an upload
        that becomes a file in between.
        """
        ...

    async def identity(self) -> str:
        """Return the identity of these records: made once at random, never changed."""
        ...

    def files(self) -> AsyncIterator[File]:
        """Yield all files, also deleted ones, in no order; files created meanwhile may be missing. For checks: it
        reads everything.
        """
        ...

    def expired(self, now_ms: int) -> AsyncIterator[Upload]:
        """Yield the uploads that may be swept away at ``now_ms``: expired and without a lease."""
        ...
