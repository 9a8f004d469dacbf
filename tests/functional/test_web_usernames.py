"""Users find each other by name, and answers tell the name beside every user id."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import pytest

from domain.ports import LogPosition
from domain.records import MessageAccepted
from domain.routing import decide
from support.api import Api
from support.watching import Watcher, connect
from web.conversations.usernames import Usernames

NOBODY = "0193e2f0-0000-7000-8000-000000000000"
PHONE = "whatsapp:+5511999990000"


class People:
    """Ana and Bruno, who share a group."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ids: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            session = await self.api.login(await self.api.register(name))
            assert session["username"] == name
            self.ids[name], self.tokens[name] = session["user_id"], session["token"]

    def party(self, name: str) -> dict[str, str]:
        return {"user_id": self.ids[name], "username": name}

    async def call(self, method: str, path: str, body: object = None, status: int = 200, who: str = "Ana_1") -> Any:
        answer = await self.api.call(method, path, body, self.tokens[who])
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)

    def forget_names(self) -> None:
        """As in a process that has just started."""
        api = self.api
        api.services.usernames.__init__(api.users, api.services.adapters.monotonic)


@pytest.fixture
async def people(api: Api) -> People:
    made = People(api)
    await made.come("Ana_1", "Bruno_2")
    return made


async def test_every_door_that_takes_a_user_takes_the_name_in_any_case(people: People) -> None:
    bruno = people.ids["Bruno_2"]
    begun = await people.call("POST", "/v1/conversations", {"participants": ["user:bruno_2", PHONE]}, 201)
    assert begun["participants"] == sorted([people.ids["Ana_1"], bruno, PHONE])
    group = await people.call("POST", "/v1/groups", {"name": "g", "initial_members": ["USER:Bruno_2", bruno]}, 201)
    assert (group["members"], group["admins"]) == (2, [people.ids["Ana_1"]])
    path = f"/v1/groups/{group['group_id']}"
    shown = await people.call("PUT", f"{path}/admins/user:BRUNO_2")
    assert shown["admins"] == sorted([people.ids["Ana_1"], bruno])
    shown = await people.call("DELETE", f"{path}/members/{quote('user:bruno_2', safe='')}")
    assert shown["members"] == [people.ids["Ana_1"]]
    shown = await people.call("POST", f"{path}/members", {"user_id": "user:bruno_2"})
    assert bruno in shown["members"]
    await people.call("POST", f"{path}/members", {"user_id": "user:bruno_2"}, 409)
    accepted = await people.call(
        "POST", "/v1/messages", {"conversation_id": group["group_id"], "recipient": "user:bruno_2", "content": "x"}, 202
    )
    assert (await people.call("GET", f"/v1/messages/{accepted['message_id']}"))["recipient_id"] == bruno


async def test_an_unknown_name_is_named(people: People) -> None:
    group = await people.call("POST", "/v1/groups", {"name": "g"}, 201)
    path = f"/v1/groups/{group['group_id']}"
    for method, where, body, status in (
        ("POST", "/v1/messages", {"recipient_id": "user:no_such", "content": "x"}, 400),
        ("POST", "/v1/conversations", {"participants": ["user:no_such"]}, 400),
        ("POST", "/v1/conversations", {"recipient_id": "user:no_such"}, 400),
        ("POST", "/v1/groups", {"name": "g", "member_ids": ["user:no_such"]}, 400),
        ("POST", f"{path}/members", {"user_id": "user:no_such"}, 400),
        ("PUT", f"{path}/admins/user:no_such", None, 404),
        ("DELETE", f"{path}/members/user:no_such", None, 404),
    ):
        assert "there is no user no_such" in (await people.call(method, where, body, status))["detail"]
    for odd in ("user:", "user:a-b", f"user:{NOBODY}", "user:user:bruno_2", "user:..", "user:a%00b"):
        await people.call("DELETE", f"{path}/members/{quote(odd, safe='')}", None, 404)


async def test_a_name_is_found_as_soon_as_somebody_takes_it(people: People) -> None:
    body = {"recipient_id": "user:carla", "content": "x"}
    await people.call("POST", "/v1/messages", body, 400)
    await people.come("carla")
    await people.call("POST", "/v1/messages", body, 202)
    assert people.api.log.records[-1][0].recipient_id == people.ids["carla"]


async def test_a_bare_name_is_nobody_and_the_answer_says_how_to_name_a_user(people: People) -> None:
    problem = await people.call("POST", "/v1/conversations", {"participants": ["Bruno_2"]}, 400)
    assert "user:Bruno_2" in problem["detail"]
    problem = await people.call("POST", "/v1/messages", {"recipient_id": "Bruno_2", "content": "x"}, 400)
    assert "user:<username>" in problem["detail"]


@pytest.mark.parametrize("sender", ["Ana_1", "ana_1", "ANA_1", "user:ana_1", None])
async def test_the_sender_may_be_named_by_username(people: People, sender: str | None) -> None:
    body = {"conversation_id": "c-1", "content": "x", "sender_id": sender}
    await people.call("POST", "/v1/messages", body, 202)
    assert people.api.log.records[-1][0].sender_id == people.ids["Ana_1"]


@pytest.mark.parametrize("sender", ["Bruno_2", "user:Bruno_2", "", "ana_", "user:", "Ana_1 ", "\uff21na_1"])
async def test_nobody_sends_as_somebody_else(people: People, sender: str) -> None:
    body = {"conversation_id": "c-1", "content": "x", "sender_id": sender}
    await people.call("POST", "/v1/messages", body, 403)
    await people.call("POST", "/v1/messages", {**body, "sender_id": people.ids["Bruno_2"]}, 403)


async def test_a_name_that_looks_like_an_id_without_dashes_is_a_name(people: People) -> None:
    look_alike = people.ids["Bruno_2"].replace("-", "")
    await people.come(look_alike)
    await people.call("POST", "/v1/messages", {"recipient_id": f"user:{look_alike}", "content": "x"}, 202)
    assert people.api.log.records[-1][0].recipient_id == people.ids[look_alike] != people.ids["Bruno_2"]


@pytest.mark.parametrize("is_fresh", [False, True])
async def test_the_username_is_beside_every_user_id(people: People, is_fresh: bool) -> None:
    ana, bruno = people.party("Ana_1"), people.party("Bruno_2")
    phone = {"address": PHONE, "name": None}
    member = {**phone, "window": None, "opted_out": False}

    async def call(*args: object, **more: object) -> Any:
        if is_fresh:
            people.forget_names()
        return await people.call(*args, **more)

    by_id = sorted([ana, bruno], key=lambda party: party["user_id"])
    group = await call("POST", "/v1/groups", {"name": "g", "initial_members": ["user:bruno_2", PHONE]}, 201)
    assert (group["creator"], group["participant_details"]) == (ana, [*by_id, member])
    shown = await call("GET", f"/v1/groups/{group['group_id']}")
    assert (shown["creator"], shown["participant_details"]) == (ana, [*by_id, member])
    assert (shown["created_by"], shown["members"]) == (ana["user_id"], [*(one["user_id"] for one in by_id), PHONE])
    for found in (
        await call("GET", f"/v1/conversations/{group['group_id']}"),
        (await call("GET", "/v1/conversations", who="Bruno_2"))["conversations"][0],
    ):
        assert (found["creator"], found["participant_details"], found["is_direct"]) == (ana, [*by_id, member], False)
    accepted = await call("POST", "/v1/messages", {"conversation_id": group["group_id"], "content": "x"}, 202)
    message = await call("GET", f"/v1/messages/{accepted['message_id']}")
    assert (message["sender"], message["sender_id"], message["recipient"]) == (ana, ana["user_id"], None)
    assert sorted(map(str, (one["recipient"] for one in message["deliveries"]))) == sorted(map(str, (bruno, phone)))
    await call("POST", "/v1/messages", {"recipient_id": "user:bruno_2", "content": "x"}, 202)
    there = people.api.log.records[-1][0].conversation_id
    [listed] = (await call("GET", f"/v1/messages?conversation_id={there}", who="Bruno_2"))["messages"]
    assert (listed["sender"], listed["recipient"]) == (ana, bruno)
    assert (await call("GET", f"/v1/conversations/{there}"))["is_direct"] is True
    identity = {"platform": "telegram", "value": "@ana_one"}
    assert (await call("POST", "/v1/users/identities", identity, 201))["username"] == "Ana_1"
    identities = await call("GET", "/v1/users/identities")
    assert {identities["username"], identities["identities"][0]["username"]} == {"Ana_1"}
    assert (await call("DELETE", "/v1/users/identities/telegram/@ana_one"))["username"] == "Ana_1"
    form = {"conversation_id": there, "file": b"x"}
    answer = await people.api.call("POST", "/v1/files", token=people.tokens["Ana_1"], data=form)
    file = await answer.json()
    assert file["uploader"] == ana
    for path in ("", "/download"):
        assert (await call("GET", f"/v1/files/{file['file_id']}{path}", who="Bruno_2"))["uploader"] == ana


async def test_a_trace_names_its_recipients(people: People) -> None:
    body = {"conversation_id": "c", "participants": ["user:bruno_2", PHONE]}
    await people.call("POST", "/v1/conversations", body, 201)
    accepted = await people.call("POST", "/v1/messages", {"conversation_id": "c", "content": "x"}, 202)
    message, position, _ = people.api.log.records[-1]
    for fact in decide(message, LogPosition(position.accepted_at_ms, position.offset)).facts:
        people.api.recent.add_fact(fact)
    trace = await people.call("GET", f"/v1/messages/{accepted['message_id']}/trace")
    assert [event.get("recipient") for event in trace["events"]] == [None, people.party("Bruno_2")]


async def test_without_cassandra_answers_come_without_names(people: People) -> None:
    accepted = await people.call("POST", "/v1/messages", {"recipient_id": "user:bruno_2", "content": "x"}, 202)
    people.forget_names()
    people.api.users.available = False
    for _ in range(3):
        shown = await people.call("GET", f"/v1/messages/{accepted['message_id']}")
        assert shown["sender"] == {"user_id": people.ids["Ana_1"], "username": None}
    people.api.users.available = True
    people.api.clock.now_ms += 2_000
    shown = await people.call("GET", f"/v1/messages/{accepted['message_id']}")
    assert shown["sender"] == people.party("Ana_1")


async def test_names_are_asked_for_at_once_and_once(people: People) -> None:
    asked: list[list[str]] = []
    usernames = people.api.users.usernames

    async def counted(user_ids: Iterable[str]) -> Any:
        asked.append(sorted(user_ids))
        return await usernames(user_ids)

    people.api.users.usernames = counted
    for who, other in (("Ana_1", "bruno_2"), ("Bruno_2", "ana_1")):
        await people.call("POST", "/v1/messages", {"recipient_id": f"user:{other}", "content": "x"}, 202, who=who)
    there = people.api.log.records[-1][0].conversation_id
    people.forget_names()
    for _ in range(3):
        await people.call("GET", f"/v1/messages?conversation_id={there}")
    assert asked == [sorted(people.ids.values())]


async def test_a_store_that_says_nothing_does_not_hold_up_answers() -> None:
    class Silent:
        asked = 0

        async def usernames(self, user_ids: Iterable[str]) -> Any:
            self.asked += 1
            await asyncio.Event().wait()

    silent = Silent()
    usernames = Usernames(silent, lambda: 0.0)  # type: ignore[arg-type]
    for _ in range(5):
        assert await usernames.names_of([NOBODY, PHONE, ""]) == {}
    assert silent.asked == 1


# live


async def test_live_frames_tell_the_senders_name_from_the_first_one_on(people: People, api: Api) -> None:
    await people.call("POST", "/v1/messages", {"recipient_id": "user:bruno_2", "content": "x"}, 202)
    sent, _, _ = api.log.records[-1]
    people.forget_names()
    watcher = Watcher(await connect(api, people.tokens["Bruno_2"]))
    connected = await watcher.frame()
    assert (connected["userId"], connected["username"]) == (people.ids["Bruno_2"], "Bruno_2")
    api.live_log.message(sent)
    frame = await watcher.frame()
    assert (frame["sender"], frame["sender_id"]) == (people.party("Ana_1"), people.ids["Ana_1"])
    people.forget_names()
    again = Watcher(await connect(api, people.tokens["Bruno_2"], connected["cursor"]))
    assert [(await again.frame())["type"], (await again.frame())["sender"]] == ["connected", people.party("Ana_1")]


async def test_while_the_store_is_away_live_frames_come_without_names(people: People, api: Api) -> None:
    await people.call("POST", "/v1/messages", {"recipient_id": "user:bruno_2", "content": "x"}, 202)
    sent, _, _ = api.log.records[-1]
    watcher = Watcher(await connect(api, people.tokens["Bruno_2"]))
    await watcher.frame()
    people.forget_names()
    api.live_log.message(MessageAccepted("m-1", sent.conversation_id, people.ids["Ana_1"], "", "1"))
    assert (await watcher.frame())["sender"] == people.party("Ana_1")
    people.forget_names()
    api.users.available = False
    for number in range(2, 5):
        api.live_log.message(MessageAccepted(f"m-{number}", sent.conversation_id, people.ids["Ana_1"], "", "x"))
        assert (await watcher.frame())["sender"] == {"user_id": people.ids["Ana_1"], "username": None}
    api.users.available = True
    api.clock.now_ms += 2_000
    for number in range(5, 50):
        api.live_log.message(MessageAccepted(f"m-{number}", sent.conversation_id, people.ids["Ana_1"], "", "x"))
        if (await watcher.frame())["sender"]["username"] == "Ana_1":
            break
    else:
        raise AssertionError("the name is never asked for again")
