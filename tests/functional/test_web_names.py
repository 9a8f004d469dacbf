"""Names, ids and texts in all scripts over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from support.api import Api

NAMES = [
    "Família 👨‍👩‍👧",
    "می‌خواهم",
    "Les\u00a0amis",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\U0003fffd",
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_conversation_has_the_name_and_the_id_that_people_give_it(api: Api, name: str) -> None:
    token = await api.somebody()
    body = {"conversation_id": name, "name": name, "participants": ["telegram:5"]}
    answer = await api.call("POST", "/v1/conversations", body, token)
    assert answer.status == 201, await answer.text()
    found = await (await api.call("GET", f"/v1/conversations/{quote(name, '')}", token=token)).json()
    assert (found["conversation_id"], found["name"]) == (name, name)
    group = {"name": name, "description": f"{name}\n{name}", "initial_members": []}
    made = await (await api.call("POST", "/v1/groups", group, token)).json()
    assert (made["name"], made["description"]) == (name, f"{name}\n{name}")


@pytest.mark.parametrize("name", ["\u200b", "\u2800", "\u00a0", "a\u0085b", "a\u2028b", "a\ufffe", "\u2067a"])
async def test_what_shows_nothing_or_is_no_text_is_no_name(api: Api, name: str) -> None:
    answer = await api.call("POST", "/v1/groups", {"name": name}, await api.somebody())
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == {"name"}


@pytest.mark.parametrize(
    "content", [" ", "\n\t", "\u00a0", "\u2003\u3000", "\u200b", "\u200d\u2060\ufeff", "\u2800", "\u3164\ufe0f"]
)
async def test_white_space_alone_is_no_text(api: Api, content: str) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/messages", api.message("c-1", content=content), token)
    assert answer.status == 400
    (error,) = (await answer.json(content_type=None))["errors"]
    assert (error["field"], "more than white space" in error["detail"]) == ("content", True)
    assert api.log.records == []
    seen = api.message("c-1", content=f"{content}\U0001f44d{content}")
    assert (await api.call("POST", "/v1/messages", seen, token)).status == 202
    assert api.log.records[-1][0].content == f"{content}\U0001f44d{content}"
