"""Inputs that get deep into a parser: JSON with the names and words that its own source knows."""

from __future__ import annotations

import ast
import importlib
import json
from functools import cache
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_LONGEST_WORD = 60
ODD_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 1_700_000_000, 1_700_000_000_000, 10**25)
ODD_TEXTS = ("", " ", "0", "-1", "1e400", "null", "\x00", "\ud7ff", "‮", "👩‍👩‍👧‍👦", "+5511987654321", "a" * 5_000, "٣")


@cache
def words_of(*modules: str) -> tuple[str, ...]:
    """Return the texts in the source of the modules, docstrings and the like apart."""
    found: set[str] = set()
    for name in modules:
        source = Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < _LONGEST_WORD:
                found.add(node.value)
    return tuple(sorted(found))


def documents(*modules: str) -> SearchStrategy[object]:
    """Return JSON values whose names and texts are often those of the modules' sources."""
    words = words_of(*modules)
    names = st.sampled_from(words) | st.text(max_size=10)
    texts = st.sampled_from(words + ODD_TEXTS) | st.text(max_size=40)
    whole = st.integers(-(2**63), 2**64 - 1)  # beyond these the parser makes floats
    leaves = st.none() | st.booleans() | whole | st.sampled_from(ODD_NUMBERS) | st.floats() | texts
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=8), max_leaves=40
    )


def objects(*modules: str, **fixed: SearchStrategy[object]) -> SearchStrategy[bytes]:
    """Return JSON objects as bytes, with ``fixed`` members beside what ``documents`` gives; at times cut or garbled."""
    words = words_of(*modules)
    rest = st.dictionaries(st.sampled_from(words), documents(*modules), max_size=8)
    whole = st.builds(lambda some, more: json.dumps(some | more).encode(), rest, st.fixed_dictionaries(fixed))
    return whole | garbled(whole) | st.binary(max_size=200)


def garbled(whole: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Return bytes of ``whole`` with some of them replaced, doubled or left out."""

    def change(body: bytes, at: int, more: bytes, skipped: int) -> bytes:
        cut = at % (len(body) + 1)
        return body[:cut] + more + body[cut + skipped :]

    return st.builds(change, whole, st.integers(0, 10_000), st.binary(max_size=6), st.integers(0, 6))


def nested(depth: int) -> bytes:
    """Return an array in an array in an array."""
    return b"[" * depth + b"]" * depth
