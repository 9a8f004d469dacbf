"""Fetches a file of a person's message from its provider into the store of files."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from typing import cast

from domain.errors import DeliveryFailed, NotFound
from domain.files import FileMetadata, metadata_fault, safe_filename, storage_key
from domain.inbound import Media
from domain.ports import FileStore, Part, TwoWayConnector

UNKNOWN_TYPE = "application/octet-stream"


async def fetch_file(
    connector: TwoWayConnector, store: FileStore, media: Media, conversation_id: str, file_id: str, most_bytes: int
) -> FileMetadata:
    """Store the file under the key that follows from its ids, and return its metadata.

    A file that an earlier call stored is not fetched again: the provider may not have it any more. Raises
    ``DeliveryFailed`` if there is no such file, it is too large or not as announced; ``Unavailable`` if the provider or
    the store does not answer.
    """
    if media.size_bytes > most_bytes:
        raise DeliveryFailed("file-too-large", f"the file has {media.size_bytes} bytes; at most {most_bytes} are taken")
    mimetype = media.mime_type.partition(";")[0].strip().lower() or UNKNOWN_TYPE
    extension = mimetypes.guess_extension(mimetype) or ""
    filename = safe_filename(media.filename or f"{media.kind}{extension}")
    key = storage_key(conversation_id, file_id, filename)
    if (found := await _stored(store, key, most_bytes)) is not None and media.sha256.lower() in ("", found[1]):
        return _metadata(filename, *found, mimetype, key)
    chunks = connector.fetch(media, most_bytes)
    writer = _Writer(store, key, mimetype)
    async with aclosing(cast("_Closable", chunks)):
        async for chunk in chunks:
            if writer.size_bytes + len(chunk) > most_bytes:
                await store.discard(key)
                raise DeliveryFailed("file-too-large", f"the file has more than {most_bytes} bytes")
            await writer.write(chunk)
    digest = writer.digest
    if media.sha256 and media.sha256.lower() != digest:
        await store.discard(key)
        raise DeliveryFailed("file-corrupt", "the file is not the one that the provider announced")
    await writer.finish()
    return _metadata(filename, writer.size_bytes, digest, mimetype, key)


async def _stored(store: FileStore, key: str, most_bytes: int) -> tuple[int, str] | None:
    """Return the size and the SHA-256 of the object, ``None`` if there is none: an object is there whole or not."""
    size_bytes = await store.size(key)
    if size_bytes is None or size_bytes > most_bytes:
        return None
    digest = sha256()
    try:
        async with aclosing(cast("_Closable", store.read(key))) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
    except NotFound:  # deleted in between
        return None
    return size_bytes, digest.hexdigest()


def _metadata(filename: str, size_bytes: int, digest: str, mimetype: str, key: str) -> FileMetadata:
    metadata = FileMetadata(filename, size_bytes, mimetype, f"sha256:{digest}", key)
    if metadata_fault(metadata) == "mimetype":
        metadata = FileMetadata(filename, size_bytes, UNKNOWN_TYPE, f"sha256:{digest}", key)
    return metadata


class _Closable(AsyncIterator[bytes]):
    async def aclose(self) -> None: ...


class _Writer:
    """Writes one object: at once if it is small, in parts if it is not."""

    def __init__(self, store: FileStore, key: str, mimetype: str) -> None:
        self._store = store
        self._key = key
        self._mimetype = mimetype
        self._hash = sha256()
        self._buffer = bytearray()
        self._upload = ""
        self._parts: list[Part] = []
        self.size_bytes = 0

    @property
    def digest(self) -> str:
        """The SHA-256 of the written bytes, in hexadecimal."""
        return self._hash.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._hash.update(chunk)
        self._buffer += chunk
        self.size_bytes += len(chunk)
        size = self._store.part_bytes
        while len(self._buffer) > size:
            await self._put_part(bytes(self._buffer[:size]))
            del self._buffer[:size]

    async def finish(self) -> None:
        """Make the object."""
        if not self._upload:
            await self._store.put(self._key, bytes(self._buffer), self._mimetype)
            return
        await self._put_part(bytes(self._buffer))
        try:
            await self._store.finish(self._key, self._upload, self._parts)
        except NotFound as error:
            raise DeliveryFailed("file-missing", f"the store lost the file on its way: {error}") from None

    async def _put_part(self, data: bytes) -> None:
        if not self._upload:
            self._upload = await self._store.begin(self._key, self._mimetype)
        self._parts.append(await self._store.put_part(self._key, self._upload, len(self._parts) + 1, data))
