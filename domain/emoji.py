"""Whether a text is one emoji."""

from __future__ import annotations

import unicodedata

from domain.graphemes import clusters

MOST_CHARS = 32  # of one emoji: families and flags of subdivisions have about a dozen
_KEYCAP = "\u20e3"


def is_emoji(text: str) -> bool:
    """Return whether ``text`` is one grapheme cluster that is no letter, number, mark or space.

    By properties that do not change: an emoji that is newer than Python's tables is one, too.
    """
    if not 0 < len(text) <= MOST_CHARS or len(list(clusters(text))) != 1:
        return False
    if text[0] in "0123456789#*":
        return text.endswith(_KEYCAP)
    return not text[0].isascii() and unicodedata.category(text[0])[0] in "SPC" and _is_visible(text[0])


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co")
