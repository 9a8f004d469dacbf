"""Reads values of a call's JSON; what is missing or of another type is Meta's error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.graph.errors import GraphError


def object_in(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object ``name``. Raises ``GraphError``."""
    value = document.get(name)
    if value is None:
        raise GraphError(131008, f"The parameter {name} is required.")
    if not isinstance(value, dict):
        raise GraphError(100, f"Param {name} must be a JSON object.")
    return value


def objects_in(document: Mapping[str, Any], name: str, most: int, where: str) -> list[Mapping[str, Any]]:
    """Return the list ``name`` of 1 to ``most`` objects. Raises ``GraphError``."""
    value = document.get(name)
    if value is None:
        raise GraphError(131008, f"The parameter {where} is required.")
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise GraphError(100, f"Param {where} must be an array of objects.")
    if not 1 <= len(value) <= most:
        raise GraphError(131009, f"Param {where} must have 1 to {most} elements; it has {len(value)}")
    return value


def text_in(document: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return the text ``name``, or ``default``. Raises ``GraphError``."""
    value = document.get(name, default)
    if value is None:
        raise GraphError(131008, f"The parameter {name} is required.")
    if not isinstance(value, str):
        raise GraphError(100, f"Param {name} must be a string")
    return value


def needed(document: Mapping[str, Any], name: str, where: str = "") -> str:
    """Return the text ``name``, which is not empty. Raises ``GraphError``."""
    value = text_in(document, name, "")
    if not value:
        raise GraphError(131008, f"The parameter {where or name} is required.")
    return value


def within(text: str, most: int, where: str) -> None:
    """Raise ``GraphError`` if ``text`` has more than ``most`` characters."""
    if len(text) > most:
        raise GraphError(131009, f"Param {where} must be at most {most} characters long; it has {len(text)}")
