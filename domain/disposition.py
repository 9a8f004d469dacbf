"""``Content-Disposition`` for a download (RFC 6266): always an attachment, under the file's name in any script."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

from domain.files import FALLBACK_NAME, extension_of

_ATTR_CHARS = "!#$&+-.^_`|~"  # what RFC 8187 lets stand besides letters and digits


def attachment_header(filename: str) -> str:
    """Return the header's value for a file name. Any text is safe: no character of it can end the header.

    Old clients get an ASCII likeness of the name, all others the name itself: ``attachment; filename="acao.pdf";
    filename*=UTF-8''a%C3%A7%C3%A3o.pdf``.
    """
    filename = filename or FALLBACK_NAME
    likeness = "".join(map(_plain, unicodedata.normalize("NFKD", filename))).strip(" .")
    if not likeness.partition(".")[0].strip("_ "):  # nothing was ASCII but the extension
        likeness = FALLBACK_NAME + extension_of(filename)
    exact = quote(filename.encode(errors="replace"), safe=_ATTR_CHARS)
    header = f'attachment; filename="{likeness}"'
    return header if likeness == filename else f"{header}; filename*=UTF-8''{exact}"


def _plain(character: str) -> str:
    if unicodedata.combining(character):
        return ""
    # quoted-string: no quote or backslash; "%" some browsers decode, some do not; "/" and ":" have no place in names;
    # at ";" some clients (aiohttp's among them) end the name, quoted or not
    return character if " " <= character <= "~" and character not in '"\\%/:;' else "_"
