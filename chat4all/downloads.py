"""Resumable downloads, verified by checksum.

GET /v1/files/{id}                                                  size and SHA-256
GET /v1/files/{id}/content   Range: bytes=N-, If-Range: its ETag    -> 206 the rest, or 200 all of it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import aiohttp

from chat4all.errors import ApiUnavailable, ClientError, Damaged
from chat4all.part_file import Sink
from chat4all.retry_budget import RetryBudget
from chat4all.transfers import CHUNK_BYTES, OnProgress, Step
from chat4all.transport import Answer, Transport

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_PASSING = (429, 502, 503, 504)
_NOT_SATISFIABLE = 416


class Downloading:
    """One file (a document of the API) on its way. ``seconds``: how long to go without a further byte."""

    def __init__(
        self, transport: Transport, file: Mapping[str, Any], sink: Sink, on_progress: OnProgress, seconds: float
    ) -> None:
        self._transport = transport
        self._path = f"/v1/files/{file['file_id']}/content"
        self._size_bytes = int(file["size_bytes"])
        self._checksum = str(file["checksum"])
        self._sink = sink
        self._on_progress = on_progress
        self._seconds = seconds

    async def run(self) -> None:
        """Return when all bytes are present and verified. A wrong remainder of an earlier download is fetched again.

        Raises ``Damaged``, ``LocalFault``, ``ApiUnavailable``, ``ApiError``.
        """
        had_some = self._sink.size_bytes > 0
        await self._fetch()
        if self._sink.checksum() != self._checksum and had_some and await self._sink.restart():
            await self._fetch()
        if self._sink.checksum() != self._checksum:
            await self._sink.restart()
            raise Damaged("the received bytes differ from the file's SHA-256; download it again")
        await self._sink.keep()

    async def _fetch(self) -> None:
        budget = RetryBudget(self._seconds)
        self._tell()
        while (before := self._sink.size_bytes) < self._size_bytes:
            asked_seconds: float | None = None
            trouble: ClientError
            try:
                refusal = await self._get_rest()
                trouble = ApiUnavailable(f"{self._transport.url} sends no more of the file")
                if refusal is not None:
                    trouble, asked_seconds = self._transport.error_of(refusal), refusal.retry_after_seconds
                    if refusal.status == _NOT_SATISFIABLE:
                        await self._start_again()
                    elif refusal.status not in _PASSING:
                        raise trouble
            except ApiUnavailable as error:
                if not self._transport.has_answered:
                    raise
                trouble = error
            if self._sink.size_bytes > before:
                budget.renew()
            if self._sink.size_bytes < self._size_bytes and not await budget.wait(asked_seconds):
                raise trouble

    async def _get_rest(self) -> Answer | None:
        """Request the missing bytes, refreshing the token if needed. Return the API's refusal, if any."""
        token = self._transport.tokens.access_token
        refusal = await self._get(token)
        if refusal is not None and refusal.status == 401 and await self._transport.refresh(token):
            return await self._get(self._transport.tokens.access_token)
        return refusal

    async def _get(self, token: str) -> Answer | None:
        headers = {"Accept-Encoding": "identity"}
        if self._sink.size_bytes:
            headers |= {"Range": f"bytes={self._sink.size_bytes}-", "If-Range": f'"{self._checksum}"'}
        async with self._transport.stream(self._path, token, headers) as answer:
            if isinstance(answer, Answer):
                return answer
            await self._check_start(answer)
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                if self._sink.size_bytes + len(chunk) > self._size_bytes:
                    raise Damaged(f"more than the file's {self._size_bytes} bytes came")
                await self._sink.write(chunk)
                self._tell()
        return None

    async def _check_start(self, answer: aiohttp.ClientResponse) -> None:
        """Check that the response continues at the current offset: the whole file, or exactly the rest."""
        if answer.status == 200:
            await self._start_again()
            return
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if answer.status != 206 or not found or int(found[1]) != self._sink.size_bytes:
            raise ApiUnavailable(f"{self._transport.url} is not a Chat4All API: GET {self._path}: another range")

    async def _start_again(self) -> None:
        if self._sink.size_bytes and not await self._sink.restart():
            raise Damaged("the download can only start over, and part of it is already in the output")

    def _tell(self) -> None:
        self._on_progress(Step.DOWNLOADING, self._sink.size_bytes, self._size_bytes)
