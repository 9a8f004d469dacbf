"""Determine a file's MIME type from its bytes. The client's statement counts only if the bytes leave it open."""

from __future__ import annotations

import mimetypes
import re

import puremagic

HEAD_BYTES = 64 * 1024  # so much of the beginning is looked at
UNKNOWN = "application/octet-stream"
TEXT = "text/plain"
# puremagic gives a tenth for each byte that matched: two bytes are also in every 65,536th file of noise
_SURE = 0.3
# What text may be called by its name: nothing that a browser would run
_KINDS_OF_TEXT = frozenset(
    {
        "text/csv",
        "text/tab-separated-values",
        "text/markdown",
        "text/vcard",
        "text/calendar",
        "application/json",
        "application/x-subrip",
    }
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MIMETYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}", re.ASCII)


def sniffed_type(head: bytes, filename: str) -> str:
    """Return the MIME type of a file from ``head``, its first bytes (at least ``HEAD_BYTES`` of them, or all).

    If the bytes fit several types (.docx and .xlsx are both ZIP archives), the name decides among those.
    """
    head = head[:HEAD_BYTES]
    called = mimetypes.guess_type(filename, strict=True)[0] or ""
    found = _matches(head)
    if called in dict(found):
        return called
    for mimetype, confidence in found:
        if confidence >= _SURE:
            return mimetype
    if _is_text(head):
        return called if called in _KINDS_OF_TEXT else TEXT
    return UNKNOWN


def _matches(head: bytes) -> list[tuple[str, float]]:
    """Return (type, confidence) of all types matching the bytes, the surest first."""
    if not head:
        return []
    try:
        found = puremagic.magic_string(head)
    except puremagic.PureError:
        return []
    return [(one.mime_type, one.confidence) for one in found if _MIMETYPE.fullmatch(one.mime_type)]


def _is_text(head: bytes) -> bool:
    """Return whether the bytes are UTF-8 without control characters. The last character may be incomplete."""
    if not head or _CONTROL.search(head):
        return False
    for cut in range(min(4, len(head))):
        try:
            head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
