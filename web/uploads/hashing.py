"""Digests of received and of stored bytes. Large inputs are hashed in threads."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import Executor
from dataclasses import dataclass

from cachetools import LRUCache

from domain.ports import FileStore
from web.uploads.part_writer import HASHED_HERE_BYTES, Hash, new_checksum

_AT_ONCE_BYTES = 512 * 1024
REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class WantedDigest:
    """The expected digest of one request's body. ``algorithm`` is a name for ``hashlib.new``."""

    algorithm: str
    digest: bytes


class RequestDigest:
    """Computes the digest of one request's body."""

    def __init__(self, wanted: WantedDigest, threads: Executor) -> None:
        self._wanted = wanted
        self._threads = threads
        self._hash = hashlib.new(wanted.algorithm, usedforsecurity=False)
        self._waiting = bytearray()

    async def update(self, data: bytes) -> None:
        """Add the next bytes."""
        self._waiting += data
        if len(self._waiting) >= _AT_ONCE_BYTES:
            await self._hash_waiting()

    async def is_right(self) -> bool:
        """Return whether the body has the expected digest."""
        await self._hash_waiting()
        return self._hash.digest() == self._wanted.digest

    async def _hash_waiting(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        await _update(self._hash, data, self._threads)


class RunningHashes:
    """The SHA-256 of each unfinished upload's bytes up to an offset, as far as this process knows it.

    An upload evicted from the cache, or received by another process, is read back from the store once it is
    complete.
    """

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._known: LRUCache[str, tuple[int, Hash]] = LRUCache(limit)

    def at(self, upload_id: str, offset_bytes: int) -> Hash | None:
        """Return a hash of the first ``offset_bytes`` bytes, ``None`` if unknown."""
        if offset_bytes == 0:
            return new_checksum()
        known = self._known.get(upload_id)
        return known[1].copy() if known is not None and known[0] == offset_bytes else None

    def remember(self, upload_id: str, offset_bytes: int, checksum: Hash) -> None:
        """Remember ``checksum`` as the hash of the first ``offset_bytes`` bytes."""
        self._known[upload_id] = (offset_bytes, checksum)

    def forget(self, upload_id: str) -> None:
        """Drop the hash of a finished upload."""
        self._known.pop(upload_id, None)


async def sha256_of(data: bytes, threads: Executor) -> str:
    """Return "sha256:<hex>" of ``data``."""
    checksum = new_checksum()
    await _update(checksum, data, threads)
    return f"sha256:{checksum.hexdigest()}"


async def sha256_of_object(store: FileStore, key: str, threads: Executor) -> str:
    """Return "sha256:<hex>" of a stored object. Raises ``NotFound``, ``FileStoreUnavailable``."""
    checksum = new_checksum()
    async for chunk in store.read(key):
        await _update(checksum, chunk, threads)
    return f"sha256:{checksum.hexdigest()}"


async def _update(checksum: Hash, data: bytes, threads: Executor) -> None:
    if len(data) <= HASHED_HERE_BYTES:
        checksum.update(data)
    else:
        await asyncio.get_running_loop().run_in_executor(threads, checksum.update, data)
