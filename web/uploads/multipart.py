"""Incremental parser for multipart/form-data (RFC 7578, RFC 2046). No I/O; every step has a bound.

    parser = MultipartParser(b"the boundary")
    while not isinstance(event := parser.next_event(), FormEnded):
        if event is None:
            parser.feed(await more())  # b"" at the end of the body

Bytes after the last boundary are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

MAX_BOUNDARY_BYTES = 70  # RFC 2046, section 5.1.1
MAX_PREAMBLE_BYTES = 4_096  # before the first boundary
MAX_HEADERS_BYTES = 16_384  # of one part
MAX_HEADERS = 32  # of one part
MAX_PADDING_BYTES = 64  # white space after a boundary (RFC 2046: transport padding)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FOLDED = re.compile(rb"\r\n(?=[ \t])")


class MalformedForm(ValueError):
    """The bytes are not multipart/form-data, or exceed a bound named in the text."""


@dataclass(frozen=True, slots=True)
class PartBegun:
    """The headers of a part, with names in lower case; of a repeated header the first counts."""

    headers: Mapping[str, str]


class PartEnded:
    """All bytes of the part have arrived."""


class FormEnded:
    """The last boundary has arrived."""


Event = PartBegun | bytes | PartEnded | FormEnded


class _State(Enum):
    PREAMBLE = auto()
    BOUNDARY = auto()
    HEADERS = auto()
    DATA = auto()
    PART_END = auto()
    END = auto()


class MultipartParser:
    """Takes bytes by ``feed`` and gives events by ``next_event``.

    It holds the bytes of one ``feed`` and an incomplete token, limited by the bounds above. Raises ``MalformedForm``
    for a boundary not allowed by RFC 2046.
    """

    def __init__(self, boundary: bytes) -> None:
        if not 1 <= len(boundary) <= MAX_BOUNDARY_BYTES:
            raise MalformedForm(f"the boundary must have 1 to {MAX_BOUNDARY_BYTES} characters")
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # the first boundary need not have a line's end before it
        self._is_over = False
        self._state = _State.PREAMBLE
        self._headers_end = 0  # so many bytes before a part's data are not of it
        self._steps = {
            _State.PREAMBLE: self._skip_preamble,
            _State.BOUNDARY: self._end_boundary,
            _State.HEADERS: self._take_headers,
            _State.DATA: self._take_data,
            _State.PART_END: self._end_part,
            _State.END: FormEnded,
        }

    def feed(self, data: bytes) -> None:
        """Add bytes; ``b""`` marks the end of the body."""
        self._buffer = self._buffer + data if self._buffer else data
        self._is_over = not data

    def next_event(self) -> Event | None:
        """Return the next event, ``None`` if it needs more bytes. Raises ``MalformedForm``."""
        while True:
            state = self._state
            event = self._steps[state]()
            if event is not None:
                return event
            if self._state is state:
                break
        if self._is_over:
            raise MalformedForm("the form ends before its last boundary")
        return None

    def _go_on(self, at: int, state: _State) -> None:
        self._buffer, self._state = self._buffer[at:], state

    def _skip_preamble(self) -> None:
        most = MAX_PREAMBLE_BYTES + len(self._delimiter)
        at = self._buffer.find(self._delimiter, 0, most)
        if at >= 0:
            self._go_on(at + len(self._delimiter), _State.BOUNDARY)
        elif len(self._buffer) >= most:
            raise MalformedForm(f"the boundary is not among the first {MAX_PREAMBLE_BYTES} bytes of the form")

    def _end_boundary(self) -> None:
        """Read the rest of a boundary's line: two dashes end the form; a line end, perhaps after white space, begins
        a part.
        """
        begin = self._buffer[: MAX_PADDING_BYTES + 2]
        line_end = begin.lstrip(b" \t")
        if begin.startswith(b"--"):
            self._go_on(2, _State.END)
        elif line_end.startswith(b"\r\n"):
            # the line's end stays: a part without headers then ends its headers as any other part does
            self._go_on(len(begin) - len(line_end), _State.HEADERS)
        elif begin != b"-" and (line_end not in (b"", b"\r") or len(begin) > MAX_PADDING_BYTES + 1):
            raise MalformedForm("a boundary is followed by something else than the end of its line")

    def _take_headers(self) -> PartBegun | None:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADERS_BYTES)
        if end >= 0:
            block = self._buffer[2:end]
            # the line's end stays: some clients write the boundary of an empty part right after it
            self._go_on(end + 2, _State.DATA)
            self._headers_end = 2
            return PartBegun(_headers_of(block))
        if len(self._buffer) >= MAX_HEADERS_BYTES:
            raise MalformedForm(f"the headers of a part have more than {MAX_HEADERS_BYTES} bytes")
        return None

    def _take_data(self) -> bytes | None:
        buffer = self._buffer
        end = buffer.find(self._delimiter)
        if end >= 0:
            self._go_on(end + len(self._delimiter), _State.PART_END)
        else:
            end = self._begin_of_delimiter()
            self._buffer = buffer[end:]
        data = buffer[self._headers_end : end] if end else b""
        if end:
            self._headers_end = 0
        return data or None

    def _begin_of_delimiter(self) -> int:
        """Return where an incomplete delimiter may begin at the end of the buffer."""
        buffer = self._buffer
        at = buffer.find(b"\r", max(0, len(buffer) - len(self._delimiter) + 1))
        while at >= 0 and not self._delimiter.startswith(buffer[at:]):
            at = buffer.find(b"\r", at + 1)
        return at if at >= 0 else len(buffer)

    def _end_part(self) -> PartEnded:
        self._state = _State.BOUNDARY
        return PartEnded()


def _headers_of(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    lines = _FOLDED.sub(b"", block).split(b"\r\n") if block else []
    if len(lines) > MAX_HEADERS:
        raise MalformedForm(f"a part has more than {MAX_HEADERS} headers")
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or _CONTROLS.search(value):
            raise MalformedForm("the header of a part is not: name, colon, value")
        headers.setdefault(name.decode().lower(), value.strip(b" \t").decode("utf-8", "surrogateescape"))
    return headers
