"""Names that stand twice in one object are found, and nothing else is, at a bounded cost."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.contract.message_requests import CreateMessage
from web.errors import FieldErrors, MalformedBody
from web.http.field_names import names_of
from web.http.repeated_names import MAX_NAMES, may_repeat, refuse_repeated

TEXTS = st.text(st.sampled_from('a:"\\ \n{}[],'), max_size=8)
LEAVES = st.none() | st.integers() | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
FLAT = st.lists(st.tuples(TEXTS, LEAVES), max_size=6)


def object_of(pairs: list[tuple[str, Any]], colon: str) -> str:
    return "{" + ",".join(json.dumps(name) + colon + json.dumps(value) for name, value in pairs) + "}"


@given(FLAT, st.sampled_from([":", ": ", " :", "\n:\t"]), st.sampled_from(["%s", "[%s]", '{"messages":[%s]}']))
async def test_a_repeated_name_is_found_wherever_it_stands(
    pairs: list[tuple[str, Any]], colon: str, around: str
) -> None:
    body = (around % object_of(pairs, colon)).encode()
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    assert may_repeat(body, orjson.loads(body)) or not twice
    found = set()
    try:
        await refuse_repeated(body)
    except FieldErrors as error:
        found = {name for name, _ in error.found}
    assert found == twice


@given(VALUES)
async def test_what_a_program_wrote_repeats_nothing(value: object) -> None:
    await refuse_repeated(json.dumps(value).encode())


async def test_an_ordinary_message_is_cleared_by_counting() -> None:
    body = b'{"conversation_id": "family", "recipient_id": "whatsapp:+5511999990000", "content": "See you at 8:00"}'
    assert not may_repeat(body, orjson.loads(body))


async def test_more_names_than_any_body_needs_are_refused() -> None:
    body = b"{" + b",".join(b'"%d":1' % number for number in range(MAX_NAMES + 1)) + b"}"
    with pytest.raises(MalformedBody):
        await refuse_repeated(body)


def test_of_a_million_unknown_fields_only_so_many_are_looked_at() -> None:
    given_names, wrong = names_of(CreateMessage).settled({f"x{number}": 1 for number in range(1_000_000)})
    assert (len(given_names), len(wrong)) == (0, 50)
