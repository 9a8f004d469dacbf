"""Where a text may be cut: not inside a grapheme cluster (Unicode Standard Annex 29).

Rules that only ever join more than the annex does are simplified here: a cut in another place does no harm.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_JOINER = "\u200d"
_VIRAMA = 9  # the combining class of what joins two consonants of Indic scripts


def clusters(text: str) -> Iterator[str]:
    """Yield the grapheme clusters one after the other; together they are ``text``."""
    start, flags = 0, 0
    for index in range(1, len(text)):
        before, after = text[index - 1], text[index]
        flags = flags + 1 if _is_flag_letter(before) else 0
        if before < "\u0300" and after < "\u0300":  # most texts: no marks yet
            is_joined = (before == "\r" and after == "\n") or after == "\u00ad"
        else:
            is_joined = _is_joined(before, after, flags)
        if not is_joined:
            yield text[start:index]
            start, flags = index, 0
    if text:
        yield text[start:]


def _is_joined(before: str, after: str, flags: int) -> bool:
    """Return whether the two belong together. ``flags``: so many letters of flags end the cluster with ``before``."""
    if unicodedata.category(before) in ("Cc", "Zl", "Zp") or after.isspace():
        return False
    if _extends(after) or before == _JOINER or _is_prefix(before):
        return True
    if _is_flag_letter(after):
        return flags % 2 == 1
    if unicodedata.combining(before) == _VIRAMA:
        return unicodedata.category(after) == "Lo"
    return _is_one_syllable(before, after)


def _extends(character: str) -> bool:
    """Marks, joiners, tags and variation selectors; the colours of skin; vowels written behind in Thai and Lao."""
    category = unicodedata.category(character)
    if category[0] == "M" or (category == "Cf" and not _is_prefix(character)):
        return True
    return character in "\u0e33\u0eb3\uff9e\uff9f" or "\U0001f3fb" <= character <= "\U0001f3ff"


def _is_prefix(character: str) -> bool:
    """Signs of Arabic, Syriac and Kaithi enclosing the number after them."""
    return character in "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_one_syllable(before: str, after: str) -> bool:
    """Return whether the parts of a Hangul syllable stand in its order: leading consonants, vowels, trailing ones."""
    first, second = _part_of_syllable(before), _part_of_syllable(after)
    if first == "L":
        return second in ("L", "V", "LV", "LVT")
    if first in ("V", "LV"):
        return second in ("V", "T")
    return first in ("T", "LVT") and second == "T"


def _part_of_syllable(character: str) -> str:
    code = ord(character)
    if 0xAC00 <= code <= 0xD7A3:
        return "LVT" if (code - 0xAC00) % 28 else "LV"
    if 0x1100 <= code <= 0x115F or 0xA960 <= code <= 0xA97C:
        return "L"
    if 0x1160 <= code <= 0x11A7 or 0xD7B0 <= code <= 0xD7C6:
        return "V"
    return "T" if 0x11A8 <= code <= 0x11FF or 0xD7CB <= code <= 0xD7FB else ""
