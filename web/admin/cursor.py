"""The cursor of a page of dead letters: for each partition the next offset, and where the first page saw the end."""

from __future__ import annotations

from web.admin.record_log import Ranges
from web.cursors import CursorCodec, InvalidCursor

_MAX_INT64 = 2**63 - 1
_MAX_PARTITIONS = 512


def _pack(ranges: Ranges) -> bytes:
    return ",".join(f"{n}.{first}.{stop}" for n, (first, stop) in sorted(ranges.items())).encode()


def _unpack(packed: bytes) -> Ranges:
    parts = packed.decode("ascii").split(",")
    if len(parts) > _MAX_PARTITIONS:
        raise InvalidCursor
    ranges = {}
    for part in parts:
        partition, first, stop = (int(number) for number in part.split("."))
        if not 0 <= partition <= _MAX_INT64 or not 0 <= first <= stop <= _MAX_INT64:
            raise InvalidCursor
        ranges[partition] = first, stop
    return ranges


LETTER_CURSOR = CursorCodec[Ranges](pack=_pack, unpack=_unpack)
