"""Resumable uploads: tus 1.0 (tus.io/protocols/resumable-upload), core and creation.

    POST /v1/uploads             Upload-Length, Upload-Metadata   -> 201 Location, the upload's id is the file's
    HEAD /v1/uploads/{id}                                         -> 200 Upload-Offset, also when it is whole
    PATCH /v1/uploads/{id}       Upload-Offset, bytes             -> 204 Upload-Offset
    GET /v1/files/{id}           once all bytes are there

Requests are bounded. One request for all would be some per cent faster at best, and worse at all else: what a request
brought counts for certain only once it is answered, a balancer or a restart in good order waits for requests to end,
and a token is looked at only when one begins.

The checksum is known before the first byte goes out, at the price of reading the file once more (2 GiB: seconds). The
server compares it with the bytes and makes no file of others. Resuming a day later needs no second reading of the part
already sent.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import Any, Protocol

from chat4all.contract import PART_BYTES
from chat4all.errors import ApiUnavailable, ClientError, Damaged, NotFound
from chat4all.retry_budget import RetryBudget
from chat4all.source import Fingerprint, Source
from chat4all.transfers import OnProgress, Step
from chat4all.transport import STALL_SECONDS, Answer, Transport

# of one request; whole parts, so that the server need not keep a rest
REQUEST_BYTES = 16 * PART_BYTES
EXPIRY_SECONDS = 86_400.0  # of an upload whose server says nothing about it
_TUS = {"Tus-Resumable": "1.0.0"}
_GONE = (404, 410)
# another request has it (perhaps one of ours that broke off), or is ahead of us; or not now
_PASSING = (409, 423, 429, 502, 503, 504)
_CHECKSUM_MISMATCH = 460
_NOTED_AGAIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Begun:
    """An unfinished upload, resumable until ``expires_at`` (epoch seconds)."""

    upload_id: str
    checksum: str
    fingerprint: Fingerprint
    expires_at: float


class UploadStore(Protocol):
    """Remembers unfinished uploads for later processes.

    A file that was uploaded to its end is remembered, too, until the caller forgets it: so what is to be done with the
    file can be repeated without another upload.
    """

    async def recall(self, path: Path, conversation_id: str) -> Begun | None: ...

    async def remember(self, path: Path, conversation_id: str, begun: Begun) -> None: ...

    async def forget(self, path: Path, conversation_id: str) -> None: ...


class _Gone(Exception):
    """There is no such upload (any more)."""


class Uploading:
    """One file on its way into a conversation. ``seconds``: how long to go without getting any further."""

    def __init__(
        self,
        transport: Transport,
        source: Source,
        conversation_id: str,
        upload_store: UploadStore | None,
        on_progress: OnProgress,
        seconds: float,
    ) -> None:
        self._transport = transport
        self._source = source
        self._conversation_id = conversation_id
        self._path = source.path.absolute()
        self._upload_store = upload_store
        self._on_progress = on_progress
        self._seconds = seconds
        self._checksum = ""

    async def run(self) -> dict[str, Any]:
        """Return the file once it is whole. Raises ``ClientError``."""
        begun = await self._recalled()
        if begun is not None:
            self._checksum = begun.checksum
            try:
                return await self._completed(begun, None)
            except _Gone:  # it has expired; once more, from the start
                pass
        self._checksum = self._checksum or await self._source.checksum(self._on_progress)
        try:
            return await self._completed(await self._begin(), 0)
        except _Gone:
            raise NotFound(404, "the upload was ended by somebody else, or took too long; begin again") from None

    async def _recalled(self) -> Begun | None:
        """Return the unfinished upload of this file; forget it if the file has changed."""
        if self._upload_store is None:
            return None
        found = await self._upload_store.recall(self._path, self._conversation_id)
        if found is None or found.fingerprint == self._source.fingerprint:
            return found
        await self._upload_store.forget(self._path, self._conversation_id)
        return None

    async def _begin(self) -> Begun:
        metadata = {
            "filename": self._path.name,  # the server makes it safe
            "conversation_id": self._conversation_id,
            "checksum": self._checksum,
        }
        encoded = ",".join(f"{name} {_base64(value)}" for name, value in metadata.items())
        headers = {**_TUS, "Upload-Length": str(self._source.size_bytes), "Upload-Metadata": encoded}
        # repeated if no answer comes: what was begun for nothing has no bytes, and expires
        answer = await self._transport.request(
            "POST", "/v1/uploads", headers=headers, is_repeatable=True, retry_seconds=self._seconds
        )
        upload_id = answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        if not upload_id:
            raise ApiUnavailable(f"{self._transport.url} is not a Chat4All API: POST /v1/uploads without a Location")
        begun = Begun(upload_id, self._checksum, self._source.fingerprint, _expiry_of(answer))
        if self._upload_store is not None:
            await self._upload_store.remember(self._path, self._conversation_id, begun)
        return begun

    async def _completed(self, begun: Begun, offset: int | None) -> dict[str, Any]:
        """Send the bytes from ``offset`` on (``None``: ask the server); return the file. Raises ``_Gone``."""
        try:
            await self._send_rest(begun, offset)
        except _Gone:
            await self._forget()
            raise
        return await self._file(begun)

    async def _send_rest(self, begun: Begun, offset: int | None) -> None:
        budget = RetryBudget(self._seconds)
        furthest = -1
        while offset is None or offset < self._source.size_bytes:
            asked_seconds: float | None = None
            try:
                answer = await self._asked(begun, offset)
            except ApiUnavailable as error:
                if not self._transport.has_answered:
                    raise
                trouble: ClientError = error
            else:
                if answer.status < 300:
                    begun = await self._noted(begun, answer)
                    was_sent, offset = offset is not None, self._offset_of(answer)
                    if offset > furthest:
                        furthest = offset
                        budget.renew()
                        continue
                    if not was_sent:
                        continue
                    trouble = ApiUnavailable(f"{self._transport.url} takes no more of the upload")
                else:
                    trouble, asked_seconds = await self._trouble_of(answer), answer.retry_after_seconds
            offset = None
            if not await budget.wait(asked_seconds):
                raise trouble

    async def _asked(self, begun: Begun, offset: int | None) -> Answer:
        """Send the bytes at ``offset``. Ask for the offset if it is ``None`` or the token had to be refreshed."""
        token = self._transport.tokens.access_token
        answer = await (self._ask_offset(begun, token) if offset is None else self._send(begun, offset, token))
        if answer.status == 401 and await self._transport.refresh(token):
            return await self._ask_offset(begun, self._transport.tokens.access_token)
        return answer

    async def _trouble_of(self, answer: Answer) -> ClientError:
        """Return the error if it is temporary. Raises ``_Gone``, ``Damaged``, or a permanent ``ApiError``."""
        if answer.status in _GONE:
            raise _Gone
        error = self._transport.error_of(answer)
        if answer.status in _PASSING:
            return error
        if answer.status == _CHECKSUM_MISMATCH or "checksum" in dict(getattr(error, "fields", ())):
            await self._forget()
            await self._source.check_unchanged()
            raise Damaged("what arrived is not the file, by its SHA-256; nothing of it was kept: upload it again")
        raise error

    async def _ask_offset(self, begun: Begun, token: str) -> Answer:
        return await self._transport.send("HEAD", f"/v1/uploads/{begun.upload_id}", token, headers=_TUS)

    async def _send(self, begun: Begun, offset: int, token: str) -> Answer:
        """Send the bytes of one request. A standstill of ``STALL_SECONDS`` ends it, as a lost connection does."""
        length = min(REQUEST_BYTES, self._source.size_bytes - offset)
        headers = {
            **_TUS,
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(length),
            "Upload-Offset": str(offset),
        }
        clock = asyncio.get_running_loop().time
        fault: ClientError | None = None

        def give(until: float | None) -> None:
            with suppress(RuntimeError):  # the answer came before the body's end
                limit.reschedule(until)

        try:
            async with asyncio.timeout(STALL_SECONDS) as limit:

                async def body() -> AsyncIterator[bytes]:
                    nonlocal fault
                    sent = offset
                    try:
                        async for chunk in self._source.chunks(offset, length):
                            self._on_progress(Step.UPLOADING, sent, self._source.size_bytes)
                            yield chunk
                            sent += len(chunk)
                            give(clock() + STALL_SECONDS)
                    except ClientError as error:  # aiohttp would tell only that something was wrong
                        fault = error
                        raise
                    give(None)  # from here on the answer's own limit counts

                answer = await self._transport.send(
                    "PATCH", f"/v1/uploads/{begun.upload_id}", token, headers=headers, chunks=body()
                )
        except TimeoutError:
            raise ApiUnavailable(f"{self._transport.url} takes nothing any more") from None
        except ApiUnavailable:
            if fault is not None:
                raise fault from None
            raise
        return answer

    def _offset_of(self, answer: Answer) -> int:
        given = answer.headers.get("Upload-Offset", "")
        if not given.isdecimal() or int(given) > self._source.size_bytes:
            raise ApiUnavailable(f"{self._transport.url} is not a Chat4All API: an upload without its offset")
        offset = int(given)
        self._on_progress(Step.UPLOADING, offset, self._source.size_bytes)
        return offset

    async def _noted(self, begun: Begun, answer: Answer) -> Begun:
        """Remember that there is more time now."""
        if self._upload_store is None or "Upload-Expires" not in answer.headers:
            return begun
        later = replace(begun, expires_at=_expiry_of(answer))
        if later.expires_at < begun.expires_at + _NOTED_AGAIN_SECONDS:
            return begun
        await self._upload_store.remember(self._path, self._conversation_id, later)
        return later

    async def _file(self, begun: Begun) -> dict[str, Any]:
        file = await self._transport.call("GET", f"/v1/files/{begun.upload_id}", retry_seconds=self._seconds)
        if file.get("checksum") != self._checksum:
            await self._forget()
            raise Damaged(f"file {begun.upload_id} is there, and is not what was sent, by its SHA-256; do not use it")
        return file

    async def _forget(self) -> None:
        if self._upload_store is not None:
            await self._upload_store.forget(self._path, self._conversation_id)


def _base64(text: str) -> str:
    """Return ``text`` in base64, without lone surrogates (from file names outside UTF-8)."""
    return b64encode(text.encode(errors="ignore")).decode()


def _expiry_of(answer: Answer) -> float:
    """Return the upload's expiry by the local clock, from the difference of two server times."""
    try:
        expires_at, now = (parsedate_to_datetime(answer.headers.get(name, "")) for name in ("Upload-Expires", "Date"))
    except ValueError:
        return time() + EXPIRY_SECONDS
    return time() + (expires_at - now).total_seconds()
