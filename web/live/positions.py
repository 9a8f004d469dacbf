"""Where a reader of the log stands: an offset for every partition of ``messages`` and ``status-updates``.

A *log index* numbers the partitions of both topics: ``p`` is partition ``p`` of ``messages``, ``partitions + p`` is
partition ``p`` of ``status-updates``. As text (the ``cursor`` of a frame) it is base64url of a version byte and a
variable-length integer for each partition: 50 to 70 characters with 6 partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from web.cursors import CursorCodec, InvalidCursor, cursor_text

_VERSION = b"\x01"
_MAX_OFFSET = 2**63 - 1


class Positions:
    """The next offset of each partition. ``text`` is cheap after a change in one partition."""

    __slots__ = ("_parts", "offsets")

    def __init__(self, offsets: Iterable[int]) -> None:
        self.offsets = list(offsets)
        self._parts = [_varint(offset) for offset in self.offsets]

    def __setitem__(self, log_index: int, offset: int) -> None:
        self.offsets[log_index] = offset
        self._parts[log_index] = _varint(offset)

    def __getitem__(self, log_index: int) -> int:
        return self.offsets[log_index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Positions) and self.offsets == other.offsets

    def copy(self) -> Positions:
        """Return an independent copy."""
        copy = Positions(())
        copy.offsets, copy._parts = self.offsets.copy(), self._parts.copy()
        return copy

    def behind(self, others: Positions) -> int:
        """Return how many records lie between these positions and ``others``, summed over the partitions of
        ``others`` ahead.
        """
        return sum(max(0, theirs - own) for own, theirs in zip(self.offsets, others.offsets, strict=True))

    def packed(self) -> bytes:
        """Return the bytes of the cursor."""
        return _VERSION + b"".join(self._parts)

    def text(self) -> bytes:
        """Return the cursor."""
        return cursor_text(self.packed())


def live_cursor(partitions: int) -> CursorCodec[Positions]:
    """Return the codec of cursors with this number of log indexes."""
    return CursorCodec(pack=Positions.packed, unpack=partial(_unpacked, partitions))


def _unpacked(partitions: int, packed: bytes) -> Positions:
    offsets = _numbers(packed[1:]) if packed[:1] == _VERSION else []
    if len(offsets) != partitions or any(offset > _MAX_OFFSET for offset in offsets):
        raise InvalidCursor("not a cursor of this API, or of one with other partitions")
    return Positions(offsets)


def _varint(number: int) -> bytes:
    """Encode as LEB128: seven bits a byte, the lowest first; the highest bit marks a following byte."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _numbers(data: Sequence[int]) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return [] if shift else numbers
