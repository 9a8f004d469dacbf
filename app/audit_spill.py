"""Records by bucket in files, so that a log of any length is compared in a bounded memory.

A bucket has all records of its conversations. Buckets are compressed, and their temporary folder is removed.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK_BYTES = 32 * 1024  # of a bucket in memory, less if there are many
LEAST_CHUNK_BYTES = 4 * 1024
MOST_BYTES = 8 << 20  # of all chunks together
MOST_BUCKETS = 2_048
_HEAD = struct.Struct("<BqqiI")  # kind, offset, timestamp, length of the key (-1: none), length of the value
_NO_VALUE = 0xFFFFFFFF
_CHUNK = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with its ``kind``, a number from 0 to 255 that the caller gives it."""

    kind: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Spill:
    """``buckets`` files; use as a context manager. Memory: ``MOST_BYTES``."""

    def __init__(self, buckets: int, folder: Path | None = None) -> None:
        self.buckets = max(1, min(buckets, MOST_BUCKETS))
        self._chunk_bytes = max(LEAST_CHUNK_BYTES, min(CHUNK_BYTES, MOST_BYTES // self.buckets))
        self._parent = folder
        self._chunks = [bytearray() for _ in range(self.buckets)]
        self._folder: tempfile.TemporaryDirectory[str]

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="chat4all-audit-", dir=self._parent)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def bucket_of(self, key: bytes | None) -> int:
        """Return the bucket of a key."""
        return zlib.crc32(key or b"") % self.buckets

    def put(self, key: bytes | None, entry: Entry) -> None:
        """Add a record to the bucket of ``key``."""
        bucket = self.bucket_of(key)
        chunk = self._chunks[bucket]
        lengths = -1 if entry.key is None else len(entry.key), _NO_VALUE if entry.value is None else len(entry.value)
        chunk += _HEAD.pack(entry.kind, entry.offset, entry.timestamp, *lengths)
        chunk += entry.key or b""
        chunk += entry.value or b""
        if len(chunk) >= self._chunk_bytes:
            self._write(bucket)

    def read(self, bucket: int) -> Iterator[Entry]:
        """Yield the records of a bucket in the order of ``put``, and remove it."""
        self._write(bucket)
        path = self._path(bucket)
        if not path.exists():
            return
        with path.open("rb") as file:
            while head := file.read(_CHUNK.size):
                yield from _entries(zlib.decompress(file.read(*_CHUNK.unpack(head))))
        path.unlink()

    def _write(self, bucket: int) -> None:
        if not self._chunks[bucket]:
            return
        data = zlib.compress(self._chunks[bucket], 1)
        with self._path(bucket).open("ab") as file:
            file.write(_CHUNK.pack(len(data)) + data)
        self._chunks[bucket] = bytearray()

    def _path(self, bucket: int) -> Path:
        return Path(self._folder.name) / str(bucket)


def _entries(chunk: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(chunk):
        kind, offset, timestamp, key_length, value_length = _HEAD.unpack_from(chunk, at)
        at += _HEAD.size
        key = None if key_length < 0 else chunk[at : at + key_length]
        at += max(0, key_length)
        value = None if value_length == _NO_VALUE else chunk[at : at + value_length]
        at += 0 if value is None else value_length
        yield Entry(kind, offset, timestamp, key, value)
