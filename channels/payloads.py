"""Reads a provider's JSON, of which nothing is certain: what is absent, or of another type, is empty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

Payload = Mapping[str, Any]

MOST_DETAIL = 4_096  # characters of an unknown element that are kept beside the raw body
_NOTHING: Payload = {}


def payload_of(body: bytes) -> Payload:
    """Return the JSON object that ``body`` is, an empty one if it is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _NOTHING
    return document if isinstance(document, dict) else _NOTHING


def text(payload: Payload, name: str) -> str:
    """Return a text, or a whole number as text: providers change ids from one to the other."""
    value = payload.get(name)
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""


def number(payload: Payload, name: str) -> int:
    """Return a whole number, also from a text of digits; 0 for everything else."""
    value = payload.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return value if type(value) is int else 0


def decimal(payload: Payload, name: str) -> float | None:
    """Return a finite number, ``None`` for everything else."""
    value = payload.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def part(payload: Payload, name: str) -> Payload:
    """Return an object."""
    value = payload.get(name)
    return value if isinstance(value, dict) else _NOTHING


def parts(payload: Payload, name: str) -> list[Payload]:
    """Return the objects of a list. An element of another type is an empty one, so that it is counted."""
    value = payload.get(name)
    return [each if isinstance(each, dict) else _NOTHING for each in value] if isinstance(value, list) else []


def excerpt(value: object) -> str:
    """Return the JSON of ``value``, at most ``MOST_DETAIL`` characters of it."""
    return _json(value).decode()[:MOST_DETAIL]


def digest(value: object) -> str:
    """Return a name for ``value``, the same whenever it comes."""
    return f"sha256-{sha256(_json(value)).hexdigest()[:32]}"


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # it is nested more deeply than the encoder goes, which is less than the decoder
        return b'"nested too deeply to be shown"'
