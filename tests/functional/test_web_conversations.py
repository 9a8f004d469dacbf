"""Conversations over HTTP: begun, listed, looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.ports import Activity, LogPosition, MirrorEntry
from domain.records import MessageAccepted
from support.api import Api

UNKNOWN = "0193e2f0-0000-7000-8000-000000000000"


async def begin(api: Api, token: str, participants: list[Any], **more: object) -> dict[str, Any]:
    answer = await api.call("POST", "/v1/conversations", {"participants": participants, **more}, token)
    assert answer.status == 201, await answer.text()
    return dict(await answer.json())


async def listed(api: Api, token: str, **params: object) -> list[dict[str, Any]]:
    answer = await api.call("GET", "/v1/conversations", token=token, params=params)
    assert answer.status == 200, await answer.text()
    return list((await answer.json())["conversations"])


def party(login: dict[str, Any]) -> dict[str, str]:
    return {"user_id": login["user_id"], "username": login["username"]}


async def test_a_conversation_is_begun_and_shows_every_field_of_the_contract(api: Api) -> None:
    maria, joao = await api.login(await api.register()), await api.login(await api.register())
    named = ["WhatsApp:+55 (11) 99999-0000", joao["user_id"].upper(), joao["user_id"]]
    answer = await api.call("POST", "/v1/conversations", {"participants": named, "name": " os dois "}, maria["token"])
    assert answer.status == 201
    created = await answer.json()
    assert created == {
        "conversation_id": created["conversation_id"],
        "name": "os dois",
        "participants": sorted([maria["user_id"], joao["user_id"], "whatsapp:+5511999990000"]),
        "message_count": 0,
        "last_message_at": None,
        "is_group": False,
        "is_direct": False,
        "participant_details": [
            *sorted((party(maria), party(joao)), key=lambda one: one["user_id"]),
            {"address": "whatsapp:+5511999990000", "name": None, "window": None, "opted_out": False},
        ],
        "created_by": maria["user_id"],
        "creator": party(maria),
        "created_at": "2025-11-22T22:00:00.123Z",
    }
    assert answer.headers["Location"] == f"/v1/conversations/{created['conversation_id']}"
    for login in (maria, joao):
        found = await api.call("GET", answer.headers["Location"], token=login["token"])
        assert await found.json() == created
        assert await listed(api, login["token"]) == [created]


async def test_an_id_may_be_chosen_and_belongs_to_who_came_first(api: Api) -> None:
    maria, joao, body = await api.somebody(), await api.somebody(), {"participants": ["telegram:5"]}
    created = await begin(api, maria, ["telegram:5"], conversation_id="o bar / ü?#%")
    same = await api.call("POST", "/v1/conversations", {**body, "conversation_id": "o bar / ü?#%"}, maria)
    assert (same.status, await same.json()) == (200, created)
    for token, changed in ((joao, body), (maria, {"participants": ["telegram:6"]}), (maria, {**body, "name": "bar"})):
        other = await api.call("POST", "/v1/conversations", {**changed, "conversation_id": "o bar / ü?#%"}, token)
        assert other.status == 409
    found = await api.call("GET", same.headers["Location"], token=maria)
    assert await found.json() == created


async def test_users_who_do_not_exist_are_named(api: Api) -> None:
    maria, joao = await api.login(await api.register()), await api.login(await api.register())
    body = {"participants": [joao["user_id"], UNKNOWN, "nobody", "telegram:5", "user:unheard_of"]}
    answer = await api.call("POST", "/v1/conversations", body, maria["token"])
    assert answer.status == 400
    errors = (await answer.json(content_type=None))["errors"]
    assert {error["field"] for error in errors} == {"participants"}
    assert [error["detail"] for error in errors] == ["there is no user unheard_of"]
    body["participants"].pop()
    answer = await api.call("POST", "/v1/conversations", body, maria["token"])
    errors = (await answer.json(content_type=None))["errors"]
    assert [error["detail"] for error in errors] == [
        f"there is no user {UNKNOWN}",
        "there is no user nobody; user:nobody means the user of that name",
    ]
    assert api.conversations.members == {}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"participants"}),
        ({"participants": []}, {"participants"}),
        ({"participants": "telegram:5"}, {"participants"}),
        (
            {"participants": ["telegram:5", "sms:1", "", "a b", 7, "whatsapp:12", "internal:me", "user:a-b"]},
            {f"participants.{index}" for index in range(1, 8)},
        ),
        ({"participants": ["telegram:5"], "conversation_id": "", "name": "x" * 101}, {"conversation_id", "name"}),
        ({"participants": ["telegram:5"], "conversation_id": "a\u0000", "name": " "}, {"conversation_id", "name"}),
        ({"participants": [f"telegram:{n + 1}" for n in range(257)]}, {"participants"}),
        ({"participants": [f"telegram:{n + 1}" for n in range(256)]}, {"participants"}),
    ],
)
async def test_a_bad_conversation_names_every_invalid_field(api: Api, body: dict[str, Any], fields: set[str]) -> None:
    answer = await api.call("POST", "/v1/conversations", body, await api.somebody())
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == fields
    assert api.conversations.members == {}


async def test_to_a_stranger_a_conversation_is_forbidden_and_an_unknown_one_not_found(api: Api) -> None:
    maria, stranger = await api.somebody(), await api.somebody()
    created = await begin(api, maria, ["telegram:5"])
    assert (await api.call("GET", f"/v1/conversations/{created['conversation_id']}", token=stranger)).status == 403
    assert (await api.call("GET", "/v1/conversations/none", token=stranger)).status == 404
    assert await listed(api, stranger) == []


async def test_a_conversation_of_first_use_is_listed_with_its_messages(api: Api) -> None:
    token = await api.somebody()
    for _ in range(3):
        accepted = await api.send(token, "first use")
    (found,) = await listed(api, token)
    assert (found["conversation_id"], found["message_count"]) == ("first use", 3)
    assert found["last_message_at"] == accepted["accepted_at"]
    assert await (await api.call("GET", "/v1/conversations/first%20use", token=token)).json() == found


@pytest.mark.parametrize("mirrored", [0, 1, 3, 5])
async def test_messages_are_counted_once_whichever_view_has_them(api: Api, mirrored: int) -> None:
    token = await api.somebody()
    for number in range(5):
        accepted = await api.send(token)
        if number == mirrored:
            await api.mirror()
            await api.mirror()
    (found,) = await listed(api, token)
    assert (found["message_count"], found["last_message_at"]) == (5, accepted["accepted_at"])
    await api.mirror()
    api.forget_recent()
    assert await listed(api, token) == [found]


async def test_what_another_process_accepted_counts_at_once(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    position = LogPosition(api.clock.now_ms + 5, 9)
    api.tailer.unseen.append((MessageAccepted("m-9", "c-1", "u-1", "telegram:5", "elsewhere"), position))
    (found,) = await listed(api, token)
    assert (found["message_count"], found["last_message_at"]) == (2, "2025-11-22T22:00:00.128Z")


async def test_the_list_has_first_what_happened_last(api: Api) -> None:
    token = await api.somebody()
    for name in ("a", "b", "c", "a"):
        for _ in range(3):  # three messages share one millisecond in this log
            await api.send(token, name)
    assert [found["conversation_id"] for found in await listed(api, token)] == ["a", "c", "b"]
    api.clock.now_ms += 60_000
    await begin(api, token, ["telegram:5"], conversation_id="new and silent")
    assert [found["conversation_id"] for found in await listed(api, token)] == ["new and silent", "a", "c", "b"]


@pytest.mark.parametrize("way", ["cursor", "offset"])
async def test_pages_of_conversations_follow_each_other(api: Api, way: str) -> None:
    token = await api.somebody()
    for number in range(11):
        await begin(api, token, ["telegram:5"], conversation_id=f"c-{number:02}")
        api.clock.now_ms += 1
    seen: list[str] = []
    step: dict[str, Any] = {}
    while True:
        page = await (await api.call("GET", "/v1/conversations", token=token, params={"limit": 3, **step})).json()
        pagination = page["pagination"]
        seen += [found["conversation_id"] for found in page["conversations"]]
        assert pagination["returned"] == len(page["conversations"]) <= pagination["limit"] == 3
        assert pagination["has_more"] == (len(seen) < 11) == (pagination["next_cursor"] is not None)
        if not pagination["has_more"]:
            break
        step = {"cursor": pagination["next_cursor"]} if way == "cursor" else {"offset": len(seen)}
    assert seen == [f"c-{number:02}" for number in reversed(range(11))]


async def test_what_never_came_to_be_or_was_left_is_not_listed_and_makes_no_page_short(api: Api) -> None:
    login = await api.login(await api.register())
    for number in range(6):
        await begin(api, login["token"], ["telegram:5"], conversation_id=f"c-{number}")
        api.clock.now_ms += 1
    del api.conversations.members["c-4"]
    left = api.conversations.members["c-2"]
    api.conversations.members["c-2"] = replace(left, members=())
    pages = [
        [found["conversation_id"] for found in await listed(api, login["token"], limit=2, offset=offset)]
        for offset in (0, 2, 4)
    ]
    assert pages == [["c-5", "c-3"], ["c-1", "c-0"], []]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0", {"limit"}),
        ("limit=101&offset=-1", {"limit", "offset"}),
        ("limit=ten&cursor=!!", {"limit", "cursor"}),
        ("cursor=", {"cursor"}),
        ("cursor=MS4", {"cursor"}),
        ("cursor=" + "A" * 2_000, {"cursor"}),
        ("cursor=MS5h&offset=1", {"offset"}),
        ("offset=10001", {"offset"}),
    ],
)
async def test_a_bad_query_of_the_list_names_every_invalid_parameter(api: Api, query: str, fields: set[str]) -> None:
    answer = await api.call("GET", f"/v1/conversations?{query}", token=await api.somebody())
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == fields


async def test_without_cassandra_lists_are_a_503_and_sends_to_known_conversations_go_on(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    for store in (api.conversations, api.messages, api.users):
        store.available = False
    assert (await api.call("GET", "/v1/conversations", token=token)).status == 503
    assert (await api.call("GET", "/v1/conversations/c-1", token=token)).status == 503
    assert (await api.call("POST", "/v1/conversations", {"participants": ["telegram:5"]}, token)).status == 503
    await api.send(token)


async def test_without_kafka_the_list_shows_what_was_read_before_but_never_less(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    api.tailer.available = False
    assert len(await listed(api, token)) == 1
    api.tailer.has_caught_up = False
    assert (await api.call("GET", "/v1/conversations", token=token)).status == 503


async def test_a_count_that_takes_too_long_does_not_cost_the_list(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    await api.mirror()
    await api.send(token)
    known = api.messages.activities

    class Slow:
        activities = staticmethod(known)

        async def count(self, conversation_id: str, activity: Activity) -> int:
            api.messages.available = False
            try:
                return await api.messages.count(conversation_id, activity)
            finally:
                api.messages.available = True

    api.services.lists._activity = Slow()
    assert [found["message_count"] for found in await listed(api, token)] == [1]


async def test_facts_alone_make_no_activity(api: Api) -> None:
    token = await api.somebody()
    await begin(api, token, ["telegram:5"], conversation_id="c-1")
    await api.messages.write([MirrorEntry("m", "c-1", LogPosition(1, 1))])
    (found,) = await listed(api, token)
    assert (found["message_count"], found["last_message_at"]) == (0, None)
