"""The characters allowed in a text, by properties that Unicode never changes, so all releases of Python agree.

``str.isprintable`` does not fit: it refuses joiners (emoji families, Persian), tags (flags), spaces but U+0020, and
all characters newer than the Python at hand.
"""

from __future__ import annotations

import unicodedata

_OVERRIDES = "\u202d\u202e"  # they show a text backwards, whatever its letters are
_EMBEDDINGS, _END_OF_EMBEDDING = "\u202a\u202b", "\u202c"
_ISOLATES, _END_OF_ISOLATE = "\u2066\u2067\u2068", "\u2069"
DIRECTIONS = frozenset(_OVERRIDES + _EMBEDDINGS + _END_OF_EMBEDDING + _ISOLATES + _END_OF_ISOLATE)
# Invisible: fillers, the joiner of graphemes, braille's blank, variation selectors (others are of category Cf).
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0").union(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000)))
)
# Of the category Cf, but parts of words and emoji: joiners, and the tags of flags.
WITHIN_WORDS = frozenset("\u200c\u200d").union(map(chr, range(0xE0020, 0xE0080)))


def is_control(character: str) -> bool:
    """Return whether it is no character of a text: a control character, a line or paragraph separator, half of a
    surrogate pair, or a noncharacter."""
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return is_noncharacter or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def fault_of(text: str, allowed: str = "") -> str | None:
    """Return the first forbidden content of ``text`` as a name, as the end of a sentence; ``None`` if there is none.

    Refused are control characters except those ``allowed``, and characters that turn the direction of the text beside
    the name: overrides, and embeddings or isolates without their end.
    """
    if text.isascii() and text.isprintable():
        return None  # most; it says nothing about other texts
    for character in text:
        if character not in allowed and is_control(character):
            return f"must not hold control characters: it holds U+{ord(character):04X}"
    for override in _OVERRIDES:
        if override in text:
            return f"must not turn the direction of a text: it holds U+{ord(override):04X}"
    if not _is_closed(text, _EMBEDDINGS, _END_OF_EMBEDDING) or not _is_closed(text, _ISOLATES, _END_OF_ISOLATE):
        return "must end each direction that it begins: U+202A and U+202B with U+202C, U+2066 to U+2068 with U+2069"
    return None


def fault_of_id(text: str) -> str | None:
    """Return the fault of ``text`` as an id chosen by people, as ``fault_of`` does.

    It must hold nothing invisible besides joiners and tags: of two ids that look alike one may be a trap.
    """
    if text.isascii():
        return fault_of(text)
    for character in text:
        if unicodedata.category(character) == "Cf" and character not in WITHIN_WORDS:
            return f"must not hold invisible characters: it holds U+{ord(character):04X}"
    return fault_of(text)


def is_blank(text: str) -> bool:
    """Return whether the text is invisible: white space and invisible characters alone, or nothing."""
    return all(character.isspace() or _is_unseen(character) for character in text)


def _is_unseen(character: str) -> bool:
    return character in INVISIBLE or unicodedata.category(character) in ("Cc", "Cf")


def _is_closed(text: str, begins: str, end: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in begins) - (character == end)
        if depth < 0:
            return False
    return depth == 0
