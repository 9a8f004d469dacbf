"""Make text from the API safe for a terminal and for the file system of this machine.

The server applies the same rules (``domain/text.py``, ``domain/files.py``). The command repeats them because it must
not trust a server; tests/unit/test_client_contract.py checks that both sides agree.
"""

from __future__ import annotations

import re
import unicodedata

FALLBACK_NAME = "file"
MAX_FILENAME_BYTES = 255  # of UTF-8, the limit of common file systems
_OVERRIDES_AND_EMBEDDINGS = "\u202a\u202b\u202c\u202d\u202e"
_ISOLATES = "\u2066\u2067\u2068\u2069"
DIRECTIONS = frozenset(_OVERRIDES_AND_EMBEDDINGS + _ISOLATES)
# Category Cf, but parts of words and emoji: joiners, and the tags of flags
_WITHIN_WORDS = frozenset("\u200c\u200d").union(map(chr, range(0xE0020, 0xE0080)))
# Not visible and not of category Cf or Cc: fillers, the joiner of graphemes, braille's blank, variation selectors
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0").union(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000)))
)
_REFUSED_BY_WINDOWS = frozenset('<>:"|?*')
_SEPARATORS = re.compile(r"[/\\]")


def is_control(character: str) -> bool:
    """Return whether it is a control character, a line or paragraph separator, a surrogate or a noncharacter."""
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return is_noncharacter or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def printable(text: object) -> str:
    """Return ``text`` for a terminal, with control characters and direction marks escaped."""
    return "".join(ascii(c)[1:-1] if is_control(c) or c in DIRECTIONS else c for c in str(text or ""))


def safe_filename(given: str) -> str:
    """Return a name that any file system takes: one path segment in NFC, without control and format characters, not
    hidden, at most ``MAX_FILENAME_BYTES`` bytes of UTF-8 with its extension kept. ``FALLBACK_NAME`` if nothing is left.
    """
    name = "".join(map(_acceptable, unicodedata.normalize("NFC", _SEPARATORS.split(given)[-1])))
    name = re.sub(r"\s+", " ", name).strip(" .")
    if all(character.isspace() or _is_invisible(character) for character in name.strip("_-")):
        return FALLBACK_NAME
    return name if len(name.encode()) <= MAX_FILENAME_BYTES else _shortened(name)


def _shortened(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension.encode()) > MAX_FILENAME_BYTES // 4:
        stem, dot, extension = name, "", ""
    kept = stem.encode()[: MAX_FILENAME_BYTES - len((dot + extension).encode())].decode(errors="ignore")
    return kept.rstrip(" .") + dot + extension


def _acceptable(character: str) -> str:
    if character in _WITHIN_WORDS:
        return character
    if is_control(character) or unicodedata.category(character) in ("Cf", "Co"):
        return " " if character in "\t\n\r" else ""
    return "_" if character in _REFUSED_BY_WINDOWS else character


def _is_invisible(character: str) -> bool:
    return character in _INVISIBLE or unicodedata.category(character) in ("Cc", "Cf")
