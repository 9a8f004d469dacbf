"""A message's file as the body of a request: streamed, and of a known length."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from aiohttp import MultipartWriter
from aiohttp.payload import AsyncIterablePayload

from domain.errors import DeliveryFailed, Unavailable
from domain.files import extension_of
from domain.ports import Attachment

_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f"\\/]')


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


def file_form(fields: Mapping[str, str], file: FileBody, name: str = "file", filename: str = "") -> MultipartWriter:
    """Return a form (RFC 7578) of ``fields`` and then the file, under a plain name if ``filename`` is empty."""
    form = MultipartWriter("form-data")
    for field, value in fields.items():
        form.append(value).set_content_disposition("form-data", name=field)
    # as browsers send it: in UTF-8, without what could end it
    shown = _NOT_IN_A_NAME.sub("_", filename) or f"file{file.extension}"
    form.append_payload(file).set_content_disposition("form-data", quote_fields=False, name=name, filename=shown)
    return form
