"""Detect repeated names in JSON objects. A parser silently takes the last one (RFC 8259, section 4).

Nearly every body is cleared by counting: it has no more ends of names than the parsed document has names. Any other
is read token by token, in slices; the event loop runs between them.
"""

from __future__ import annotations

import asyncio
import re
from itertools import islice
from typing import Any

import orjson

from web.errors import FieldErrors, MalformedBody
from web.http.field_names import MAX_SHOWN_ERRORS, shown_name

MAX_NAMES = 32_000  # in one body: a full batch has a tenth of it
_SLICE = 1_000  # tokens, some 0.5 ms
_LISTED = 501  # entries of a list that are looked at; a longer batch is refused
# a text, and the colon if it is a name; possessive, so that a long text takes no memory
_TOKEN = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"([ \t\r\n]*+:)?|[{}]', re.DOTALL)


def may_repeat(body: bytes, document: Any) -> bool:
    """Return whether ``body``, parsed as ``document``, may hold a name twice in one object.

    ``False`` is certain: a name ends with ``":``, so with a repeated one such ends outnumber the parsed names.
    """
    if b" :" in body or b"\n:" in body or b"\t:" in body or b"\r:" in body:
        return True
    return body.count(b'":') != _names_in(document)


async def refuse_repeated(body: bytes) -> None:
    """Raise ``FieldErrors`` with the names repeated in one object, ``MalformedBody`` for too many names."""
    twice: dict[str, None] = {}
    objects: list[set[bytes]] = []
    names = 0
    for number, token in enumerate(_TOKEN.finditer(body), 1):
        if number % _SLICE == 0:
            await asyncio.sleep(0)
        if token[0] == b"{":
            objects.append(set())
        elif token[0] == b"}":
            objects.pop()
        elif token[2] is not None:
            names += 1
            if names > MAX_NAMES:
                raise MalformedBody(f"the body holds more than {MAX_NAMES} fields")
            name = token[1] if b"\\" not in token[1] else orjson.loads(b'"%b"' % token[1]).encode()
            if name in objects[-1]:
                twice[shown_name(name.decode())] = None
                if len(twice) == MAX_SHOWN_ERRORS:
                    break
            objects[-1].add(name)
    if twice:
        raise FieldErrors([(name, "appears more than once in the body") for name in twice])


def _names_in(document: Any) -> int:
    """Return how many names a flat object has, or a list of such, or ``{"messages": […]}``."""
    if isinstance(document, list):
        return sum(len(item) for item in islice(document, _LISTED) if isinstance(item, dict))
    if not isinstance(document, dict):
        return 0
    inner = document.get("messages")
    return len(document) + (_names_in(inner) if isinstance(inner, list) else 0)
