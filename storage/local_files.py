"""Files in a folder: the store without a server. All processes of the system must share the folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from domain.errors import FileStoreUnavailable
from domain.file_parts import check_part, check_range
from domain.files import PART_BYTES, File
from domain.ports import Part, StoredObject
from domain.signed_links import signed_path
from storage.bulk_threads import bulk_threads
from storage.local_disk import Objects
from storage.local_uploads import LocalUploads

_CHUNK_BYTES = 512 * 1024
_LISTED_AT_ONCE = 500
_THREADS = 16  # they wait for the disk more than they compute

P = ParamSpec("P")
R = TypeVar("R")


class LocalFileStore:
    """``FileStore`` over a folder, created at its first use, with a thread pool of its own.

    ``link_key`` signs download links (``domain.signed_links.link_key``). ``public_url`` is the API's address for
    clients; if it is empty, links begin with "/v1/". ``timeout_seconds`` bounds one call to the disk. On a network
    file system locks (``flock``) must work between machines, as they do on NFS 4.
    """

    def __init__(
        self,
        folder: Path,
        *,
        link_key: bytes,
        public_url: str = "",
        timeout_seconds: float = 30.0,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self.part_bytes = part_bytes
        self._objects = Objects(folder / "objects", folder / "uploads")
        self._uploads = LocalUploads(folder / "uploads", timeout_seconds, part_bytes)
        self._link_key = link_key
        self._public_url = public_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._threads = bulk_threads(_THREADS, "chat4all-files")

    async def _call(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        # A call that is given up goes on in its thread: it keeps what it works on (bytes, open files) by itself.
        future = asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        try:
            return await asyncio.wait_for(future, self._timeout_seconds)
        except TimeoutError as error:
            raise FileStoreUnavailable("the folder of files does not answer") from error
        except OSError as error:  # no path: this text may be shown to clients
            raise FileStoreUnavailable(f"the folder of files: {error.strerror or type(error).__name__}") from error

    async def begin(self, key: str, mimetype: str) -> str:
        """Begin an upload in parts. A folder does not keep the type."""
        return await self._call(self._uploads.begin, key)

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Store a part, durable when this returns."""
        check_part(number, len(data), self.part_bytes)
        return await self._call(self._uploads.put_part, key, upload, number, data)

    async def parts(self, key: str, upload: str) -> Sequence[Part]:
        """Return the stored parts."""
        return await self._call(self._uploads.parts, key, upload)

    async def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the parts the object by a rename; the cost does not depend on the size."""
        await self._call(lambda: self._uploads.finish(key, upload, parts, self._objects.new_path(key)))

    async def put(self, key: str, data: bytes, mimetype: str) -> None:
        """Store a whole object."""
        if len(data) > self.part_bytes:
            raise ValueError(f"{len(data)} bytes: expected at most {self.part_bytes}")
        await self._call(self._objects.put, key, data)

    async def size(self, key: str) -> int | None:
        """Return the size of the object."""
        return await self._call(self._objects.size, key)

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the object's bytes."""
        check_range(start, length)
        file = await self._call(self._objects.open, key)
        end = file.size_bytes if length is None else min(file.size_bytes, start + length)
        while start < end:
            chunk = await self._call(file.read, start, min(_CHUNK_BYTES, end - start))
            if not chunk:
                raise FileStoreUnavailable("the folder of files: an object was cut short")
            yield chunk
            start += len(chunk)

    async def move(self, source: str, target: str) -> None:
        """Give the object another key."""
        await self._call(self._objects.move, source, target)

    async def copy(self, source: str, target: str) -> None:
        """Make a hard link, since bytes never change; copy them where the file system has no hard links."""
        await self._call(self._objects.copy, source, target)

    async def discard(self, key: str) -> None:
        """Delete the object and its unfinished uploads."""
        await self._call(self._uploads.discard, key)  # first: one that is finished meanwhile becomes the object
        await self._call(self._objects.discard, key)

    async def abort(self, key: str) -> None:
        """Delete the unfinished uploads of the key."""
        await self._call(self._uploads.discard, key)

    async def everything(self) -> AsyncIterator[StoredObject]:
        """Yield all objects and unfinished uploads. Deletes other leftovers of killed processes."""
        await self._call(self._objects.tidy)
        for source in (self._objects.all(), self._uploads.all()):
            while batch := await self._call(_next_ones, source):
                for one in batch:
                    yield one

    def link(self, file: File, seconds: int, now_ms: int) -> str:
        """Return a URL of our own API, signed."""
        return self._public_url + signed_path(self._link_key, file.file_id, now_ms // 1000 + seconds)

    async def ping(self) -> None:
        """Write and delete a small file."""
        await self._call(self._objects.try_to_write)

    async def close(self) -> None:
        """Cancel calls not yet begun, and return without waiting for running ones."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _next_ones(source: Iterator[StoredObject]) -> list[StoredObject]:
    return list(islice(source, _LISTED_AT_ONCE))
