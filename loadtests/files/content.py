"""Content of test files: cheap, deterministic bytes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

BLOCK_BYTES = 4 << 20
_BLOCK = random.Random(20).randbytes(BLOCK_BYTES)


def blocks(size_bytes: int) -> Iterator[memoryview]:
    """Yield ``size_bytes`` incompressible bytes in blocks of up to 4 MiB."""
    whole = memoryview(_BLOCK)
    for start in range(0, size_bytes, BLOCK_BYTES):
        yield whole[: min(BLOCK_BYTES, size_bytes - start)]


def checksum_of(size_bytes: int) -> str:
    """Return the checksum of those bytes, as the API writes it."""
    found = hashlib.sha256()
    for block in blocks(size_bytes):
        found.update(block)
    return f"sha256:{found.hexdigest()}"


class Reader:
    """The same bytes as a readable file, for client libraries."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        parts = []
        self._left -= wanted
        while wanted:
            part = _BLOCK[self._at : self._at + wanted]
            self._at = (self._at + len(part)) % BLOCK_BYTES
            wanted -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
