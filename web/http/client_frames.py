"""Check the header of each frame from a client before aiohttp reads it (RFC 6455, section 5.2).

aiohttp accepts unmasked frames, forbidden to clients by section 5.1, and messages of any number of fragments.
"""

from __future__ import annotations

from typing import Protocol

MAX_PIECES = 64  # of one message, which has 4 KiB at most
_MASK_BYTES = 4
_REFUSED = b"\x83\x80"  # the header of a frame with an invalid opcode: aiohttp closes with 1002 immediately


class FrameReader(Protocol):
    """The part of aiohttp's ``WebSocketReader`` used by its protocol."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


class ClientFrames:
    """Checks frames and passes them to ``reader``. A refused frame is not passed on, and the connection is closed
    with 1002.
    """

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self._head = b""  # an incomplete frame header
        self._left_bytes = 0  # of the frame under way
        self._pieces = 0

    def feed_eof(self) -> None:
        """Pass on the end of the stream."""
        self._reader.feed_eof()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Check and pass on ``data``; return aiohttp's pair: whether to close the connection, and unread bytes
        (none).
        """
        if not data:  # aiohttp wants to go on with what it has
            return self._reader.feed_data(data)
        data, at = self._head + data, 0
        while True:
            step = min(self._left_bytes, len(data) - at)
            at += step
            self._left_bytes -= step
            size = _frame_bytes(data, at)
            if self._left_bytes or size is None:
                break
            if not data[at + 1] & 0x80 or self._is_in_too_many_pieces(data[at]):
                return self._reader.feed_data(data[:at] + _REFUSED)
            self._left_bytes = size
        self._head = b"" if self._left_bytes else data[at:]
        return self._reader.feed_data(data[:at])

    def _is_in_too_many_pieces(self, first_byte: int) -> bool:
        if first_byte & 0x0F < 8:  # not a control frame; those may come between fragments
            self._pieces = 0 if first_byte & 0x80 else self._pieces + 1
        return self._pieces > MAX_PIECES


def _frame_bytes(data: bytes, at: int) -> int | None:
    """Return the length of the frame at ``at``, ``None`` if its header is incomplete."""
    if len(data) - at < 2:
        return None
    length = data[at + 1] & 0x7F
    more = {126: 2, 127: 8}.get(length, 0)
    if len(data) - at < 2 + more:
        return None
    if more:
        length = int.from_bytes(data[at + 2 : at + 2 + more])
    return 2 + more + (_MASK_BYTES if data[at + 1] & 0x80 else 0) + length
