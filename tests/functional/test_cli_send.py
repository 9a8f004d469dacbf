"""`chat4all send` against the running API whose Kafka and Cassandra are fakes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from aiohttp import web

from chat4all import ApiError, ApiUnavailable, Client, Status
from chat4all.cli.command_line import Span
from chat4all.cli.commands.sending import expiry_of
from chat4all.cli.demo_user import DemoUsers, log_in
from chat4all.cli.output import Exit
from chat4all.cli.sending import DeliveryOptions, send_and_follow
from chat4all.cli.session import Target, outcome
from domain.records import StatusChanged
from support.api import RunCommand
from support.waiting import until

if TYPE_CHECKING:
    Api = Any  # of conftest.py, which cannot be imported

RECIPIENT = "whatsapp:+5511999999999"


async def send(api: Api, *, until: Status = Status.READ, seconds: float = 5.0, recipient: str = RECIPIENT) -> Exit:
    target = Target(f"http://127.0.0.1:{api.port}", "", 0.5, as_json=True)
    wanted = {"recipient": recipient, "text": "hello", "conversation": None, "until": until, "seconds": seconds}
    return Exit(await outcome(send_and_follow, target, wanted, needs_login=False))


async def play(api: Api, *words: Status) -> None:
    """Let these become of the first message that is accepted."""
    await until(lambda: api.log.records)
    message, position, _ = api.log.records[0]
    for number, word in enumerate(words, 1):
        at_ms = position.accepted_at_ms + number * 100
        fact = StatusChanged(
            message.message_id,
            message.conversation_id,
            word,
            at_ms,
            position.accepted_at_ms,
            position.offset,
            "whatsapp",
            1,
        )
        if word is Status.FAILED:
            fact = replace(fact, failure_code="x", failure_detail="no such number")
        api.recent.add_fact(fact)


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


async def test_a_send_to_an_address_is_in_a_conversation_that_nobody_could_take_before(api: Api) -> None:
    eve = await api.login(await api.register("eve"))
    async with Client(f"http://127.0.0.1:{api.port}") as client:
        ana = await client.register("ana", "correct horse battery")
        body = {"conversation_id": "ana-whatsapp-5511999999999", "participants": [ana]}
        assert (await api.call("POST", "/v1/conversations", body, eve["token"])).status == 201
        await client.login("ana", "correct horse battery")
        accepted = await client.send(RECIPIENT, "for one only")
        assert (await client.send(RECIPIENT, "again")).conversation_id == accepted.conversation_id
        assert (await client.direct_conversation(RECIPIENT))["participants"] == sorted([ana, RECIPIENT])
    for path in (f"/v1/messages/{accepted.message_id}", f"/v1/messages?conversation_id={accepted.conversation_id}"):
        assert (await api.call("GET", path, token=eve["token"])).status in (403, 404)


async def test_the_life_of_a_message_is_told_as_it_happens(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = await asyncio.gather(send(api), play(api, Status.SENT, Status.DELIVERED, Status.READ))
    told = events(capsys)
    assert code is Exit.DONE
    assert [event["status"] for event in told] == ["ACCEPTED", "SENT", "DELIVERED", "READ"]
    assert [event["took_ms"] for event in told] == [None, 100, 100, 100]


async def test_it_waits_no_longer_than_it_is_asked_to(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert await send(api, until=Status.ACCEPTED) is Exit.DONE
    assert await send(api, until=Status.SENT, seconds=0.2) is Exit.FAILED
    assert events(capsys)[-1]["detail"] == "it is not SENT after 0.2 s"


async def test_a_failure_is_told_with_its_reason(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = await asyncio.gather(send(api), play(api, Status.FAILED))
    assert code is Exit.FAILED
    assert events(capsys)[-1]["detail"] == "no such number"


async def test_what_the_api_refuses_is_wrong_usage(api: Api) -> None:
    assert await send(api, recipient="pigeon:1") is Exit.WRONG


async def test_an_api_that_cannot_accept_is_not_reachable(api: Api) -> None:
    api.log.available = False
    assert await send(api) is Exit.NO_API


async def test_the_command_says_that_a_message_may_have_been_accepted_and_how_to_ask_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def in_doubt(_: web.Request) -> web.Response:
        told = {"detail": "no answer of the log", "message_id": "m-7", "may_have_been_accepted": True}
        return web.json_response(told, status=503, headers={"Retry-After": "60"})

    async def logged_in(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "a", "user_id": "u"})

    app = web.Application()
    app.router.add_post("/v1/messages", in_doubt)
    app.router.add_post("/auth/login", logged_in)
    app.router.add_get("/v1/users/me", logged_in)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    wanted = {"recipient": RECIPIENT, "text": "hello", "conversation": None, "until": None, "seconds": 1.0}
    wanted["options"] = DeliveryOptions(expires_at=datetime(2026, 11, 28, tzinfo=UTC))
    for as_json in (True, False):
        code = await outcome(send_and_follow, Target(url, "", 0.5, as_json), wanted, needs_login=False)
        assert code is Exit.NO_API
    await runner.cleanup()
    told = capsys.readouterr()
    [error] = [json.loads(line) for line in told.out.splitlines()]
    assert (error["message_id"], error["may_have_been_accepted"]) == ("m-7", True)
    assert error["idempotency_key"]
    assert "may have been accepted" in told.err
    assert "`chat4all status m-7`" in told.err
    assert f"--key {error['idempotency_key']} and --expires-at 2026-11-28T00:00:00+00:00 makes one" in error["detail"]


async def test_what_the_sender_asks_of_the_delivery_goes_to_the_api(api: Api, run: RunCommand) -> None:
    options = ("--account", "default", "--priority", "bulk", "--expires-at", "2025-11-22T23:00:00Z")
    await run("send", RECIPIENT, "hello", *options, "--wait", "ACCEPTED")
    message, _, _ = api.log.records[0]
    assert (message.account, message.priority) == ("default", "bulk")
    assert message.not_after_ms == 1_763_852_400_000
    result = await run("send", RECIPIENT, "hello", "--account", "shop", code=Exit.WRONG)
    assert "whatsapp has no account 'shop'; it has: default" in result.output


@pytest.mark.parametrize(
    ("words", "seconds"),
    [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("1.5h", 5_400), ("1d", 86_400), ("1h30m", 5_400)],
)
def test_a_span_is_written_in_words(words: str, seconds: float) -> None:
    assert Span().convert(words, None, None) == seconds
    ends = expiry_of(seconds, None)
    assert ends is not None
    assert abs((ends - datetime.now(UTC)).total_seconds() - seconds) < 60


@pytest.mark.parametrize("words", ["", "2", "h", "0s", "8d", "-1h", "2 h", "1e3s", "9999999999d", "２h"])
def test_what_is_no_span_is_wrong_usage(words: str) -> None:
    with pytest.raises(click.BadParameter):
        Span().convert(words, None, None)


@pytest.mark.parametrize(
    ("expires_in", "expires_at"), [(5.0, "2026-11-28T00:00:00Z"), (None, "2026-11-28T00:00:00"), (None, "soon")]
)
def test_a_time_that_cannot_be_is_wrong_usage(expires_in: float | None, expires_at: str) -> None:
    with pytest.raises(click.UsageError):
        expiry_of(expires_in, expires_at)


async def test_the_demo_user_is_made_once_and_again_when_it_is_gone(api: Api) -> None:
    async with Client(f"http://127.0.0.1:{api.port}") as client:
        first = await log_in(client)
        assert await log_in(client) == first
        api.users.__init__()  # everything on the server's side was deleted
        assert await log_in(client) == first


async def test_a_name_that_somebody_else_has_is_given_up(api: Api, tmp_path: Path) -> None:
    url, file = f"http://127.0.0.1:{api.port}", tmp_path / "demo-users.json"
    await api.register("demo_taken")
    file.write_text(json.dumps({url: {"username": "demo_taken", "password": "not the right one"}}))
    async with Client(url) as client:
        assert (await log_in(client, DemoUsers(url, file))).username != "demo_taken"


async def test_the_client_raises_what_the_api_says(api: Api) -> None:
    async with Client(f"http://127.0.0.1:{api.port}") as client:
        with pytest.raises(ApiError, match=r"Authorization|token") as refused:
            await client.send(RECIPIENT, "hello", "c-1")
        assert refused.value.status == 401
        assert await client.is_ready()
        api.down.add("kafka")
        assert not await client.is_ready()
    async with Client("http://127.0.0.1:1") as nobody:
        with pytest.raises(ApiUnavailable, match=r"no answer from http://127\.0\.0\.1:1"):
            await nobody.login("a", "b")
