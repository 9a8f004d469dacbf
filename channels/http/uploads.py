"""A message's file as the body of a request: streamed, and of a known length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from aiohttp import MultipartWriter
from aiohttp.payload import AsyncIterablePayload

from domain.errors import DeliveryFailed, Unavailable
from domain.files import extension_of
from domain.ports import Attachment


class FileBody(AsyncIterablePayload):
    """The bytes of ``attachment``. Providers refuse a body without ``Content-Length``, so its size is announced.

    ``fault``: the error with which reading ended; aiohttp wraps it into one of its own.
    """

    def __init__(self, attachment: Attachment) -> None:
        self.fault: DeliveryFailed | Unavailable | None = None
        self.extension = extension_of(attachment.metadata.filename)
        super().__init__(self._bytes_of(attachment), content_type=attachment.metadata.mimetype)
        self._size = attachment.metadata.size_bytes

    async def _bytes_of(self, attachment: Attachment) -> AsyncIterator[bytes]:
        try:
            async for chunk in attachment.read():
                yield chunk
        except (DeliveryFailed, Unavailable) as error:
            self.fault = error
            raise


def file_form(fields: Mapping[str, str], file: FileBody, name: str = "file") -> MultipartWriter:
    """Return a form (RFC 7578) of ``fields`` and then the file, under a plain name: the message holds the real one."""
    form = MultipartWriter("form-data")
    for field, value in fields.items():
        form.append(value).set_content_disposition("form-data", name=field)
    form.append_payload(file).set_content_disposition("form-data", name=name, filename=f"file{file.extension}")
    return form
