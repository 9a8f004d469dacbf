"""The fake of the store of files: dicts in place of a folder or a bucket. It passes the same contract tests.

Set ``available = False`` and every call raises ``FileStoreUnavailable``; name methods in ``failing`` and those do.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from domain.errors import FileStoreUnavailable, NotFound
from domain.file_parts import check_part, check_parts, check_range
from domain.files import File, checked_key
from domain.ports import Part, StoredObject
from domain.signed_links import signed_path

_CHUNK_BYTES = 256 * 1024
# more than the bytes that sniffing reads and than those that are hashed without a thread (64 KiB each)
SMALL_PART = 128 * 1024


@dataclass(slots=True)
class _Upload:
    key: str
    begun_at_ms: int
    parts: dict[int, tuple[Part, bytes]] = field(default_factory=dict)


class MemoryFileStore:
    """``FileStore`` over two dicts. Its links are those of a folder: signed with ``key``, for ``public_url``."""

    def __init__(self, public_url: str = "", key: bytes = bytes(32), part_bytes: int = SMALL_PART) -> None:
        self.part_bytes = part_bytes
        self.available = True
        self.failing: set[str] = set()
        self.objects: dict[str, tuple[bytes, int]] = {}  # the bytes, and since when
        self.mimetypes: dict[str, str] = {}
        self.uploads: dict[str, _Upload] = {}
        self._public_url = public_url
        self._key = key

    def _check(self, method: str) -> None:
        if not self.available or method in self.failing:
            raise FileStoreUnavailable("the store of files is switched off")

    def _upload(self, key: str, upload: str) -> _Upload:
        checked_key(key)
        known = self.uploads.get(upload)
        if known is None or known.key != key:
            raise NotFound("this upload is gone")
        return known

    async def begin(self, key: str, mimetype: str) -> str:
        """Begin an upload in parts."""
        self._check("begin")
        upload = secrets.token_hex(8)
        self.uploads[upload] = _Upload(checked_key(key), _now_ms())
        self.mimetypes[key] = mimetype
        return upload

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Store a part."""
        self._check("put_part")
        check_part(number, len(data), self.part_bytes)
        part = Part(number, len(data), secrets.token_hex(8))
        self._upload(key, upload).parts[number] = (part, bytes(data))
        return part

    async def parts(self, key: str, upload: str) -> Sequence[Part]:
        """Return the parts that are there."""
        self._check("parts")
        return [part for _, (part, _) in sorted(self._upload(key, upload).parts.items())]

    async def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the parts the object."""
        self._check("finish")
        known = self._upload(key, upload)
        check_parts(parts, {number: part for number, (part, _) in known.parts.items()}, self.part_bytes)
        self.objects[key] = (b"".join(known.parts[part.number][1] for part in parts), _now_ms())
        del self.uploads[upload]

    async def put(self, key: str, data: bytes, mimetype: str) -> None:
        """Store a whole object."""
        self._check("put")
        if len(data) > self.part_bytes:
            raise ValueError(f"{len(data)} bytes: expected at most {self.part_bytes}")
        self.objects[checked_key(key)] = (bytes(data), _now_ms())
        self.mimetypes[key] = mimetype

    async def size(self, key: str) -> int | None:
        """Return the size of the object."""
        self._check("size")
        known = self.objects.get(checked_key(key))
        return None if known is None else len(known[0])

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the object's bytes."""
        self._check("read")
        check_range(start, length)
        if checked_key(key) not in self.objects:
            raise NotFound("this object is gone")
        data = self.objects[key][0]
        end = len(data) if length is None else min(len(data), start + length)
        for position in range(start, end, _CHUNK_BYTES):
            self._check("read")
            yield data[position : min(position + _CHUNK_BYTES, end)]

    async def move(self, source: str, target: str) -> None:
        """Give the object another key."""
        self._check("move")
        if checked_key(source) in self.objects:
            self.objects[checked_key(target)] = self.objects.pop(source)
        elif checked_key(target) not in self.objects:
            raise NotFound("this object is gone")

    async def copy(self, source: str, target: str) -> None:
        """Make another object of the same bytes."""
        self._check("copy")
        if checked_key(source) not in self.objects:
            raise NotFound("this object is gone")
        self.objects[checked_key(target)] = (self.objects[source][0], _now_ms())

    async def discard(self, key: str) -> None:
        """Delete the object and its unfinished uploads."""
        self._check("discard")
        self.objects.pop(checked_key(key), None)
        self._drop_uploads(key)

    async def abort(self, key: str) -> None:
        """Delete the unfinished uploads of the key."""
        self._check("abort")
        self._drop_uploads(checked_key(key))

    def _drop_uploads(self, key: str) -> None:
        for upload in [name for name, known in self.uploads.items() if known.key == key]:
            del self.uploads[upload]

    async def everything(self) -> AsyncIterator[StoredObject]:
        """Yield all objects and unfinished uploads."""
        self._check("everything")
        found = [StoredObject(key, len(data), since) for key, (data, since) in self.objects.items()]
        found += [StoredObject(known.key, 0, known.begun_at_ms, is_whole=False) for known in self.uploads.values()]
        for one in found:
            yield one

    def link(self, file: File, seconds: int, now_ms: int) -> str:
        """Return a signed URL."""
        return self._public_url + signed_path(self._key, file.file_id, now_ms // 1000 + seconds)

    async def ping(self) -> None:
        """Raises ``FileStoreUnavailable`` while switched off."""
        self._check("ping")

    async def close(self) -> None:
        """There is nothing to let go of."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
