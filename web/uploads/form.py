"""A form with a file, parsed while it arrives: multipart/form-data (RFC 7578) with its fields in any order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from domain.errors import InvalidInput
from web.errors import MalformedBody
from web.uploads.body import Body
from web.uploads.field_headers import UNCHANGED, codec_of, filename_of, parameters_of, unescaped
from web.uploads.multipart import Event, MalformedForm, MultipartParser, PartBegun

MAX_FIELD_BYTES = 4_096
MAX_FIELDS = 16
CHARSET_FIELD = "_charset_"  # RFC 7578, section 4.6


@dataclass(slots=True)
class Field:
    """A part of the form. ``filename``: as the client wrote it, ``None`` if it has none. ``charset``: of its text."""

    name: str
    filename: str | None
    charset: str
    is_at_end: bool = False


class Form:
    """The fields of the form in ``body``, in order. ``content_type``: the request's header."""

    def __init__(self, content_type: str, body: Body) -> None:
        self._content_type = content_type
        self._body = body
        self._parser: MultipartParser
        self._charset = ""

    async def fields(self) -> AsyncIterator[Field]:
        """Yield each field; unread bytes of a field are discarded before the next one.

        Raises ``MalformedBody``, ``BodyTimeout``, ``InvalidInput``.
        """
        self._parser = _parser_of(self._content_type)
        for _ in range(MAX_FIELDS):
            if not isinstance(event := await self._next(), PartBegun):
                return
            field = _field_of(event, self._charset)
            if field.name == CHARSET_FIELD:
                self._charset = await self.text_of(field)
                continue
            yield field
            if not field.is_at_end:
                await self.text_of(field)
        if isinstance(await self._next(), PartBegun):
            raise MalformedBody(f"a form may have {MAX_FIELDS} fields at most")

    async def text_of(self, field: Field) -> str:
        """Return the field's text. Raises ``InvalidInput`` if it is too long or not in its charset."""
        text = bytearray()
        async for chunk in self.chunks_of(field):
            text += chunk
            if len(text) > MAX_FIELD_BYTES:
                raise InvalidInput(f"has more than {MAX_FIELD_BYTES} bytes", field.name)
        codec = codec_of(field.charset)
        try:
            return text.decode(codec)
        except UnicodeDecodeError:
            raise InvalidInput(f"is not {codec.upper()}", field.name) from None

    async def chunks_of(self, field: Field) -> AsyncIterator[bytes]:
        """Yield the field's bytes as they arrive. Raises ``MalformedBody`` if they break off."""
        while isinstance(event := await self._next(), bytes):
            yield event
        field.is_at_end = True

    async def _next(self) -> Event:
        try:
            while (event := self._parser.next_event()) is None:
                self._parser.feed(await self._body.read())
        except MalformedForm as error:
            raise MalformedBody(f"no multipart/form-data: {error}") from None
        return event


def _parser_of(content_type: str) -> MultipartParser:
    try:
        kind, parameters = parameters_of(content_type)
        if kind == "multipart/form-data" and "boundary" in parameters:
            return MultipartParser(parameters["boundary"].encode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise MalformedBody(f"no multipart/form-data: {error}") from None
    raise MalformedBody("send the file as multipart/form-data, with a boundary and the fields conversation_id and file")


def _field_of(part: PartBegun, charset: str) -> Field:
    for header in ("content-transfer-encoding", "content-encoding"):
        if (encoding := part.headers.get(header, "").lower()) not in UNCHANGED:
            raise MalformedBody(f"a field must be sent without a transfer encoding such as {encoding[:40]!r}")
    try:
        _, parameters = parameters_of(part.headers.get("content-disposition", ""))
    except ValueError as error:
        raise MalformedBody(f"the Content-Disposition of a field: {error}") from None
    name = parameters.get("name")
    if name is None:
        raise MalformedBody('each field needs a Content-Disposition: form-data; name="…"')
    return Field(unescaped(name), filename_of(parameters), _charset_of(part.headers.get("content-type", "")) or charset)


def _charset_of(content_type: str) -> str:
    try:
        return parameters_of(content_type)[1].get("charset", "")
    except ValueError:  # an invalid type is ignored; the bytes determine it
        return ""
