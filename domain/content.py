"""The rules for a message's text."""

from __future__ import annotations

from domain.errors import InvalidContent
from domain.records import MAX_CONTENT_BYTES
from domain.text import is_blank


def check_content(text: str, *, has_file: bool) -> str:
    """Return ``text`` unchanged if it can be delivered.

    Raises ``InvalidContent`` if it is over ``MAX_CONTENT_BYTES`` bytes of UTF-8, holds U+0000 or a lone surrogate
    (rejected by every channel), or without a file holds nothing visible.
    """
    if not has_file and is_blank(text):
        if text:
            raise InvalidContent("content must hold more than white space unless a file goes with it", "content")
        raise InvalidContent("content must not be empty unless a file goes with it", "content")
    if "\x00" in text:
        raise InvalidContent("content must not hold U+0000", "content")
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidContent("content must be valid Unicode: it holds a lone surrogate", "content") from None
    if size_bytes > MAX_CONTENT_BYTES:
        raise InvalidContent(f"content has {size_bytes} bytes of UTF-8; at most {MAX_CONTENT_BYTES}", "content")
    return text
