"""The cursor of a page of messages."""

from __future__ import annotations

from domain.ports import LogPosition
from web.cursors import CursorCodec, InvalidCursor

_MAX_INT64 = 2**63 - 1


def _pack(place: LogPosition) -> bytes:
    return f"{place.accepted_at_ms}.{place.position}".encode()


def _unpack(packed: bytes) -> LogPosition:
    accepted_at, dot, position = packed.decode("ascii").partition(".")
    place = LogPosition(int(accepted_at), int(position))
    if not dot or not 0 <= place.accepted_at_ms <= _MAX_INT64 or not 0 <= place.position <= _MAX_INT64:
        raise InvalidCursor
    return place


# the place of the last message on the page before
HISTORY_CURSOR = CursorCodec(pack=_pack, unpack=_unpack)
