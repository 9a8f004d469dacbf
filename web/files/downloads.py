"""A file's bytes as an answer: whole or a range, always as an attachment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from aiohttp import ETag, web

from domain.disposition import attachment_header
from domain.errors import Chat4AllError, NotFound, Unavailable
from domain.files import File
from domain.ranges import ByteRange, Unsatisfiable, range_of
from web.errors import Gone
from web.files.registry import DELETED
from web.http.problems import Problem, problem_answer
from web.http.request_keys import REQUEST_ID
from web.http.responses import utc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from domain.ports import FileStore
    from web.files.registry import KnownFiles
    from web.files.transfer_throttle import Throttle
    from web.http.concurrency_limit import ConcurrencyLimit
    from web.http.metrics import Metrics

log = logging.getLogger(__name__)

_ANY_ETAG = "*"


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """The state shared by all downloads of this process. ``stall_seconds``: the longest time without a byte taken."""

    file_store: FileStore
    known_files: KnownFiles
    limit: ConcurrencyLimit
    throttle: Throttle
    metrics: Metrics
    stall_seconds: float


async def send_file(request: web.Request, downloads: Downloads, file: File) -> web.StreamResponse:
    """Answer with the file's bytes: 200, 206, 304, 412 or 416.

    Raises ``Unavailable``, ``NotFound`` before the answer has begun. If the store fails later, or the client takes
    nothing for too long, the connection is cut: a part can never pass for the whole.
    """
    headers = file_headers(file)
    if (settled := _settled(request, file, headers)) is not None:
        return settled
    size_bytes = file.metadata.size_bytes
    try:
        part = range_of(request.headers.get("Range"), size_bytes) if _wants_range(request, file) else None
    except Unsatisfiable:
        headers["Content-Range"] = f"bytes */{size_bytes}"
        problem = Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "range-not-satisfiable",
            f"the file has {size_bytes} bytes",
            headers={name: headers[name] for name in ("Content-Range", "Accept-Ranges", "ETag")},
        )
        return problem_answer(problem, request.rel_url.raw_path, request[REQUEST_ID])
    answer = web.StreamResponse(status=200 if part is None else 206, headers=headers)
    whole = part or ByteRange(0, size_bytes)
    answer.content_length = whole.length
    if part is not None:
        answer.headers["Content-Range"] = part.content_range(size_bytes)
    if request.method == "HEAD" or not whole.length:
        await answer.prepare(request)
        return answer
    with downloads.limit.acquire():
        await _stream(request, downloads, file, whole, answer)
    return answer


def file_headers(file: File) -> dict[str, str]:
    """Return the headers of a download. They keep browsers from displaying the file or guessing its type."""
    return {
        "Content-Type": file.metadata.mimetype,
        "Content-Disposition": attachment_header(file.metadata.filename),
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "ETag": f'"{_etag(file)}"',
        "Last-Modified": format_datetime(_modified(file), usegmt=True),
        "Cache-Control": "private, no-cache",  # may be kept by who got it, and is asked about each time
    }


async def _stream(
    request: web.Request, downloads: Downloads, file: File, part: ByteRange, answer: web.StreamResponse
) -> None:
    # an iterator that is a generator: it is closed, and its connection freed, as soon as the client is gone
    read = downloads.file_store.read(file.metadata.storage_path, part.start, part.length)
    chunks = cast("AsyncGenerator[bytes, None]", read)
    async with aclosing(chunks):
        try:
            first = await anext(chunks, b"")
        except NotFound:
            downloads.known_files.forget(file.file_id)
            known = await downloads.known_files.get(file.file_id)
            if known is not None and known.deleted_at_ms:
                raise Gone(DELETED) from None
            raise
        await answer.prepare(request)
        try:
            sent = 0
            async for chunk in _after(first, chunks):
                async with asyncio.timeout(downloads.stall_seconds):
                    await answer.write(chunk)
                sent += len(chunk)
                await downloads.throttle.acquire(len(chunk))
            if sent != part.length:
                raise Unavailable(f"the store had {sent} of {part.length} bytes of {file.metadata.storage_path}")
        except (Chat4AllError, TimeoutError) as error:
            log.warning("a download of file %s was cut off: %s", file.file_id, error or "the client reads nothing")
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the download was cut off") from None
    downloads.metrics.file_bytes_sent.count += part.length


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _settled(request: web.Request, file: File, headers: Mapping[str, str]) -> web.StreamResponse | None:
    """Return the answer if the request's conditions alone decide it (RFC 9110, section 13.2.2)."""
    etag, modified = _etag(file), _modified(file)
    kept = {name: headers[name] for name in ("ETag", "Last-Modified", "Cache-Control")}
    if request.if_match is not None:
        failed = not _matches(request.if_match, etag, weakly=False)
    else:
        failed = request.if_unmodified_since is not None and modified > request.if_unmodified_since
    if failed:
        problem = Problem(
            HTTPStatus.PRECONDITION_FAILED, "precondition-failed", "the file is not the one you named", headers=kept
        )
        return problem_answer(problem, request.rel_url.raw_path, request[REQUEST_ID])
    if request.if_none_match is not None:
        unchanged = _matches(request.if_none_match, etag, weakly=True)
    else:
        unchanged = request.if_modified_since is not None and modified <= request.if_modified_since
    return web.Response(status=304, headers=kept) if unchanged else None


def _wants_range(request: web.Request, file: File) -> bool:
    """Return whether Range counts: only for ``GET`` (RFC 9110, section 14.2), and with If-Range only for exactly this
    file.
    """
    if request.method != "GET":
        return False
    given = request.headers.get("If-Range")
    if given is None:
        return True
    if request.if_range is not None:
        return request.if_range == _modified(file)
    return given.strip() == f'"{_etag(file)}"'


def _matches(given: tuple[ETag, ...], etag: str, *, weakly: bool) -> bool:
    return any(one.value == _ANY_ETAG or (one.value == etag and (weakly or not one.is_weak)) for one in given)


def _etag(file: File) -> str:
    return file.metadata.checksum


def _modified(file: File) -> datetime:
    return utc(file.uploaded_at_ms)
