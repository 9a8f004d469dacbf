"""The byte range of a request (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# bytes=0-499   bytes=500-   bytes=-500
_RANGE = re.compile(r"[ \t]*bytes[ \t]*=(.*)", re.IGNORECASE | re.ASCII)
_SPEC = re.compile(r"[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*", re.ASCII)
_MAX_DIGITS = 19  # more are no position in any file; and int() of very many is slow


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``length`` bytes from ``start`` on, both in bytes, of a whole with at least one."""

    start: int
    length: int

    def content_range(self, size_bytes: int) -> str:
        """Return the value of ``Content-Range``."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size_bytes}"


class Unsatisfiable(ValueError):
    """No byte of the requested range exists: HTTP 416."""


def range_of(header: str | None, size_bytes: int) -> ByteRange | None:
    """Return the range requested by ``header``, of ``size_bytes``; ``None`` for the whole.

    An invalid header, another unit, and several ranges are ignored: RFC 9110 allows it for the last, and requires it
    for the others. Raises ``Unsatisfiable``.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None:
        return None
    spec = _SPEC.fullmatch(found[1])
    if spec is None or max(map(len, filter(None, spec.groups()))) > _MAX_DIGITS:
        return None
    first, last, suffix = spec.groups()
    if suffix is not None:
        length = min(int(suffix), size_bytes)
        if length == 0:
            raise Unsatisfiable
        return ByteRange(size_bytes - length, length)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size_bytes:
        raise Unsatisfiable
    end = min(int(last), size_bytes - 1) if last else size_bytes - 1
    return ByteRange(start, end - start + 1)
