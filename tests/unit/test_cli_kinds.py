"""Kinds on a terminal: the options of `chat4all send`, and a line for each kind."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat4all.cli.content_options import NAMES, content_of
from chat4all.cli.kinds_shown import content_line


def options(**changes: object) -> dict[str, Any]:
    none = {name: () if name.endswith("s") else None for name in NAMES}
    return {**none, **changes}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, {}),
        ({"reply_to": "m-1"}, {"reply_to": "m-1"}),
        ({"template": "order:pt_BR"}, {"template": {"name": "order", "language": "pt_BR"}}),
        (
            {"template": "order:pt_BR", "params": ("Ana", "a=b c"), "header_params": ("x",), "button_params": ("o/7",)},
            {
                "template": {
                    "name": "order",
                    "language": "pt_BR",
                    "parameters": {"header": ["x"], "buttons": ["o/7"], "body": ["Ana", "a=b c"]},
                }
            },
        ),
        (
            {"template": "order:en", "params": ("name=Ana", "number=7")},
            {
                "template": {
                    "name": "order",
                    "language": "en",
                    "parameters": {"body": {"name": "Ana", "number": "7"}},
                }
            },
        ),
        (
            {"buttons": ("y=Yes", "No")},
            {
                "interactive": {
                    "kind": "buttons",
                    "buttons": [{"id": "y", "title": "Yes"}, {"id": "No", "title": "No"}],
                }
            },
        ),
        (
            {"rows": ("Tea",)},
            {"interactive": {"kind": "list", "sections": [{"rows": [{"id": "Tea", "title": "Tea"}]}]}},
        ),
        (
            {"link": "Track=https://x.org/?a=b"},
            {"interactive": {"kind": "link", "title": "Track", "url": "https://x.org/?a=b"}},
        ),
        ({"location": "-23.5, -46.6"}, {"location": {"latitude": -23.5, "longitude": -46.6}}),
        (
            {"location": "1,2,Café,Rua A, 1"},
            {"location": {"latitude": 1.0, "longitude": 2.0, "name": "Café", "address": "Rua A, 1"}},
        ),
    ],
)
def test_options_become_the_fields_of_a_message(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    assert content_of(options(**changes)) == fields


@pytest.mark.parametrize(
    "changes",
    [
        {"template": "order"},
        {"template": ":pt_BR"},
        {"params": ("x",)},
        {"buttons": ("x",), "rows": ("y",)},
        {"link": "https://x.org"},
        {"location": "here"},
        {"location": "1"},
        {"location": "1,2", "template": "order:en"},
    ],
)
def test_options_that_contradict_are_a_usage_error(changes: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        content_of(options(**changes))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ({"kind": "text", "content": "hi"}, "hi"),
        ({"content": "hi", "reply_to": "m-1"}, "re m-1: hi"),
        (
            {"content": "hi", "reactions": [{"emoji": "👍"}, {"emoji": "❤"}, {"emoji": "👍"}]},
            "hi 👍2 ❤",
        ),
        (
            {"kind": "template", "template": {"name": "o", "language": "en", "parameters": {"body": ["a", "b"]}}},
            "[template o en: a, b]",
        ),
        (
            {"kind": "interactive", "content": "?", "interactive": {"kind": "buttons", "buttons": [{"title": "Yes"}]}},
            "? [Yes]",
        ),
        (
            {
                "kind": "interactive",
                "interactive": {
                    "kind": "list",
                    "button": "Menu",
                    "sections": [{"rows": [{"title": "Tea"}]}, {"rows": [{"title": "Bread"}]}],
                },
            },
            "[Menu: Tea, Bread]",
        ),
        (
            {"kind": "interactive", "interactive": {"kind": "link", "title": "Track", "url": "https://x.org"}},
            "[Track: https://x.org]",
        ),
        (
            {"kind": "location", "location": {"latitude": 0, "longitude": 2.5, "name": "Café"}},
            "[location Café, 0,2.5]",
        ),
        ({"kind": "reaction", "reaction": {"message_id": "m-1", "emoji": "👍"}}, "[👍 to m-1]"),
        ({"kind": "reaction", "reaction": {"message_id": "m-1", "emoji": ""}}, "[takes back the reaction to m-1]"),
        (
            {"kind": "contacts", "contacts": {"contacts": [{"name": "Bob", "phones": ["+1"]}]}},
            "[contacts Bob +1]",
        ),
        ({"kind": "sticker", "sticker": {}}, "[sticker]"),
        ({"kind": "button_reply", "button_reply": {"id": "y", "title": "Yes"}}, "[pressed Yes]"),
        (
            {"kind": "unsupported", "unsupported": {"type": "order\x1b[2J"}},
            "[a message of a kind not supported: order\\x1b[2J]",
        ),
    ],
)
def test_each_kind_has_a_line(message: dict[str, Any], line: str) -> None:
    assert content_line(message) == line


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["list", "link", "buttons"]),
    lambda of: (
        st.lists(of, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "buttons", "sections", "rows", "title", "parameters", "contacts"]), of
        )
    ),
    max_leaves=8,
)
KINDS = ["template", "interactive", "location", "reaction", "contacts", "sticker", "button_reply", "unsupported"]


@given(kind=st.sampled_from(KINDS), value=JSON)
def test_no_object_breaks_the_line_or_the_terminal(kind: str, value: object) -> None:
    line = content_line({"kind": kind, kind: value, "content": "x"})
    assert line.startswith("x")
    assert line.isprintable() or not set(line) & {"\n", "\x1b"}
