"""A field under two names, twice, or under a name that there is not: never does a slip mean "everyone"."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientResponse

from support.api import Api

ADDRESS = "whatsapp:+5511999990000"
MARIA, JOANA = "telegram:@maria", "telegram:@joana"
OLDER_FIRST = '{"recipient": %s, "recipient_id": %s, "conversation_id": "c-1", "content": "hi"}'
NEWER_FIRST = '{"recipient_id": %s, "recipient": %s, "conversation_id": "c-1", "content": "hi"}'


async def problems_of(answer: ClientResponse) -> dict[str, str]:
    assert answer.status == 400, await answer.text()
    problem = await answer.json(content_type=None)
    return {error["field"]: error["detail"] for error in problem["errors"]}


@pytest.mark.parametrize("order", [OLDER_FIRST, NEWER_FIRST])
async def test_a_null_under_one_name_is_absent_and_the_other_name_counts(api: Api, order: str) -> None:
    token = await api.somebody()
    for absent in ("null", '""'):  # generated clients send the empty text for whatever they do not set
        for pair in ((json.dumps(ADDRESS), absent), (absent, json.dumps(ADDRESS))):
            answer = await api.call("POST", "/v1/messages", token=token, data=order % pair)
            assert answer.status == 202
    assert [record[0].recipient_id for record in api.log.records] == [ADDRESS] * 4


@pytest.mark.parametrize("order", [OLDER_FIRST, NEWER_FIRST])
@pytest.mark.parametrize("other", [MARIA, 7, [ADDRESS], False])
async def test_two_names_that_say_something_different_are_a_400_naming_both(
    api: Api, order: str, other: object
) -> None:
    token = await api.somebody()
    for pair in ((ADDRESS, other), (other, ADDRESS)):
        body = order % tuple(map(json.dumps, pair))
        found = await problems_of(await api.call("POST", "/v1/messages", token=token, data=body))
        assert list(found) == ["recipient_id"]
        assert "`recipient`" in found["recipient_id"]
        assert "`recipient_id`" in found["recipient_id"]
    assert api.log.records == []
    assert api.conversations.members == {}


async def test_the_same_value_under_both_names_is_fine(api: Api) -> None:
    token = await api.somebody()
    body = api.message(recipient=ADDRESS, recipient_id=ADDRESS)
    assert (await api.call("POST", "/v1/messages", body, token)).status == 202
    group = {"name": "Family", "initial_members": [MARIA], "member_ids": [MARIA]}
    assert (await api.call("POST", "/v1/groups", group, token)).status == 201


async def test_a_group_whose_members_are_named_twice_and_differently_is_refused(api: Api) -> None:
    token = await api.somebody()
    for first, second in (([], [MARIA]), ([MARIA], []), ([MARIA], [JOANA]), ([1], [True])):
        body = {"name": "Family", "initial_members": first, "member_ids": second}
        found = await problems_of(await api.call("POST", "/v1/groups", body, token))
        assert list(found) == ["initial_members"]
        assert "`member_ids`" in found["initial_members"]
        assert "`initial_members`" in found["initial_members"]
    assert api.conversations.members == {}


async def test_of_members_a_null_is_absent_and_the_older_name_goes_on_working(api: Api) -> None:
    token = await api.somebody()
    for more, members in (
        ({"member_ids": [MARIA]}, 2),
        ({"initial_members": None, "member_ids": [MARIA]}, 2),
        ({"member_ids": None, "initial_members": [MARIA, JOANA]}, 3),
        ({"initial_members": None}, 1),
    ):
        answer = await api.call("POST", "/v1/groups", {"name": "Family", **more}, token)
        assert answer.status == 201
        assert (await answer.json())["members"] == members


async def test_in_a_batch_each_message_is_looked_at_by_itself(api: Api) -> None:
    token = await api.somebody()
    messages = [
        api.message(recipient=MARIA),
        api.message(recipient_id=None, recipient=MARIA),
        api.message(recipientId=MARIA),
    ]
    answer = await api.call("POST", "/v1/messages/batch", {"messages": messages}, token)
    results = (await answer.json())["results"]
    assert [result["status"] for result in results] == [400, 202, 400]
    assert [error["field"] for error in results[0]["problem"]["errors"]] == ["recipient_id"]
    assert results[2]["problem"]["errors"] == [
        {"field": "recipientId", "detail": "is no field of this request; did you mean `recipient_id`?"}
    ]
    assert [record[0].recipient_id for record in api.log.records] == [MARIA]


@pytest.mark.parametrize(
    ("path", "body", "unknown", "meant"),
    [
        (
            "/users",
            {"username": "maria", "password": "correct horse battery", "e_mail": "m@example.org"},
            "e_mail",
            "`email`",
        ),
        ("/auth/register", {"username": "maria", "password": "correct horse battery", "Email": ""}, "Email", "`email`"),
        (
            "/v1/users/identities",
            {"platform": "telegram", "value": "@m", "verifed": True},
            "verifed",
            "it takes `platform`, `value`",
        ),
        (
            "/v1/conversations",
            {"participants": [MARIA], "conversationId": "c-1"},
            "conversationId",
            "`conversation_id`",
        ),
        ("/v1/groups", {"name": "Family", "members": [MARIA]}, "members", "`initial_members`"),
        ("/v1/groups", {"name": "Family", "memberIds": [MARIA]}, "memberIds", "`initial_members`"),
        ("/v1/groups", {"name": "Family", "desc": "x"}, "desc", "`description`"),
        ("/v1/groups/{group}/members", {"user_id": MARIA, "role": "admin"}, "role", "it takes `user_id`"),
        (
            "/v1/messages",
            {"conversation_id": "c-1", "content": "hi", "recipientId": ADDRESS},
            "recipientId",
            "`recipient_id`",
        ),
        (
            "/v1/messages",
            {"conversation_id": "c-1", "content": "hi", "recipent": ADDRESS},
            "recipent",
            "`recipient_id`",
        ),
        (
            "/v1/messages",
            {"conversation_id": "c-1", "content": "hi", "Recipient_ID": ADDRESS},
            "Recipient_ID",
            "`recipient_id`",
        ),
        (
            "/v1/messages",
            {"conversation_id": "c-1", "content": "hi", "recipient_ids": [ADDRESS]},
            "recipient_ids",
            "`recipient_id`",
        ),
        ("/v1/messages", {"conversation_id": "c-1", "content": "hi", "to": ADDRESS}, "to", "`recipient_id`"),
        ("/v1/messages", {"conversation_id": "c-1", "content": "hi", "replyTo": "x"}, "replyTo", "`reply_to`"),
        ("/v1/messages", {"conversation_id": "c-1", "content": "hi", "silent": "x"}, "silent", "it takes "),
        (
            "/v1/messages",
            {"conversation_id": "c-1", "content": "hi", "idempotency_key": "k"},
            "idempotency_key",
            "it takes ",
        ),
        ("/v1/messages/batch", {"messages": [], "idempotencyKey": "k"}, "idempotencyKey", "it takes `messages`"),
    ],
)
async def test_a_body_that_creates_something_refuses_an_unknown_field_and_names_the_nearest(
    api: Api, path: str, body: dict[str, Any], unknown: str, meant: str
) -> None:
    token = await api.somebody()
    group = await (await api.call("POST", "/v1/groups", {"name": "Friends"}, token)).json()
    found = await problems_of(await api.call("POST", path.format(group=group["group_id"]), body, token))
    assert found[unknown].startswith("is no field of this request; ")
    assert meant in found[unknown]
    assert api.log.records == []


async def test_everything_that_is_wrong_is_told_at_once(api: Api) -> None:
    token = await api.somebody()
    body = {"conversationId": "c-1", "recipient": ADDRESS, "recipient_id": MARIA, "content": 5, "x\u0000": 1}
    found = await problems_of(await api.call("POST", "/v1/messages", body, token))
    assert set(found) >= {"conversationId", "recipient_id", "content", "x\u0000"}


async def test_who_logs_in_may_send_more_than_is_asked_for(api: Api) -> None:
    name = await api.register()
    body = {"username": name, "password": "correct horse battery", "device": "phone"}
    login = await (await api.call("POST", "/auth/login", body)).json()
    refreshed = await api.call("POST", "/auth/refresh", {"refresh_token": login["refresh_token"], "device": "phone"})
    assert refreshed.status == 200
    ended = await api.call("POST", "/auth/logout", {"device": "phone"}, (await refreshed.json())["token"])
    assert ended.status == 204


async def test_many_unknown_fields_and_long_ones_get_a_short_answer(api: Api) -> None:
    token = await api.somebody()
    many = {f"recipient{number}": 1 for number in range(3_000)}
    answer = await api.call("POST", "/v1/messages", api.message(**many), token)
    assert answer.status == 400
    assert len((await answer.json(content_type=None))["errors"]) == 50
    answer = await api.call("POST", "/v1/messages", api.message(**{"recipient_" * 3_000: 1}), token)
    assert answer.status == 400
    assert len(await answer.text()) < 2_000


@pytest.mark.parametrize(
    ("path", "body", "twice"),
    [
        (
            "/v1/messages",
            '{"conversation_id":"c-1","recipient_id":"a","recipient_id":"telegram:5","content":"hi"}',
            ["recipient_id"],
        ),
        (
            "/v1/messages",
            '{"conversation_id":"c-1","recipient_id":"telegram:5","recipient\\u005fid":"","content":"x"}',
            ["recipient_id"],
        ),
        (
            "/v1/messages",
            '{"conversation_id":"c-1","recipient_id":"telegram:5","content":"x","recipient_id"\n:""}',
            ["recipient_id"],
        ),
        (
            "/v1/messages",
            '{"conversation_id":"c-1","content":"\\":","recipient_id" :"telegram:5","recipient_id":""}',
            ["recipient_id"],
        ),
        ("/v1/groups", '{"name":"a","name":"b","member_ids":["telegram:5"],"member_ids":[]}', ["name", "member_ids"]),
        (
            "/v1/messages/batch",
            '{"messages":[{"conversation_id":"c-1","content":"x","recipient_id":"telegram:5","recipient_id":""}]}',
            ["recipient_id"],
        ),
        ("/v1/messages/batch", '{"messages":[],"messages":[]}', ["messages"]),
        ("/users", '{"username":"maria","password":"correct horse battery","username":"joana"}', ["username"]),
    ],
)
async def test_a_field_that_stands_twice_in_a_body_is_refused(api: Api, path: str, body: str, twice: list[str]) -> None:
    token = await api.somebody()
    found = await problems_of(await api.call("POST", path, token=token, data=body))
    assert found == dict.fromkeys(twice, "appears more than once in the body")
    assert api.log.records == []
    assert api.conversations.members == {}


@pytest.mark.parametrize("content", ['":', '{"a": 1, "a": 2}', '\\":\\', 'a\\\\":', "8 :)", '" :', "x\t:\n:"])
async def test_what_looks_like_a_field_inside_a_text_is_text(api: Api, content: str) -> None:
    token = await api.somebody()
    for indent in (None, 2):
        data = json.dumps(api.message(content=content), indent=indent, separators=(",", " : ") if indent else None)
        assert (await api.call("POST", "/v1/messages", token=token, data=data)).status == 202
        assert api.log.records[-1][0].content == content


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/messages?conversation_id=c-1&conversation_id=c-2", {"conversation_id"}),
        ("/v1/messages?conversation_id=c-1&limit=5&limit=6&order=asc&order=desc", {"limit", "order"}),
        ("/v1/conversations?limit=5&limit=6", {"limit"}),
        ("/v1/conversations/c-1/messages?conversation_id=c-2", {"conversation_id"}),
    ],
)
async def test_a_parameter_that_is_given_twice_and_differently_is_refused(
    api: Api, path: str, fields: set[str]
) -> None:
    token = await api.somebody()
    await api.send(token, "c-1")
    await api.send(token, "c-2")
    assert set(await problems_of(await api.call("GET", path, token=token))) == fields


async def test_a_parameter_that_is_given_twice_and_the_same_is_fine(api: Api) -> None:
    token = await api.somebody()
    await api.send(token, "c-1")
    for path in (
        "/v1/messages?conversation_id=c-1&conversation_id=c-1&limit=5&limit=5&x=1&x=2",
        "/v1/conversations/c-1/messages?conversation_id=c-1",
    ):
        assert (await api.call("GET", path, token=token)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "sentences"),
    [
        (
            "POST",
            "/users",
            {"username": "a b"},
            {"username": "must have 3 to 50 letters from A to Z, digits or underscores", "password": "is required"},
        ),
        (
            "POST",
            "/users",
            {"username": 7, "password": ["x"], "email": {}},
            {"username": "must be a text", "password": "must be a text", "email": "must be a text"},
        ),
        (
            "POST",
            "/auth/login",
            {"username": "x" * 10_001, "password": None},
            {"username": "must have at most 10000 characters", "password": "must be a text"},
        ),
        (
            "POST",
            "/v1/conversations",
            {"participants": []},
            {"participants": "must name a participant, or give recipient_id for a direct conversation"},
        ),
        ("POST", "/v1/conversations", {"participants": "maria"}, {"participants": "must be a list"}),
        (
            "POST",
            "/v1/groups",
            {"name": "x", "initial_members": [MARIA] * 257},
            {"initial_members": "must have at most 256 entries"},
        ),
        (
            "POST",
            "/v1/groups",
            {"name": "x", "initial_members": [MARIA, 5, {}]},
            {"initial_members.1": "must be a text", "initial_members.2": "must be a text"},
        ),
        (
            "GET",
            "/v1/messages?limit=0&order=up&offset=10001",
            None,
            {
                "conversation_id": "is required",
                "limit": "must be 1 or more",
                "order": "must be `asc` or `desc`",
                "offset": "must be 10000 or less",
            },
        ),
        ("GET", "/v1/conversations?limit=ten", None, {"limit": "must be a whole number"}),
        ("GET", "/v1/conversations?limit=1" + "0" * 5_000, None, {"limit": "must be a whole number"}),
        ("GET", "/v1/conversations?limit=1.5", None, {"limit": "must be a whole number"}),
    ],
)
async def test_what_is_wrong_with_a_field_is_said_in_words_for_people(
    api: Api, method: str, path: str, body: object, sentences: dict[str, str]
) -> None:
    token = await api.somebody()
    assert await problems_of(await api.call(method, path, body, token)) == sentences
