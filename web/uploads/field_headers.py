"""Parse the headers of a form's part: values in, values out.

Content-Disposition: form-data; name="file"; filename="C:\\Users\\maria\\report.txt"
Content-Disposition: form-data; name="file"; filename*=UTF-8''caf%C3%A9.txt
Content-Type: text/plain; charset=iso-8859-1
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

# a parameter's value is a token or a quoted string; outside of quotes any character but a semicolon is accepted
_ESCAPED = re.compile(r'\s*;\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)\s*')
_LITERAL = re.compile(r'\s*;\s*([^\s=;"]+)\s*=\s*("[^"]*"|[^;"]*)\s*')
_END = re.compile(r"[\s;]*")
_ESCAPE = re.compile(r'\\(["\\])')
_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
}
UNCHANGED = frozenset({"", "7bit", "8bit", "binary", "identity"})


def parameters_of(value: str) -> tuple[str, dict[str, str]]:
    """Return the main value of a header, in lower case, and its parameters, with names in lower case.

    In quotes a backslash escapes a quote or a backslash; before any other character it is literal. If the quotes do
    not balance under this rule, all backslashes are literal, because Windows clients send paths. Raises
    ``ValueError``.
    """
    first = value.partition(";")[0]
    rest = value[len(first) :]
    found = _scanned(rest, _ESCAPED)
    if found is not None:
        found = [(name, _ESCAPE.sub(r"\1", text)) for name, text in found]
    else:
        found = _scanned(rest, _LITERAL)
    if found is None:
        raise ValueError(f"{value[:100]!r} is not a value with parameters")
    parameters = dict(found)
    if len(parameters) != len(found):
        raise ValueError(f"{value[:100]!r} has a parameter twice")
    return first.strip().lower(), parameters


def filename_of(parameters: Mapping[str, str]) -> str | None:
    """Return the decoded filename, ``None`` if the part is no file.

    ``filename*`` (RFC 8187) precedes ``filename``. In the latter browsers write three characters as %22, %0D and
    %0A.
    """
    if (exact := _decoded(parameters.get("filename*", ""))) is not None:
        return exact
    plain = parameters.get("filename")
    return unescaped(plain) if plain is not None else _continued(parameters)


def unescaped(text: str) -> str:
    """Decode a browser's escapes (WHATWG HTML, multipart/form-data encoding)."""
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def codec_of(charset: str) -> str:
    """Return Python's name for a supported charset; UTF-8 for any other."""
    return _CHARSETS.get(charset.strip().lower(), "utf-8")


def _scanned(text: str, pattern: re.Pattern[str]) -> list[tuple[str, str]] | None:
    found, at = [], 0
    while (match := pattern.match(text, at)) is not None:
        value = match[2]
        found.append((match[1].lower(), value[1:-1] if value.startswith('"') else value.rstrip()))
        at = match.end()
    return found if _END.fullmatch(text, at) else None


def _decoded(extended: str) -> str | None:
    charset, _, rest = extended.partition("'")
    _, quote, encoded = rest.partition("'")
    codec = _CHARSETS.get(charset.lower())
    if not quote or codec is None:
        return None
    try:
        return unquote_to_bytes(encoded).decode(codec)
    except (UnicodeDecodeError, UnicodeEncodeError):
        return None


def _continued(parameters: Mapping[str, str]) -> str | None:
    """Join a name split by RFC 2231 into filename*0, filename*1*, and so on; mail libraries do so."""
    texts: list[str] = []
    is_encoded = "filename*0*" in parameters
    for number in range(len(parameters)):
        name = f"filename*{number}"
        if (encoded := parameters.get(f"{name}*")) is not None:
            texts.append(encoded)
        elif (plain := parameters.get(name)) is not None:
            texts.append(plain.replace("%", "%25") if is_encoded else plain)
        else:
            break
    if not texts:
        return None
    return _decoded("".join(texts)) if is_encoded else "".join(texts)
