"""Opaque cursors: one codec between a typed position and the text that clients hold.

Pages of messages (``web.history``), pages of conversations (``web.conversations``) and live events (``web.live``) each
declare their bytes. A client may hold a cursor for months, so the bytes of a format never change.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_CHARS = 8_192


class InvalidCursor(ValueError):
    """The text is not a cursor of the codec."""

    def __init__(self, message: str = "not a cursor of this API") -> None:
        super().__init__(message)


def cursor_text(packed: bytes) -> bytes:
    """Return the text of a cursor with these bytes: base64url without padding."""
    return base64.urlsafe_b64encode(packed).rstrip(b"=")


class CursorCodec(Generic[T]):
    """Encodes positions of type ``T``.

    ``pack`` returns a position's bytes. ``unpack`` reverses it; for other bytes it raises ``ValueError``. The
    ``message`` of an ``InvalidCursor`` from ``unpack`` reaches the client. ``max_chars`` bounds the text to decode.
    """

    def __init__(self, *, pack: Callable[[T], bytes], unpack: Callable[[bytes], T], max_chars: int = MAX_CHARS) -> None:
        self._pack = pack
        self._unpack = unpack
        self._max_chars = max_chars

    def encode(self, position: T) -> str:
        """Return the cursor of ``position``."""
        return cursor_text(self._pack(position)).decode()

    def decode(self, text: str) -> T:
        """Return the position of a cursor. Raises ``InvalidCursor`` for any other text."""
        if len(text) > self._max_chars:
            raise InvalidCursor
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            return self._unpack(base64.b64decode(padded, altchars=b"-_", validate=True))
        except InvalidCursor:
            raise
        except ValueError:  # also of base64 and of the character sets
            raise InvalidCursor from None
