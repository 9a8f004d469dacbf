"""A form with a file, as it comes: multipart/form-data (RFC 7578) with its fields in any order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from domain.errors import InvalidInput
from web.problems import BodyTimeout, MalformedBody

# aiohttp's parser works on each chunk with a few copies of it; what a socket gives at once is about so much
READ_BYTES = 128 * 1024
MAX_FIELD_BYTES = 4_096
MAX_FIELDS = 16
T = TypeVar("T")


class Form:
    """The fields of the request's form, one after the other. ``stall_seconds`` is how long no byte may come."""

    def __init__(self, request: web.Request, stall_seconds: float) -> None:
        self._request = request
        self._stall_seconds = stall_seconds

    async def fields(self) -> AsyncIterator[BodyPartReader]:
        """Yield each field; what of it was not read by the time of the next is thrown away.

        Raises ``MalformedBody``, ``BodyTimeout``.
        """
        if self._request.content_type != "multipart/form-data":
            raise MalformedBody("send the file as multipart/form-data, with the fields conversation_id and file")
        try:
            reader = await self._request.multipart()
        except (ValueError, AssertionError, KeyError) as error:
            raise MalformedBody(f"no multipart/form-data: {error}") from None
        for _ in range(MAX_FIELDS):
            field = await self._in_time(reader.next())
            if field is None:
                return
            if not isinstance(field, BodyPartReader):
                raise MalformedBody("a form's field cannot have parts itself")
            if "Content-Transfer-Encoding" in field.headers or "Content-Encoding" in field.headers:
                raise MalformedBody("a field's bytes must come as they are, without an encoding")
            yield field
            if not field.at_eof():
                await self.text_of(field)
        raise MalformedBody(f"a form may have {MAX_FIELDS} fields at most")

    async def text_of(self, field: BodyPartReader) -> str:
        """Return the field's text. Raises ``InvalidInput`` if it is too long or no UTF-8."""
        text = bytearray()
        async for chunk in self.chunks_of(field):
            text += chunk
            if len(text) > MAX_FIELD_BYTES:
                raise InvalidInput(f"has more than {MAX_FIELD_BYTES} bytes", field.name or "")
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise InvalidInput("is not UTF-8", field.name or "") from None

    async def chunks_of(self, field: BodyPartReader) -> AsyncIterator[bytes]:
        """Yield the field's bytes as they come. Raises ``MalformedBody`` if they break off."""
        while chunk := await self._in_time(field.read_chunk(READ_BYTES)):
            yield chunk

    async def _in_time(self, coming: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._stall_seconds):
                return await coming
        except TimeoutError:
            raise BodyTimeout(f"no byte came for {self._stall_seconds:g} seconds") from None
        except (web.RequestPayloadError, HttpProcessingError, ValueError) as error:
            raise MalformedBody(f"the body broke off, or is no multipart/form-data: {error}") from None
