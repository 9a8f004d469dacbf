"""Groups over HTTP: who may do what, and how soon it holds."""

from __future__ import annotations

from typing import Any

import pytest

from domain.conversations import Conversation, without_member
from support.api import Api
from web.circuit import COOLDOWN_SECONDS

UNKNOWN = "0193e2f0-0000-7000-8000-000000000000"


class People:
    """Maria made a group with João in it; Olga is a stranger."""

    def __init__(self, api: Api, maria: dict[str, Any], joao: dict[str, Any], olga: dict[str, Any]) -> None:
        self.api, self.maria, self.joao, self.olga = api, maria, joao, olga
        self.group_id = ""

    async def call(self, who: dict[str, Any], method: str, path: str = "", body: object = None) -> Any:
        return await self.api.call(method, f"/v1/groups/{self.group_id}{path}", body, who["token"])

    async def send(self, who: dict[str, Any]) -> int:
        answer = await self.api.call("POST", "/v1/messages", self.api.message(self.group_id), who["token"])
        return int(answer.status)


@pytest.fixture
async def people(api: Api) -> People:
    people = People(api, *[await api.login(await api.register()) for _ in range(3)])
    body = {"name": "Família", "description": "us", "initial_members": [people.joao["user_id"]]}
    answer = await api.call("POST", "/v1/groups", body, people.maria["token"])
    assert answer.status == 201
    people.group_id = (await answer.json())["group_id"]
    return people


def party(login: dict[str, Any]) -> dict[str, str]:
    return {"user_id": login["user_id"], "username": login["username"]}


async def test_a_group_is_created_with_every_field_of_the_contract(api: Api) -> None:
    maria, joao = await api.login(await api.register()), await api.login(await api.register())
    for alias in ("initial_members", "member_ids"):
        body = {"name": "Família", "description": "us\ntwo", alias: [joao["user_id"], "whatsapp:+5511999990000"]}
        answer = await api.call("POST", "/v1/groups", body, maria["token"])
        assert answer.status == 201
        created = await answer.json()
        assert created == {
            "group_id": created["group_id"],
            "conversation_id": created["group_id"],
            "name": "Família",
            "description": "us\ntwo",
            "members": 3,
            "admins": [maria["user_id"]],
            "max_members": 256,
            "participant_details": [
                *sorted((party(maria), party(joao)), key=lambda one: one["user_id"]),
                {"address": "whatsapp:+5511999990000", "name": None, "window": None, "opted_out": False},
            ],
            "created_by": maria["user_id"],
            "creator": party(maria),
            "created_at": "2025-11-22T22:00:00.123Z",
        }
        found = await api.call("GET", answer.headers["Location"], token=joao["token"])
        members = sorted([maria["user_id"], joao["user_id"], "whatsapp:+5511999990000"])
        assert await found.json() == {**created, "members": members}


async def test_a_group_is_a_conversation(people: People) -> None:
    assert await people.send(people.joao) == 202
    answer = await people.api.call("GET", "/v1/conversations", token=people.maria["token"])
    (found,) = (await answer.json())["conversations"]
    assert (found["conversation_id"], found["name"], found["is_group"]) == (people.group_id, "Família", True)
    assert found["message_count"] == 1
    assert await people.send(people.olga) == 403


async def test_a_conversation_is_no_group(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    assert (await api.call("GET", "/v1/groups/c-1", token=token)).status == 404
    assert (await api.call("POST", "/v1/groups/c-1/members", {"user_id": "telegram:5"}, token)).status == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name"}),
        ({"name": "", "description": 7}, {"name", "description"}),
        ({"name": "x" * 101, "description": "x" * 1001}, {"name", "description"}),
        ({"name": "a\u0000", "description": "a\u0000"}, {"name", "description"}),
        ({"name": "\n", "initial_members": "telegram:5"}, {"name", "initial_members"}),
        ({"name": "g", "initial_members": ["sms:1"]}, {"initial_members.0"}),
        ({"name": "g", "initial_members": [UNKNOWN]}, {"initial_members"}),
        ({"name": "g", "initial_members": [f"telegram:{n + 1}" for n in range(256)]}, {"initial_members"}),
        ({"name": "g", "member_ids": [f"telegram:{n + 1}" for n in range(257)]}, {"member_ids"}),
    ],
)
async def test_a_bad_group_names_every_invalid_field(api: Api, body: dict[str, Any], fields: set[str]) -> None:
    answer = await api.call("POST", "/v1/groups", body, await api.somebody())
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == fields
    assert api.conversations.members == {}


async def test_an_admin_adds_and_removes_members(people: People) -> None:
    added = await people.call(people.maria, "POST", "/members", {"user_id": people.olga["user_id"]})
    assert added.status == 200
    assert people.olga["user_id"] in (await added.json())["members"]
    assert await people.send(people.olga) == 202
    again = await people.call(people.maria, "POST", "/members", {"user_id": people.olga["user_id"]})
    assert again.status == 409
    removed = await people.call(people.maria, "DELETE", f"/members/{people.olga['user_id']}")
    assert removed.status == 200
    assert people.olga["user_id"] not in (await removed.json())["members"]
    assert (await people.call(people.maria, "DELETE", f"/members/{people.olga['user_id']}")).status == 404


async def test_an_address_may_be_a_member_but_no_admin(people: People) -> None:
    assert (await people.call(people.maria, "POST", "/members", {"user_id": "Telegram:@Ana_B"})).status == 200
    assert (await people.call(people.maria, "PUT", "/admins/telegram:@ana_b")).status == 409
    removed = await people.call(people.maria, "DELETE", "/members/telegram%3A%40ANA_B")
    assert removed.status == 200
    assert "telegram:@ana_b" not in (await removed.json())["members"]


async def test_only_admins_change_a_group(people: People) -> None:
    joao, olga = people.joao["user_id"], people.olga["user_id"]
    for who in (people.joao, people.olga):
        assert (await people.call(who, "POST", "/members", {"user_id": olga})).status == 403
        assert (await people.call(who, "POST", "/members", {"user_id": UNKNOWN})).status == 403
        assert (await people.call(who, "DELETE", f"/members/{people.maria['user_id']}")).status == 403
        assert (await people.call(who, "PUT", f"/admins/{joao}")).status == 403
    assert (await people.call(people.olga, "GET")).status == 403
    promoted = await people.call(people.maria, "PUT", f"/admins/{joao}")
    assert (promoted.status, set((await promoted.json())["admins"])) == (200, {joao, people.maria["user_id"]})
    assert (await people.call(people.maria, "PUT", f"/admins/{joao}")).status == 200
    assert (await people.call(people.joao, "POST", "/members", {"user_id": olga})).status == 200


async def test_what_is_not_there_is_not_found(people: People) -> None:
    assert (await people.call(people.maria, "PUT", f"/admins/{people.olga['user_id']}")).status == 404
    for odd in ("nobody", "sms:1", "a%20b", "%00", UNKNOWN):
        assert (await people.call(people.maria, "DELETE", f"/members/{odd}")).status == 404
    added = await people.call(people.maria, "POST", "/members", {"user_id": UNKNOWN})
    assert added.status == 400
    assert (await added.json(content_type=None))["errors"] == [
        {"field": "user_id", "detail": f"there is no user {UNKNOWN}"}
    ]
    people.group_id = UNKNOWN
    for method, path, body in (
        ("GET", "", None),
        ("POST", "/members", {"user_id": "telegram:5"}),
        ("DELETE", "/members/telegram:5", None),
        ("PUT", "/admins/telegram:5", None),
    ):
        assert (await people.call(people.maria, method, path, body)).status == 404


async def test_the_last_admin_stays_as_long_as_others_do(people: People) -> None:
    maria, joao = people.maria["user_id"], people.joao["user_id"]
    left = await people.call(people.maria, "DELETE", f"/members/{maria}")
    assert left.status == 409
    assert "admin" in (await left.json(content_type=None))["detail"]
    assert (await people.call(people.maria, "PUT", f"/admins/{joao}")).status == 200
    assert (await people.call(people.maria, "DELETE", f"/members/{maria}")).status == 200
    assert (await people.call(people.maria, "GET")).status == 403
    assert (await people.call(people.joao, "DELETE", f"/members/{joao}")).status == 200
    assert (await people.call(people.joao, "GET")).status == 403


async def test_a_full_group_takes_nobody_more(api: Api) -> None:
    login = await api.login(await api.register())
    body = {"name": "g", "initial_members": [f"telegram:{n + 1}" for n in range(255)]}
    created = await (await api.call("POST", "/v1/groups", body, login["token"])).json()
    assert created["members"] == 256
    path = f"/v1/groups/{created['group_id']}/members"
    assert (await api.call("POST", path, {"user_id": "telegram:999"}, login["token"])).status == 409


async def test_who_is_removed_is_out_at_once_of_everything(people: People) -> None:
    assert await people.send(people.joao) == 202
    sent = people.api.log.records[-1][0].message_id
    reads = [
        f"/v1/messages?conversation_id={people.group_id}",
        f"/v1/conversations/{people.group_id}/messages",
        f"/v1/conversations/{people.group_id}",
        f"/v1/groups/{people.group_id}",
        f"/v1/messages/{sent}",
    ]
    for path in reads:
        assert (await people.api.call("GET", path, token=people.joao["token"])).status == 200
    assert (await people.call(people.maria, "DELETE", f"/members/{people.joao['user_id']}")).status == 200
    assert await people.send(people.joao) == 403
    for path in reads:
        assert (await people.api.call("GET", path, token=people.joao["token"])).status in (403, 404)
    answer = await people.api.call("GET", "/v1/conversations", token=people.joao["token"])
    assert (await answer.json())["conversations"] == []


async def remove_elsewhere(people: People) -> None:
    """As another process does it: the store knows, this process does not."""
    before = people.api.conversations.members[people.group_id]
    after = without_member(before, people.maria["user_id"], people.joao["user_id"])
    assert await people.api.conversations.change(before, after)


async def test_who_is_removed_by_another_process_is_out_within_the_setting(people: People) -> None:
    assert await people.send(people.joao) == 202
    await remove_elsewhere(people)
    people.api.clock.now_ms += int(people.api.settings.group_membership_seconds * 1000)
    assert await people.send(people.joao) == 403


async def test_a_clock_that_is_set_back_keeps_nobody_in_who_was_removed_by_another_process(people: People) -> None:
    clock, seconds = people.api.clock, people.api.settings.group_membership_seconds
    assert await people.send(people.joao) == 202
    await remove_elsewhere(people)
    people.api.services.memberships._clock_ms = lambda: clock.now_ms - 600_000
    clock.now_ms += int(seconds * 1000)  # of the monotonic clock
    assert await people.send(people.joao) == 403


async def test_who_is_removed_by_another_process_sees_nothing_of_the_group_itself_any_more(people: People) -> None:
    assert await people.send(people.joao) == 202
    await remove_elsewhere(people)
    for path in (f"/v1/groups/{people.group_id}", f"/v1/conversations/{people.group_id}"):
        assert (await people.api.call("GET", path, token=people.joao["token"])).status == 403


async def test_without_cassandra_members_of_a_group_go_on_sending(people: People) -> None:
    assert await people.send(people.joao) == 202
    people.api.conversations.available = False
    people.api.clock.now_ms += 600_000
    assert await people.send(people.joao) == 202
    people.api.conversations.available = True
    await remove_elsewhere(people)
    people.api.clock.now_ms += int(COOLDOWN_SECONDS * 1000)  # less than the time for which a removed member may get in
    assert people.api.settings.group_membership_seconds > COOLDOWN_SECONDS
    assert await people.send(people.joao) == 403


async def test_who_loses_a_race_reads_again(people: People) -> None:
    change, lost = people.api.conversations.change, []

    async def lose_twice(before: Conversation, after: Conversation) -> bool:
        if len(lost) < 2:
            lost.append(after)
            return False
        return bool(await change(before, after))

    people.api.conversations.change = lose_twice
    assert (await people.call(people.maria, "PUT", f"/admins/{people.joao['user_id']}")).status == 200
    people.api.conversations.change = lambda before, after: _never()
    answer = await people.call(people.maria, "DELETE", f"/members/{people.joao['user_id']}")
    assert answer.status == 503


async def _never() -> bool:
    return False
