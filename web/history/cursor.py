"""The cursor of a page of messages."""

from __future__ import annotations

from domain.ports import LogPosition
from web.cursors import CursorCodec, InvalidCursor

_MAX_INT64 = 2**63 - 1


def _pack(position: LogPosition) -> bytes:
    return f"{position.accepted_at_ms}.{position.offset}".encode()


def _unpack(packed: bytes) -> LogPosition:
    accepted_at, dot, offset = packed.decode("ascii").partition(".")
    position = LogPosition(int(accepted_at), int(offset))
    if not dot or not 0 <= position.accepted_at_ms <= _MAX_INT64 or not 0 <= position.offset <= _MAX_INT64:
        raise InvalidCursor
    return position


# the position of the last message on the page before
HISTORY_CURSOR = CursorCodec(pack=_pack, unpack=_unpack)
