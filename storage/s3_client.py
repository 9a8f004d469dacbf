"""miniopy-async's client, with bodies hashed in one piece in a thread and sent without a copy.

The library hashes in pieces of 8 KiB and, for https, makes an MD5 on the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from miniopy_async.api import Minio
from miniopy_async.time import to_amz_date

_SMALL_BYTES = 64 * 1024  # hashed where we are; a thread costs more
_WRITE_BYTES = 256 * 1024


class Body(aiohttp.Payload):
    """Bytes, sent in slices without a copy, so a large part neither fills buffers nor blocks the event loop."""

    _value: bytes

    def __init__(self, value: bytes) -> None:
        super().__init__(value, content_type="application/octet-stream")
        self._size = len(value)
        self.content = value

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        view = memoryview(self.content)
        for start in range(0, len(view), _WRITE_BYTES):
            await writer.write(view[start : start + _WRITE_BYTES])


class SigningClient(Minio):
    """Signs the SHA-256 of each body."""

    _threads: Executor | None = None

    def hash_in(self, threads: Executor) -> None:
        """Hash large bodies in ``threads``."""
        self._threads = threads

    async def _build_headers(self, host: str, headers: Any, body: Any, creds: Any) -> tuple[dict[str, str], datetime]:
        """As the library's, but the SHA-256 is signed over https, too, where it would send an MD5."""
        content = b"" if body is None else body.content
        if len(content) > _SMALL_BYTES:
            digest = await asyncio.get_running_loop().run_in_executor(self._threads, _sha256, content)
        else:
            digest = _sha256(content)
        now = datetime.now(UTC)
        own = {"Host": host, "x-amz-content-sha256": digest, "x-amz-date": to_amz_date(now)}
        return {**headers, **own}, now


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
