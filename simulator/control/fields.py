"""Reads JSON of the simulator's own interface; what is wrong is one sentence, with 400."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web


class BadRequest(Exception):
    """A request to the simulator's own interface is wrong. ``status``: of the answer."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


async def body_of(request: web.Request, known: frozenset[str]) -> Mapping[str, Any]:
    """Return the JSON object of the body, an empty one without a body. Raises ``BadRequest``."""
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadRequest("expected a JSON object")
    if unknown := sorted(set(document) - known):
        raise BadRequest(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    return document


def text(document: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a text. Raises ``BadRequest``."""
    value = document.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadRequest(f"{name}: expected a text")
    return value


def flag(document: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return true or false. Raises ``BadRequest``."""
    value = document.get(name, default)
    if not isinstance(value, bool):
        raise BadRequest(f"{name}: expected true or false")
    return value


def number(document: Mapping[str, Any], name: str, default: int, most: int) -> int:
    """Return a whole number from 0 to ``most``. Raises ``BadRequest``."""
    value = document.get(name, default)
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadRequest(f"{name}: expected a whole number from 0 to {most}")
    return value


def digits(document: Mapping[str, Any], name: str) -> str:
    """Return a telephone number as digits, an empty text without one. Raises ``BadRequest``."""
    value = text(document, name)
    found = "".join(c for c in value if c.isdecimal() and c.isascii())
    if value and not 7 <= len(found) <= 15:
        raise BadRequest(f"{name}: expected a telephone number such as +5511999990000")
    return found


def content(document: Mapping[str, Any], name: str) -> bytes:
    """Return the bytes of a text in base64. Raises ``BadRequest``."""
    try:
        return base64.b64decode(text(document, name), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{name}: expected base64") from None
