"""Files in a bucket of any S3, such as MinIO. Nothing here is MinIO's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree

import aiohttp

from domain.disposition import attachment_header
from domain.errors import Conflict, FileStoreUnavailable, InvalidInput, NotFound
from domain.file_parts import check_order, check_part, check_range
from domain.files import PART_BYTES, File, checked_key
from domain.ports import Part, StoredObject
from storage.s3_calls import ErrorResponse, Request, S3Calls, children_of, text_of
from storage.s3_config import S3Config

_CHUNK_BYTES = 1024 * 1024
_CALLS_AT_ONCE = 64
_READERS_AT_ONCE = 256  # of their own: clients who read slowly must not keep others from writing
_SLOWEST_COPY_BYTES_PER_SECOND = 20 * 1024 * 1024
_PING_KEY = ".ping"
_ROUNDS = 5
# the others: what MinIO says of a name that none can have
_NO_UPLOAD = frozenset({"NoSuchUpload", "XMinioInvalidObjectName", "XMinioInvalidResourceName"})
_NO_OBJECT = frozenset({"NoSuchKey", "HTTP 404"})
_WRONG_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})


class S3FileStore:
    """``FileStore`` over a bucket, created at its first use."""

    part_bytes = PART_BYTES  # the least that S3 takes

    def __init__(self, config: S3Config) -> None:
        self._config = config
        self._calls = S3Calls(config, _CALLS_AT_ONCE)
        self._readers = S3Calls(config, _READERS_AT_ONCE)

    async def begin(self, key: str, mimetype: str) -> str:
        """Begin an upload in parts. One whose answer is lost stays until ``discard``."""
        request = Request("POST", checked_key(key), {"uploads": ""}, {"Content-Type": mimetype})
        answer = await self._calls.call(request)
        upload = "" if answer.root is None else text_of(answer.root, "UploadId")
        if not upload:
            raise FileStoreUnavailable("the store of files began an upload without a name")
        return upload

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Store a part."""
        check_part(number, len(data))
        query = {"partNumber": str(number), "uploadId": _checked_upload(upload)}
        try:
            answer = await self._calls.call(Request("PUT", checked_key(key), query, body=data), _NO_UPLOAD)
        except ErrorResponse:
            raise NotFound("this upload is gone") from None
        return Part(number, len(data), _etag(answer.headers.get("ETag", "")))

    async def parts(self, key: str, upload: str) -> Sequence[Part]:
        """Return the stored parts."""
        found: list[Part] = []
        query = {"uploadId": _checked_upload(upload), "max-parts": "1000"}
        while True:
            try:
                answer = await self._calls.call(Request("GET", checked_key(key), query), _NO_UPLOAD)
            except ErrorResponse:
                raise NotFound("this upload is gone") from None
            found += map(_part_of, children_of(answer.root, "Part"))
            if answer.root is None or text_of(answer.root, "IsTruncated") != "true":
                return sorted(found, key=lambda part: part.number)
            query["part-number-marker"] = text_of(answer.root, "NextPartNumberMarker")

    async def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the parts the object. Not repeated here when the answer is lost: it would be ``NotFound``."""
        _checked_upload(upload)
        check_order(parts)
        names = (f"<Part><PartNumber>{part.number}</PartNumber><ETag>{_quoted(part)}</ETag></Part>" for part in parts)
        body = f"<CompleteMultipartUpload>{''.join(names)}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"}
        request = Request("POST", checked_key(key), {"uploadId": upload}, headers, body, repeatable=False)
        seconds = self._seconds_for(sum(part.size_bytes for part in parts))
        try:
            answer = await self._calls.call(request, _NO_UPLOAD | _WRONG_PARTS, seconds)
        except ErrorResponse as error:
            if error.code in _NO_UPLOAD:
                raise NotFound("this upload is gone") from None
            raise Conflict(f"the parts make no file ({error.code}); ask for the parts and name them again") from None
        if answer.root is None:  # status 200 came first, then nothing: whether it is done is not known
            raise FileStoreUnavailable("the store of files did not say whether an upload is finished")

    async def put(self, key: str, data: bytes, mimetype: str) -> None:
        """Store a whole object."""
        if len(data) > PART_BYTES:
            raise ValueError(f"{len(data)} bytes: expected at most {PART_BYTES}")
        await self._calls.call(Request("PUT", checked_key(key), headers={"Content-Type": mimetype}, body=data))

    async def size(self, key: str) -> int | None:
        """Return the size of the object. Needs the right to list the bucket: without it S3 says 403 in place of 404."""
        try:
            answer = await self._calls.call(Request("HEAD", checked_key(key)), _NO_OBJECT)
        except ErrorResponse:
            return None
        return int(answer.headers.get("Content-Length", 0))

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the object's bytes."""
        check_range(start, length)
        if length == 0:  # which a Range header cannot say
            if await self.size(key) is None:
                raise NotFound("this object is gone")
            return
        end = "" if length is None else start + length - 1
        headers = {"Range": f"bytes={start}-{end}"} if start or length is not None else {}
        try:
            expected = _NO_OBJECT | {"InvalidRange", "HTTP 416"}
            response = await self._readers.open(Request("GET", checked_key(key), headers=headers), expected)
        except ErrorResponse as error:
            if error.code in _NO_OBJECT:
                raise NotFound("this object is gone") from None
            return
        try:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                yield chunk
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError
            raise FileStoreUnavailable("the store of files stopped in the middle of an object") from error
        finally:
            response.close()  # gives the connection back if all was read, else ends it

    async def move(self, source: str, target: str) -> None:
        """Copy within the store (at most 5 GiB), then delete."""
        size = await self.size(source)
        if size is not None and source != target:
            with suppress(ErrorResponse):  # if another process was quicker, the target exists
                await self._copy(source, target, size)
                await self._calls.call(Request("DELETE", source))
                return
        if await self.size(target) is None:
            raise NotFound("this object is gone")

    async def copy(self, source: str, target: str) -> None:
        """Copy within the store (at most 5 GiB)."""
        size = await self.size(source)
        if size is None:
            raise NotFound("this object is gone")
        try:
            await self._copy(source, target, size)
        except ErrorResponse:
            raise NotFound("this object is gone") from None

    async def _copy(self, source: str, target: str, size_bytes: int) -> None:
        origin = quote(f"/{self._config.bucket}/{source}")
        request = Request("PUT", checked_key(target), headers={"x-amz-copy-source": origin})
        await self._calls.call(request, _NO_OBJECT, self._seconds_for(size_bytes))

    async def discard(self, key: str) -> None:
        """Delete the object and all its unfinished uploads."""
        await self.abort(key)  # first: one that is finished meanwhile becomes the object
        with suppress(ErrorResponse):
            await self._calls.call(Request("DELETE", key), _NO_OBJECT)

    async def abort(self, key: str) -> None:
        """Delete the unfinished uploads of the key."""
        for _ in range(_ROUNDS):  # a part that was on its way may outlive the first round
            uploads = [upload async for found, upload, _ in self._uploads(checked_key(key)) if found == key]
            for upload in uploads:
                with suppress(ErrorResponse):
                    await self._calls.call(Request("DELETE", key, {"uploadId": upload}), _NO_UPLOAD)
            if not uploads:
                return

    async def everything(self) -> AsyncIterator[StoredObject]:
        """Yield all objects and, where the store lists them (MinIO does not), all unfinished uploads."""
        query = {"list-type": "2", "max-keys": "1000"}
        while True:
            root = (await self._calls.call(Request("GET", query=query))).root
            for item in children_of(root, "Contents"):
                key = text_of(item, "Key")
                if _is_ours(key):
                    modified_at_ms = _epoch_ms(text_of(item, "LastModified"))
                    yield StoredObject(key, int(text_of(item, "Size")), modified_at_ms)
            if root is None or text_of(root, "IsTruncated") != "true":
                break
            query["continuation-token"] = text_of(root, "NextContinuationToken")
        async for key, _, begun_at_ms in self._uploads(""):
            if _is_ours(key):
                yield StoredObject(key, 0, begun_at_ms, is_whole=False)

    def link(self, file: File, seconds: int, now_ms: int) -> str:
        """Return a presigned URL, valid for at most 7 days as S3 demands."""
        metadata = file.metadata
        query = {
            "response-content-disposition": attachment_header(metadata.filename),
            "response-content-type": metadata.mimetype,
        }
        return self._config.presigned(metadata.storage_path, query, seconds, now_ms)

    async def ping(self) -> None:
        """Write a small object, always the same."""
        await self._calls.call(Request("PUT", _PING_KEY, body=b"ping"))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
        await self._readers.close()

    async def _uploads(self, prefix: str) -> AsyncIterator[tuple[str, str, int]]:
        """Yield key, name and time of the unfinished uploads with the prefix ``prefix``. MinIO lists only uploads of
        exactly this key, and none without a prefix."""
        query = {"uploads": "", "prefix": prefix, "max-uploads": "1000"}
        while True:
            root = (await self._calls.call(Request("GET", query=query))).root
            for item in children_of(root, "Upload"):
                yield text_of(item, "Key"), text_of(item, "UploadId"), _epoch_ms(text_of(item, "Initiated"))
            if root is None or text_of(root, "IsTruncated") != "true":
                return
            query["key-marker"] = text_of(root, "NextKeyMarker")
            query["upload-id-marker"] = text_of(root, "NextUploadIdMarker")

    def _seconds_for(self, size_bytes: int) -> float:
        return self._config.timeout_seconds + size_bytes / _SLOWEST_COPY_BYTES_PER_SECOND


def _checked_upload(upload: str) -> str:
    # without a name, a part would be taken for a whole object
    if not upload or not upload.isascii() or not upload.isprintable():
        raise NotFound("this upload is gone")
    return upload


def _is_ours(key: str) -> bool:
    with suppress(InvalidInput):
        return key != _PING_KEY and bool(checked_key(key))
    return False


def _etag(header: str) -> str:
    return header.strip('"')


def _quoted(part: Part) -> str:
    escaped = part.etag.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f"&quot;{escaped}&quot;"


def _part_of(element: ElementTree.Element) -> Part:
    size_bytes = int(text_of(element, "Size"))
    return Part(int(text_of(element, "PartNumber")), size_bytes, _etag(text_of(element, "ETag")))


def _epoch_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000) if text else 0
