"""A request's body, read chunk by chunk. Another task can abort it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from domain.errors import Chat4AllError
from web.errors import BodyTimeout, MalformedBody


class Body:
    """``stall_seconds``: the longest wait for a byte. ``length``: the announced length, ``None`` if there is none."""

    def __init__(self, request: web.Request, stall_seconds: float) -> None:
        self.length = request.content_length if request.can_read_body else 0
        self._content = request.content
        self._stall_seconds = stall_seconds
        self._aborted_by: Chat4AllError | None = None
        self._reading: asyncio.Timeout | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes. Raises ``MalformedBody`` if they break off, ``BodyTimeout``, and the error of ``abort``."""
        while chunk := await self.read():
            yield chunk

    def abort(self, error: Chat4AllError) -> None:
        """End the reading: the reader gets ``error`` at its present or next read."""
        self._aborted_by = error
        if self._reading is not None:
            with suppress(RuntimeError):  # it is ending just now
                self._reading.reschedule(0)

    async def read(self) -> bytes:
        """Return the next bytes, none at the end. Raises as ``chunks``."""
        if self._aborted_by is not None:
            raise self._aborted_by
        try:
            async with asyncio.timeout(self._stall_seconds) as self._reading:
                return await self._content.readany()
        except TimeoutError:
            raise self._aborted_by or BodyTimeout(f"no data received for {self._stall_seconds:g} seconds") from None
        except (web.RequestPayloadError, HttpProcessingError, OSError, ValueError) as error:
            raise MalformedBody(f"the body ended early: {error}") from None
        finally:
            self._reading = None
