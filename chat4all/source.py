"""A local file for an upload."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from chat4all.descriptors import open_to_read, read_at
from chat4all.errors import LocalFault
from chat4all.transfers import CHUNK_BYTES, HASHED_AT_ONCE_BYTES, DiskThread, OnProgress, Step, local_fault


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies a version of a file without reading it: size, time of change, inode."""

    size_bytes: int
    modified_ns: int
    inode: int


class Source:
    """The open file. ``fingerprint``: as it was when it was opened."""

    def __init__(self, path: Path, descriptor: int, disk: DiskThread) -> None:
        self.path = path
        self._descriptor = descriptor
        self._disk = disk
        self.fingerprint = _fingerprint(descriptor)

    @property
    def size_bytes(self) -> int:
        return self.fingerprint.size_bytes

    async def checksum(self, on_progress: OnProgress) -> str:
        """Return "sha256:<hex>" of the whole. Raises ``LocalFault``."""
        digest = sha256()
        done = 0
        while done < self.size_bytes:
            on_progress(Step.CHECKING, done, self.size_bytes)
            done += await self._disk.run(self._hash, digest, done, min(HASHED_AT_ONCE_BYTES, self.size_bytes - done))
        await self.check_unchanged()
        on_progress(Step.CHECKING, done, self.size_bytes)
        return f"sha256:{digest.hexdigest()}"

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        """Yield ``length`` bytes from ``start`` on. Raises ``LocalFault`` if they are not there."""
        end = start + length
        while start < end:
            chunk = await self._disk.run(read_at, self._descriptor, min(CHUNK_BYTES, end - start), start)
            if not chunk:
                raise self._changed()
            yield chunk
            start += len(chunk)

    async def check_unchanged(self) -> None:
        """Raise ``LocalFault`` if the file has been written to since it was opened."""
        if await self._disk.run(_fingerprint, self._descriptor) != self.fingerprint:
            raise self._changed()

    def _hash(self, digest: object, start: int, length: int) -> int:
        """Add bytes to ``digest``; return how many."""
        end = start + length
        while start < end:
            chunk = read_at(self._descriptor, min(CHUNK_BYTES, end - start), start)
            if not chunk:
                raise OSError("it has become shorter while it was read")
            digest.update(chunk)  # type: ignore[attr-defined]
            start += len(chunk)
        return length

    def _changed(self) -> LocalFault:
        return LocalFault(f"{self.path} is being changed; upload it when it no longer is")


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Source]:
    """The file, to be read. Raises ``LocalFault`` if it cannot be, or is a folder or the like."""
    disk = DiskThread()
    descriptor = -1

    def close() -> None:
        if descriptor >= 0:
            os.close(descriptor)

    try:
        descriptor = await disk.run(_open, path)
        yield Source(path, descriptor, disk)
    finally:
        await disk.close(close)


def _open(path: Path) -> int:
    try:
        descriptor = open_to_read(path)
    except OSError as error:
        raise local_fault(error, path) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LocalFault(f"{path} is not a file")
    return descriptor


def _fingerprint(descriptor: int) -> Fingerprint:
    found = os.fstat(descriptor)
    return Fingerprint(found.st_size, found.st_mtime_ns, found.st_ino)
