"""The Python client against the running API whose Kafka and Cassandra are fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, web

import chat4all
from chat4all import (
    ApiUnavailable,
    Client,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotLoggedIn,
    TooManyRequests,
    Unconfirmed,
)
from support.api import Api
from support.watching import message

PASSWORD = "correct horse battery"
RECIPIENT = "whatsapp:+5511999999999"
SECONDS = 10.0


def client_of(api: Api, **more: object) -> Client:
    return Client(f"http://127.0.0.1:{api.port}", **more)


@asynccontextmanager
async def somebody(api: Api, name: str = "ana", **more: object) -> AsyncIterator[Client]:
    """A client who has registered and logged in."""
    async with client_of(api, **more) as client:
        await client.register(name, PASSWORD)
        await client.login(name, PASSWORD)
        yield client


@asynccontextmanager
async def playing(*answers: Callable[[web.Request], web.Response | None]) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that gives these answers in turn, ``None``: it hangs up; with the headers of each request."""
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        asked.append((request.method, request.path, dict(request.headers)))
        found = answers[min(len(asked), len(answers)) - 1](request)
        if found is None:
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        return found

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def accepts(_: web.Request) -> web.Response:
    made = {"message_id": "m-1", "conversation_id": "c-1", "accepted_at": "2026-01-01T00:00:00.000Z"}
    return web.json_response(made, status=202)


def is_well(_: web.Request) -> web.Response:
    return web.json_response({})


def hangs_up(_: web.Request) -> None:
    return None


def bad_gateway(_: web.Request) -> web.Response:
    return web.Response(status=502, body=b"<html>")


def problem(status: int, retry_after: str) -> Callable[[web.Request], web.Response]:
    headers = {"Retry-After": retry_after, "Content-Type": "application/problem+json"}
    return lambda _: web.Response(status=status, body=json.dumps({"detail": "not now"}), headers=headers)


# accounts and sessions


async def test_a_user_registers_logs_in_and_out(api: Api) -> None:
    async with client_of(api) as client:
        user_id = await client.register("ana", PASSWORD, "ana@example.org")
        with pytest.raises(Conflict, match="taken"):
            await client.register("ana", PASSWORD)
        with pytest.raises(NotLoggedIn):
            await client.login("ana", "wrong")
        with pytest.raises(NotLoggedIn):
            await client.me()
        await client.login("ana", PASSWORD)
        assert (await client.me())["email"] == "ana@example.org"
        assert client.user_id == user_id
        await client.logout()
        assert client.token == ""
        with pytest.raises(NotLoggedIn):
            await client.me()


async def test_an_expired_token_is_refreshed_once_however_many_requests_meet_it(api: Api) -> None:
    async with somebody(api) as client:
        old = client.token
        api.clock.now_ms += 3_700_000
        await asyncio.gather(*(client.me() for _ in range(10)))
        assert client.token not in ("", old)
        await client.refresh()  # a refresh token that came twice would have ended the session


async def test_a_session_that_has_ended_is_not_continued(api: Api) -> None:
    async with somebody(api) as client:
        api.clock.now_ms += 40 * 86_400_000
        with pytest.raises(NotLoggedIn):
            await client.me()
        with pytest.raises(NotLoggedIn, match="log in again"):
            await client.refresh()


async def test_a_token_can_be_refreshed_before_it_expires(api: Api) -> None:
    async with somebody(api) as client:
        await client.refresh()
        await client.refresh()
        assert (await client.me())["username"] == "ana"


async def test_identities_are_linked_listed_and_unlinked(api: Api) -> None:
    async with somebody(api) as client:
        await client.link_identity("whatsapp", "+55 11 99999-0000")
        assert [one["value"] for one in await client.identities()] == ["+5511999990000"]
        await client.unlink_identity("whatsapp", "+5511999990000")
        assert await client.identities() == []
        with pytest.raises(NotFound):
            await client.unlink_identity("whatsapp", "+5511999990000")


# conversations, groups, messages


async def test_conversations_and_groups(api: Api) -> None:
    async with somebody(api) as ana, somebody(api, "bruno") as bruno:
        begun = await ana.create_conversation([bruno.user_id], "our talk/1?#%", "us")
        assert await ana.conversation("our talk/1?#%") == begun
        group = await ana.create_group("friends", [bruno.user_id], "all of us")
        group_id = group["group_id"]
        assert {one["conversation_id"] async for one in bruno.conversations()} == {"our talk/1?#%", group_id}
        with pytest.raises(Forbidden):
            await bruno.make_admin(group_id, bruno.user_id)
        assert len((await ana.make_admin(group_id, bruno.user_id))["admins"]) == 2
        assert (await bruno.remove_member(group_id, ana.user_id))["members"] == [bruno.user_id]
        with pytest.raises(Forbidden):
            await ana.group(group_id)
        assert (await bruno.add_member(group_id, ana.user_id))["members"] == sorted([ana.user_id, bruno.user_id])


async def test_messages_come_page_by_page_in_either_order_and_no_more_than_asked_for(api: Api) -> None:
    async with somebody(api) as client:
        sent = [(await client.send(RECIPIENT, f"hi {n}", "c/1")).message_id for n in range(230)]
        await api.mirror()
        assert [one["message_id"] async for one in client.messages("c/1")] == sent
        assert [one["message_id"] async for one in client.messages("c/1", order="desc", limit=150)] == sent[:-151:-1]
        assert [one async for one in client.messages("c/1", limit=0)] == []


async def test_every_send_has_a_key_and_one_key_is_one_message(api: Api) -> None:
    async with somebody(api) as client:
        one = await client.send(RECIPIENT, "hi", "c-1", idempotency_key="k-1")
        again = await client.send(RECIPIENT, "hi", "c-1", idempotency_key="k-1")
        other = await client.send(RECIPIENT, "hi", "c-1")
        assert one == again != other


async def test_a_problem_tells_every_field_that_is_wrong(api: Api) -> None:
    async with somebody(api) as client:
        with pytest.raises(InvalidRequest) as refused:
            await client.send("pigeon:1", "", "c-1")
        assert {name for name, _ in refused.value.fields} == {"recipient_id", "content"}
        assert (refused.value.status, refused.value.code) == (400, "invalid-input")
        assert refused.value.request_id


# repetition


async def test_a_send_whose_answer_is_lost_is_repeated_with_the_same_key() -> None:
    async with playing(is_well, hangs_up, problem(503, "0"), accepts) as (url, asked), Client(url) as client:
        assert await client.is_ready()
        assert (await client.send(RECIPIENT, "hi", "c-1")).message_id == "m-1"
    sends = [headers["Idempotency-Key"] for _, path, headers in asked if path == "/v1/messages"]
    assert len(sends) == 3
    assert len(set(sends)) == 1


async def test_a_send_is_repeated_after_its_first_connection_broke_although_nothing_was_ever_answered() -> None:
    async with playing(hangs_up, accepts) as (url, asked), Client(url) as client:
        assert (await client.send(RECIPIENT, "hi", "c-1")).message_id == "m-1"
    assert len({headers["Idempotency-Key"] for _, _, headers in asked}) == 1


def in_doubt(_: web.Request) -> web.Response:
    told = {"detail": "no answer of the log", "message_id": "m-7", "may_have_been_accepted": True}
    return web.json_response(told, status=503, headers={"Retry-After": "1"})


@pytest.mark.parametrize(
    ("answers", "message_id"),
    [([in_doubt], "m-7"), ([in_doubt, problem(503, "60")], "m-7"), ([hangs_up], ""), ([bad_gateway], "")],
)
async def test_a_message_that_may_have_been_accepted_is_told_with_its_id_and_its_key(
    answers: list[Any], message_id: str
) -> None:
    async with playing(*answers) as (url, asked), Client(url, retry_seconds=1.5) as client:
        with pytest.raises(Unconfirmed, match="may have been accepted") as raised:
            await client.send(RECIPIENT, "hi", "c-1")
    assert raised.value.message_id == message_id
    assert {headers["Idempotency-Key"] for _, _, headers in asked} == {raised.value.idempotency_key}


@pytest.mark.parametrize("answer", [problem(503, "60"), lambda _: web.Response(body=b"<html>")])
async def test_a_message_that_was_certainly_not_accepted_is_not_said_to_be_in_doubt(answer: ClientResponse) -> None:
    async with playing(answer) as (url, _), Client(url, retry_seconds=0.5) as client:
        with pytest.raises(ApiUnavailable) as raised:
            await client.send(RECIPIENT, "hi", "c-1")
    assert not isinstance(raised.value, Unconfirmed)


async def test_what_is_not_safe_to_repeat_is_asked_once() -> None:
    async with playing(is_well, hangs_up) as (url, asked), Client(url) as client:
        assert await client.is_ready()
        with pytest.raises(ApiUnavailable):
            await client.create_group("friends")
    assert len(asked) == 2


async def test_retry_after_is_honoured_and_one_beyond_the_patience_is_not_waited_for() -> None:
    loop = asyncio.get_running_loop()
    async with playing(problem(429, "1"), is_well) as (url, asked), Client(url) as client:
        began_at = loop.time()
        await client.me()
        assert loop.time() - began_at >= 1.0
        assert len(asked) == 2
    async with playing(problem(429, "600")) as (url, asked), Client(url) as client:
        with pytest.raises(TooManyRequests) as refused:
            await client.me()
        assert refused.value.retry_after_seconds == 600
        assert len(asked) == 1


async def test_repetition_ends_with_the_patience() -> None:
    async with playing(problem(503, "0")) as (url, asked), Client(url, retry_seconds=1.0) as client:
        with pytest.raises(ApiUnavailable, match="cannot serve this now: not now"):
            await client.send(RECIPIENT, "hi", "c-1")
    assert 2 <= len(asked) <= 10


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"a":', b"\xff"])
async def test_what_is_no_answer_of_the_api_is_said_to_be_none(body: bytes) -> None:
    async with playing(lambda _: web.Response(body=body)) as (url, _), Client(url) as client:
        with pytest.raises(ApiUnavailable, match="is not a Chat4All API"):
            await client.me()


# live notifications


async def test_notifications_go_on_without_a_gap_when_the_connection_is_lost(api: Api) -> None:
    async with somebody(api) as client, asyncio.timeout(SECONDS):
        await client.create_conversation([RECIPIENT], "c-1")
        async with aclosing(client.notifications()) as frames:
            assert (await anext(frames))["type"] == "connected"
            api.live_log.message(message(1))
            assert (await anext(frames))["message_id"] == "m-1"
            for number in range(2, 6):
                for connection in list(api.services.live._transports):
                    api.services.live._transports[connection].abort()
                api.live_log.message(message(number))
                kinds = []
                while "message_id" not in (frame := await anext(frames)):
                    kinds.append(frame["type"])
                assert (kinds, frame["message_id"]) == (["connected"], f"m-{number}")


async def test_pings_and_pongs_are_no_notifications(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API sends neither without being asked; one of another release, or a proxy, may."""

    async def documents(socket: object) -> AsyncIterator[dict[str, Any]]:
        for kind in ("connected", "ping", "pong", "new_message"):
            yield {"type": kind}

    monkeypatch.setattr("chat4all.notifications._documents_of", documents)
    async with somebody(api) as client, asyncio.timeout(SECONDS), aclosing(client.notifications()) as frames:
        assert [(await anext(frames))["type"] for _ in range(2)] == ["connected", "new_message"]


async def test_notifications_go_on_after_the_token_has_expired(api: Api) -> None:
    async with somebody(api) as client, asyncio.timeout(SECONDS):
        await client.create_conversation([RECIPIENT], "c-1")
        async with aclosing(client.notifications()) as frames:
            cursor = (await anext(frames))["cursor"]
        api.live_log.message(message(1))
        api.clock.now_ms += 3_700_000
        async with aclosing(client.notifications(cursor)) as frames:
            assert [(await anext(frames))["type"] for _ in range(2)] == ["connected", "new_message"]


async def test_notifications_need_a_login_and_an_api(api: Api) -> None:
    async with client_of(api) as nobody:
        with pytest.raises(NotLoggedIn):
            await anext(nobody.notifications())
    async with Client("http://127.0.0.1:1") as lost:
        with pytest.raises(ApiUnavailable, match=r"127\.0\.0\.1:1"):
            await anext(lost.notifications())


async def test_notifications_are_given_up_when_the_patience_is_at_its_end() -> None:
    async with playing(is_well, problem(503, "0")) as (url, _), Client(url, "a.b.c") as client:
        assert await client.is_ready()
        with pytest.raises(ApiUnavailable, match="status 503"):
            await anext(client.notifications(patience_seconds=0.5))


def test_the_former_name_of_an_error_still_works_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match="ApiUnavailable"):
        former = chat4all.ConnectionFailed
    assert former is ApiUnavailable
