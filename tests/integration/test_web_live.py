"""Two API processes' worth of the real wiring, on a real Kafka and Cassandra."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from app.kafka.topic_admin import ensure_topics
from app.settings import Settings
from loadtests.system import Servers, free_ports
from storage.cassandra.driver_session import CassandraConfig
from support.real_api import api_settings
from support.waiting import until, until_ready
from web.server import run

pytestmark = pytest.mark.real

PASSWORD = "correct horse battery"


@pytest.fixture
async def two_apis(
    stack: Servers, fresh_cassandra: CassandraConfig
) -> AsyncIterator[tuple[ClientSession, ClientSession]]:
    base = api_settings(stack, fresh_cassandra)
    await ensure_topics(base)
    stop = asyncio.Event()
    first = free_ports(2)
    ports = [first, first + 1]
    servers = [
        asyncio.create_task(run(Settings.from_environ({**base.to_environ(), "CHAT4ALL_PORT": str(port)}), stop))
        for port in ports
    ]
    sessions = [ClientSession(f"http://127.0.0.1:{port}") for port in ports]
    for session in sessions:
        await until_ready(session)
    yield sessions[0], sessions[1]
    for session in sessions:
        await session.close()
    stop.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*servers)


async def test_what_one_process_accepted_another_finds_at_once(two_apis: tuple[ClientSession, ClientSession]) -> None:
    one, other = two_apis
    credentials = {"username": "maria", "password": PASSWORD}
    async with one.post("/users", json=credentials) as answer:
        assert answer.status == 201
    async with other.post("/auth/login", json=credentials) as answer:
        headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    sent: list[str] = []
    for number in range(20):
        body = {"conversation_id": "c-1", "recipient_id": "telegram:12345", "content": f"m{number}"}
        async with one.post("/v1/messages", json=body, headers=headers) as answer:
            accepted = await answer.json()
            assert answer.status == 202, accepted
        sent.append(accepted["message_id"])
        async with other.get(f"/v1/messages/{accepted['message_id']}", headers=headers) as answer:
            found = await answer.json()
            assert answer.status == 200, found
        assert (found["accepted_at"], found["content"]) == (accepted["accepted_at"], f"m{number}")
        async with other.get("/v1/messages?conversation_id=c-1&limit=100", headers=headers) as answer:
            listed = await answer.json()
        assert [message["message_id"] for message in listed["messages"]] == sent


async def test_messages_sent_at_once_to_a_new_conversation_are_all_accepted(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    credentials = {"username": "joana", "password": PASSWORD}
    async with two_apis[0].post("/users", json=credentials) as answer:
        assert answer.status == 201
    async with two_apis[0].post("/auth/login", json=credentials) as answer:
        headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    body = {"conversation_id": "all at once", "recipient_id": "telegram:12345", "content": "hi"}

    async def send(number: int) -> int:
        async with two_apis[number % 2].post("/v1/messages", json=body, headers=headers) as answer:
            return answer.status

    assert set(await asyncio.gather(*(send(number) for number in range(40)))) == {202}


async def post(session: ClientSession, path: str, body: dict[str, Any], token: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with session.post(path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None) if answer.status != 204 else {}


async def logged_in(session: ClientSession, username: str) -> dict[str, Any]:
    credentials = {"username": username, "password": PASSWORD}
    assert (await post(session, "/users", credentials))[0] == 201
    status, login = await post(session, "/auth/login", credentials)
    assert status == 200
    return login


async def test_of_two_processes_that_refresh_one_token_at_once_exactly_one_does(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    one, other = two_apis
    login = await logged_in(one, "ana")
    for _ in range(10):
        # each time with a new session: whether the slower one raced or came just after, one of them is refused
        both = await asyncio.gather(
            *(post(api, "/auth/refresh", {"refresh_token": login["refresh_token"]}) for api in two_apis)
        )
        assert sorted(status for status, _ in both) == [200, 401]
        login = (await post(other, "/auth/login", {"username": "ana", "password": PASSWORD}))[1]


async def test_a_session_goes_from_process_to_process_until_it_ends(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    first = await logged_in(two_apis[0], "bia")
    login = first
    for number in range(6):
        status, login = await post(two_apis[number % 2], "/auth/refresh", {"refresh_token": login["refresh_token"]})
        assert status == 200
    assert (await post(two_apis[1], "/auth/logout", {}, login["access_token"]))[0] == 204
    assert (await post(two_apis[0], "/auth/refresh", {"refresh_token": login["refresh_token"]}))[0] == 401
    # a used token ends another session of the same user, wherever it is shown
    status, login = await post(two_apis[0], "/auth/login", {"username": "bia", "password": PASSWORD})
    status, new = await post(two_apis[0], "/auth/refresh", {"refresh_token": login["refresh_token"]})
    assert status == 200
    assert (await post(two_apis[1], "/auth/refresh", {"refresh_token": login["refresh_token"]}))[0] == 401
    assert (await post(two_apis[0], "/auth/refresh", {"refresh_token": new["refresh_token"]}))[0] == 401


async def test_an_address_linked_by_two_users_at_once_is_contested_for_both(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    tokens = [
        (await logged_in(api, name))["access_token"] for api, name in zip(two_apis, ("carla", "davi"), strict=True)
    ]
    for number in range(5):
        body = {"platform": "whatsapp", "value": f"+55 11 9999-00{number:02d}"}
        both = await asyncio.gather(
            *(post(api, "/v1/users/identities", body, token) for api, token in zip(two_apis, tokens, strict=True))
        )
        assert [status for status, _ in both] == [201, 201]
    for api, token in zip(two_apis, tokens, strict=True):
        headers = {"Authorization": f"Bearer {token}"}
        async with api.get("/v1/users/identities", headers=headers) as answer:
            assert [one["contested"] for one in (await answer.json())["identities"]] == [True] * 5


async def test_eight_identities_linked_at_once_in_two_processes_are_as_many_as_there_is_room_for(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    token = (await logged_in(two_apis[0], "elisa"))["access_token"]

    async def link(number: int) -> int:
        body = {"platform": "telegram", "value": str(1000 + number)}
        status, _ = await post(two_apis[number % 2], "/v1/users/identities", body, token)
        return status if status != 503 else await link(number)

    assert [await link(number) for number in range(17)] == [201] * 17
    assert sorted(await asyncio.gather(*(link(number) for number in range(17, 25)))) == [201] * 3 + [409] * 5


async def test_a_key_is_one_message_whichever_process_is_asked_and_at_once(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    token = (await logged_in(two_apis[0], "keyed"))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    async def send(number: int, key: str, **changes: str) -> tuple[int, dict[str, Any]]:
        body = {"conversation_id": "c-keys", "recipient_id": "telegram:12345", "content": key, **changes}
        keyed = {**headers, "Idempotency-Key": key}
        async with two_apis[number % 2].post("/v1/messages", json=body, headers=keyed) as answer:
            return answer.status, await answer.json(content_type=None)

    sent = []
    for attempt in range(10):
        key = f"key-{attempt}"
        answers = await asyncio.gather(*(send(number, key) for number in range(4)))
        assert [status for status, _ in answers] == [202] * 4, answers
        assert all(document == answers[0][1] for _, document in answers)
        assert (await send(attempt, key)) == answers[0]
        status, _ = await send(attempt, key, content="another")
        assert status == 422
        assert (await send(attempt + 1, key, conversation_id="c-else"))[0] == 422
        sent.append(answers[0][1]["message_id"])
    for session in two_apis:
        async with session.get("/v1/conversations/c-keys/messages?limit=100", headers=headers) as answer:
            listed = (await answer.json())["messages"]
        assert [message["message_id"] for message in listed] == sent
        async with session.get("/v1/conversations/c-else/messages", headers=headers) as answer:
            assert answer.status == 404


async def get(session: ClientSession, path: str, token: str) -> tuple[int, dict[str, Any]]:
    async with session.get(path, headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_who_is_removed_from_a_group_is_out_at_once_here_and_soon_everywhere(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    one, other = two_apis
    admin, member = await logged_in(one, "edu"), await logged_in(one, "fabi")
    status, group = await post(one, "/v1/groups", {"name": "g", "initial_members": [member["user_id"]]}, admin["token"])
    assert status == 201
    message = {"conversation_id": group["group_id"], "recipient_id": "telegram:12345", "content": "hi"}
    for api in two_apis:
        assert (await post(api, "/v1/messages", message, member["token"]))[0] == 202
    path = f"/v1/groups/{group['group_id']}/members/{member['user_id']}"
    async with one.delete(path, headers={"Authorization": f"Bearer {admin['token']}"}) as answer:
        assert answer.status == 200
    assert (await post(one, "/v1/messages", message, member["token"]))[0] == 403
    assert (await get(other, f"/v1/groups/{group['group_id']}", member["token"]))[0] == 403

    async def is_refused() -> bool:
        return (await post(other, "/v1/messages", message, member["token"]))[0] == 403

    await until(is_refused, 3)
    for api in two_apis:
        assert (await get(api, f"/v1/conversations/{group['group_id']}/messages", member["token"]))[0] == 403
        status, listed = await get(api, "/v1/conversations", member["token"])
        assert (status, listed["conversations"]) == (200, [])


async def test_conversations_are_listed_alike_by_both_with_what_either_accepted(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    token = (await logged_in(two_apis[0], "gabi"))["access_token"]
    for number in range(12):
        body = {"conversation_id": f"list-{number % 4}", "recipient_id": "telegram:12345", "content": "hi"}
        assert (await post(two_apis[number % 2], "/v1/messages", body, token))[0] == 202
        for api in two_apis:
            _, listed = await get(api, "/v1/conversations", token)
            assert listed["conversations"][0]["conversation_id"] == f"list-{number % 4}"
            assert sum(found["message_count"] for found in listed["conversations"]) == number + 1
    pages = []
    for api in two_apis:
        _, first = await get(api, "/v1/conversations?limit=3", token)
        _, rest = await get(api, f"/v1/conversations?limit=3&cursor={first['pagination']['next_cursor']}", token)
        pages.append([found["conversation_id"] for page in (first, rest) for found in page["conversations"]])
    assert pages == [["list-3", "list-2", "list-1", "list-0"]] * 2


async def test_of_many_who_are_added_at_once_by_both_none_is_lost(
    two_apis: tuple[ClientSession, ClientSession],
) -> None:
    token = (await logged_in(two_apis[0], "hugo"))["access_token"]
    _, group = await post(two_apis[0], "/v1/groups", {"name": "g"}, token)
    wanted = [f"telegram:{number}" for number in range(1, 9)]

    async def add(number: int, address: str) -> None:
        path = f"/v1/groups/{group['group_id']}/members"
        statuses: list[int] = []

        async def is_decided() -> bool:
            statuses.append((await post(two_apis[number % 2], path, {"user_id": address}, token))[0])
            return statuses[-1] != 503  # too many at once

        await until(is_decided, look_seconds=0.1)
        assert statuses[-1] in (200, 409)  # 409: an earlier answer was lost, the change was not

    await asyncio.gather(*(add(number, address) for number, address in enumerate(wanted)))
    _, found = await get(two_apis[1], f"/v1/groups/{group['group_id']}", token)
    assert set(wanted) < set(found["members"])
