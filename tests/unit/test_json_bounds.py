"""A document with too many values is known before it is parsed."""

from __future__ import annotations

import orjson
import pytest

from web.http.json_bounds import MAX_VALUES, has_too_many_values

PADDING = b" " * 70_000
MANY = {
    "objects": b"[" + b"{}," * MAX_VALUES + b"{}]",
    "lists": b"[" + b"[]," * MAX_VALUES + b"[]]",
    "depth": b"[" * (MAX_VALUES + 1),
    "numbers": b"[" + b"1," * MAX_VALUES + b"1]",
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(MAX_VALUES + 1)) + b"}",
    "empty texts": b"[" + b'"",' * MAX_VALUES + b'""]',
    "quotes and commas": b'"",' * 2_600_000,
}


@pytest.mark.parametrize("what", MANY)
def test_many_small_values_are_too_many(what: str) -> None:
    assert has_too_many_values(MANY[what].rjust(70_000))


@pytest.mark.parametrize("text", [",", "[{,", '\\",', "\\\\,", '"', "x", "\n,", "[{" + '"' * 9, "\\"])
def test_what_stands_in_texts_does_not_count(text: str) -> None:
    messages = [{"conversation_id": "c", "content": text * (5_000 // len(text))} for _ in range(500)]
    assert not has_too_many_values(orjson.dumps(messages))


def test_a_few_more_than_a_batch_can_need_are_not_too_many() -> None:
    messages = [{f"field {number}": "x" for number in range(40)} for _ in range(500)]
    assert not has_too_many_values(orjson.dumps(messages) + PADDING)
