"""Live notifications over WebSocket, against fakes."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import WSMsgType

from app.histograms import INSTANT_BOUNDS
from domain.errors import StoreUnavailable
from domain.files import FileMetadata
from domain.ids import keyed_id
from domain.records import MessageAccepted
from domain.status import Status
from support.api import Api, StartApi
from support.watching import SECONDS, Watcher, connect, fact, member, message, watch


async def test_the_frames_are_those_of_the_contract(api: Api) -> None:
    token, user_id = await member(api)
    watcher = Watcher(await connect(api, token))
    connected = await watcher.frame()
    assert connected == {
        "type": "connected",
        "userId": user_id,
        "username": "user_1",
        "timestamp": api.clock(),
        "cursor": connected["cursor"],
    }
    position = api.live_log.message(message(1, file_id="f-1"))
    pushed = await watcher.frame()
    assert pushed == {
        "type": "new_message",
        "message_id": "m-1",
        "conversation_id": "c-1",
        "direction": "outbound",
        "kind": "file",
        "reply_to": None,
        "sender_id": "u-9",
        "content": "hi 1",
        "timestamp": position.accepted_at_ms,
        "file_id": "f-1",
        "sender": {"user_id": "u-9", "username": None},
        "cursor": pushed["cursor"],
    }
    whole = FileMetadata("a.pdf", 3, "application/pdf", f"sha256:{'0' * 64}", "c-1/f-2.pdf")
    api.live_log.message(message(2, file_id="f-2", file=whole))
    assert (await watcher.frame())["file_metadata"] == {
        "filename": "a.pdf",
        "size_bytes": 3,
        "mimetype": "application/pdf",
        "checksum": whole.checksum,
    }
    api.live_log.fact(fact(1, "SENT", 3_000))
    told = await watcher.frame()
    assert told == {
        "type": "status",
        "message_id": "m-1",
        "conversation_id": "c-1",
        "status": "SENT",
        "timestamp": 3_000,
        "cursor": told["cursor"],
    }
    await watcher.socket.send_str('{"type":"ping"}')
    assert await watcher.frame() == {"type": "pong", "timestamp": api.clock()}


async def test_the_token_may_come_in_the_query_in_a_header_or_as_a_subprotocol(api: Api) -> None:
    token, _ = await member(api)
    headers = {"Authorization": f"Bearer {token}"}
    for more in (
        {"params": {"token": token}},
        {"headers": headers},
        {"protocols": ["bearer", token]},
        {"protocols": [token]},
    ):
        socket = await api.session.ws_connect("/notifications", **more)
        assert (await socket.receive_json(timeout=SECONDS))["type"] == "connected"
        assert socket.protocol == more.get("protocols", [None])[0]
        await socket.close()
        assert socket.close_code == 1000


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "x" * 3_000])
async def test_a_bad_token_closes_with_1008(api: Api, token: str) -> None:
    watcher = Watcher(await connect(api, token))
    assert await watcher.closed() == 1008
    assert watcher.frames == []


async def test_without_an_upgrade_the_path_is_a_problem(api: Api) -> None:
    token, _ = await member(api)
    assert (await api.call("GET", "/notifications")).status == 401
    answer = await api.call("GET", "/notifications", token=token)
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


async def test_everyone_who_takes_part_gets_a_message_on_every_connection_and_nobody_else(api: Api) -> None:
    (sender, sender_id), (friend, _), (stranger, _) = [await member(api, name) for name in ("c-1", "c-1", "c-2")]
    watchers = [await watch(api, token) for token in (sender, sender, friend, friend)]
    outside = await watch(api, stranger)
    api.live_log.message(message(1, sender=sender_id))
    assert {(await watcher.frame())["message_id"] for watcher in watchers} == {"m-1"}
    await outside.quiet()


async def test_only_a_change_of_the_status_word_is_told(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    for status, at_ms in [("ACCEPTED", 1), ("SENT", 2), ("SENT", 2), ("READ", 9), ("DELIVERED", 5), ("READ", 9)]:
        api.live_log.fact(fact(1, status, at_ms))
    assert [(await watcher.frame())["status"] for _ in range(2)] == ["SENT", "READ"]
    await watcher.quiet()


async def test_a_failure_is_told_with_its_reason_and_a_receipt_heals_it(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    api.live_log.fact(fact(1, "FAILED", 3, failure_code="blocked", failure_detail="the person blocked you"))
    api.live_log.fact(fact(1, "DELIVERED", 4))
    failed = await watcher.frame()
    assert failed["failure"] == {"code": "blocked", "detail": "the person blocked you"}
    assert (await watcher.frame())["status"] == "DELIVERED"


async def test_a_group_is_told_when_the_word_of_all_together_changes(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    for recipient in ("telegram:1", "telegram:2"):
        api.live_log.fact(fact(1, "SENT", 3, recipient_id=recipient, recipient_count=2))
    assert (await watcher.frame())["status"] == "SENT"
    await watcher.quiet()


async def test_a_partial_failure_is_told_and_how_many_it_struck(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    for status, recipient in (("SENT", 1), ("FAILED", 2), ("READ", 1), ("SENT", 3), ("FAILED", 3)):
        api.live_log.fact(fact(1, status, recipient_id=f"telegram:{recipient}", recipient_count=3))
    told = [await watcher.frame() for _ in range(3)]
    assert [(frame["status"], frame["counts"]["FAILED"]) for frame in told] == [
        ("ACCEPTED", 1),
        ("SENT", 1),
        ("READ", 2),
    ]
    assert told[1]["counts"] == {"ACCEPTED": 0, "SENT": 1, "DELIVERED": 0, "READ": 1, "FAILED": 1}
    resumed = await watch(api, token, since=told[0]["cursor"])
    assert ((await resumed.frame())["counts"])["FAILED"] == 2
    await resumed.quiet()


async def test_delivered_is_reported_once_when_a_connection_got_the_message(api: Api) -> None:
    token, user_id = await member(api)
    other, _ = await member(api)
    watchers = [await watch(api, token), await watch(api, token), await watch(api, other)]
    internal = MessageAccepted("m-1", "c-1", "u-9", user_id, "hi", None, (f"internal:{user_id}",), (user_id,))
    api.live_log.message(internal)
    for watcher in watchers:
        await watcher.frame()
    assert [(change.message_id, change.status) for change in api.log.facts] == [("m-1", Status.DELIVERED)]


async def test_what_the_process_itself_reported_is_told_when_the_log_has_it(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    api.recent.add_fact(fact(1, "READ", 5))
    await watcher.quiet()
    api.live_log.fact(fact(1, "READ", 5))
    assert (await watcher.frame())["status"] == "READ"


async def test_live_frames_go_on_for_known_conversations_while_the_store_is_away(api: Api) -> None:
    token, _ = await member(api, "c-1", "c-2")
    watcher = await watch(api, token)
    api.live_log.message(message(1, "c-1"))
    await watcher.frame()
    api.conversations.available = False
    api.live_log.message(message(2, "c-2"))
    for number in range(3, 6):
        api.live_log.message(message(number, "c-1"))
    known = [await watcher.frame() for _ in range(3)]
    assert [frame["message_id"] for frame in known] == ["m-3", "m-4", "m-5"]
    # the cursor must not be past what could not be sent yet
    api.conversations.available = True
    late = await watcher.frame()
    assert late["message_id"] == "m-2"
    again = await watch(api, token, known[-1]["cursor"])
    assert (await again.frame())["message_id"] == "m-2"


async def test_a_reader_that_does_not_read_is_cut_off_and_resumes(api: Api) -> None:
    token, _ = await member(api)
    other, _ = await member(api)
    lazy, diligent = await watch(api, token), await watch(api, other)
    lazy.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    count = 0
    while api.services.metrics.live_too_slow.count == 0:
        assert count < 20_000
        for _ in range(20):
            api.live_log.message(MessageAccepted(f"m-{count}", "c-1", "u-9", "telegram:12345", "x" * 10_000))
            count += 1
        for _ in range(20):
            await diligent.frame()
    assert [frame["message_id"] for frame in diligent.frames[1:]] == [f"m-{number}" for number in range(count)]
    lazy.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    assert await lazy.closed() in (4408, 1006)
    got = [frame["message_id"] for frame in lazy.frames if frame["type"] == "new_message"]
    again = await watch(api, token, lazy.cursor)
    while len(got) < count:
        got.append((await again.frame())["message_id"])
    assert got == [f"m-{number}" for number in range(count)]


async def test_the_end_of_the_token_closes(api: Api) -> None:
    token, _ = await member(api)
    api.clock.now_ms = (api.clock.now_ms // 1000 + api.settings.jwt_ttl_seconds) * 1000 - 50
    watcher = await watch(api, token)
    api.clock.now_ms += 60
    assert await watcher.closed() == 4401
    assert await Watcher(await connect(api, token)).closed() == 1008


async def test_a_user_has_a_limited_number_of_connections(api: Api) -> None:
    token, _ = await member(api)
    watchers = [await watch(api, token) for _ in range(api.settings.live_connections_per_user)]
    assert await Watcher(await connect(api, token)).closed() == 4429
    await watchers[0].socket.close()
    await watch(api, token)


async def test_before_the_log_is_read_connections_are_told_to_come_again(api: Api) -> None:
    token, _ = await member(api)
    api.services.live.hub.is_ready = False
    assert await Watcher(await connect(api, token)).closed() == 1013


async def test_stopping_closes_with_1001(api: Api) -> None:
    token, _ = await member(api)
    watchers = [await watch(api, token) for _ in range(5)]
    stopping = asyncio.create_task(api.services.live.stop())
    assert [await watcher.closed() for watcher in watchers] == [1001] * 5
    await stopping
    assert await Watcher(await connect(api, token)).closed() == 1001


async def test_unknown_frames_are_told_and_large_or_too_many_close(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    for text in ("", "{", "[]", '{"type":"shout"}', '"ping"', "[" * 1_500):
        await watcher.socket.send_str(text)
        assert (await watcher.frame())["type"] == "error"
    await watcher.socket.send_bytes(b'{"type":"ping"}')
    assert (await watcher.frame())["type"] == "error"
    await watcher.socket.send_str(" " * (api.settings.live_max_frame_bytes + 1))
    assert await watcher.closed() == 1009
    flood = await watch(api, token)
    for _ in range(300):
        await flood.socket.send_str("{}")
    assert await flood.closed() == 1008


async def test_a_token_in_the_query_is_in_no_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token, _ = await member(api)
    caplog.clear()
    await (await watch(api, token)).socket.close()
    await Watcher(await connect(api, token + "x")).closed()
    await api.call("GET", "/notifications", params={"token": token})
    signature = token.rpartition(".")[2]
    assert not [record for record in caplog.records if signature in json.dumps(vars(record), default=str)]


async def test_what_is_measured(api: Api) -> None:
    token, _ = await member(api)
    api.live_log.now_ms = api.clock.now_ms - 40
    watcher = await watch(api, token)
    api.live_log.message(message(1))
    await watcher.frame()
    text = await (await api.call("GET", "/metrics")).text()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("chat4all_"))
    wanted = {
        "chat4all_live_connections": 1,
        "chat4all_live_frames_total": 1,
        "chat4all_live_too_slow_total": 0,
        "chat4all_live_push_seconds_count": 1,
        'chat4all_live_push_seconds_bucket{le="0.025"}': 0,
        'chat4all_live_push_seconds_bucket{le="0.05"}': 1,
        "chat4all_http_requests_in_flight": 1,
    }
    assert {name: float(values[name]) for name in wanted} == wanted
    assert 0.05 in INSTANT_BOUNDS


async def test_a_store_that_answers_late_reorders_nothing(api: Api) -> None:
    token, _ = await member(api, "c-1", "c-2")
    ask, asked = api.conversations.get, asyncio.Event()

    async def slow(conversation_id: str) -> Any:
        if conversation_id == "c-1":
            await asked.wait()
        return await ask(conversation_id)

    api.conversations.get = slow
    watcher = await watch(api, token)
    for number in range(10):
        api.live_log.message(message(number, "c-1"))
        api.live_log.fact(fact(number, "SENT", conversation="c-1"))
    await watcher.quiet()
    asked.set()
    frames = [await watcher.frame() for _ in range(20)]
    assert [(f["type"], f["message_id"]) for f in frames] == [
        (kind, f"m-{number}") for number in range(10) for kind in ("new_message", "status")
    ]


async def test_a_store_that_never_answers_fills_no_memory(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.live.hub.MAX_WAITING", 50)
    token, _ = await member(api)
    watcher = await watch(api, token)

    async def away(conversation_id: str) -> Any:
        await asyncio.sleep(0)
        raise StoreUnavailable("away")

    ask, api.conversations.get = api.conversations.get, away
    for number in range(60):
        api.live_log.message(message(number))
        await asyncio.sleep(0)
    assert await watcher.closed() == 1013
    api.conversations.get = ask
    again = await watch(api, token, watcher.cursor)
    assert [(await again.frame())["message_id"] for _ in range(60)] == [f"m-{number}" for number in range(60)]


async def test_a_message_that_is_in_the_log_twice_is_pushed_once(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    cursor = watcher.cursor
    keyed = MessageAccepted(keyed_id("u-9", "key-1"), "c-1", "u-9", "telegram:12345", "hi")
    for _ in range(3):
        api.live_log.message(keyed)
    api.live_log.message(message(2))
    for one in (watcher, await watch(api, token, cursor)):
        assert [(await one.frame())["message_id"] for _ in range(2)] == [keyed.message_id, "m-2"]


async def test_who_comes_to_a_group_or_leaves_it_is_asked_again_soon(api: Api) -> None:
    token, user_id = await member(api, "c-1")
    other, _ = await member(api, "c-2")
    watcher, newcomer = await watch(api, token), await watch(api, other)
    api.live_log.message(message(1))
    await watcher.frame()
    other_id = newcomer.frames[0]["userId"]
    group = await api.conversations.get("c-1")
    members = tuple(replace(one, participant_id=other_id) for one in group.members if one.participant_id == user_id)
    await api.conversations.change(group, replace(group, members=members, version=group.version + 1))
    api.services.live.participants.forget("c-1")
    api.live_log.message(message(2))
    assert (await newcomer.frame())["message_id"] == "m-2"
    await watcher.quiet()


async def test_a_client_that_answers_no_pings_is_let_go(api: Api) -> None:
    object.__setattr__(api.settings, "live_heartbeat_seconds", 0.1)
    token, _ = await member(api)
    alive = await watch(api, token)
    dead = await watch(api, token, autoping=False)
    assert (await dead.socket.receive(SECONDS)).type is WSMsgType.PING
    reading = asyncio.create_task(alive.frame())  # a client answers pings while it reads
    await dead.closed()
    assert api.services.live.hub.count == 1
    api.live_log.message(message(1))
    assert (await reading)["message_id"] == "m-1"


async def test_pages_of_other_origins_may_connect_as_the_setting_says(api: Api, start_api: StartApi) -> None:
    token, _ = await member(api)
    other = "https://elsewhere.example.org"
    await watch(api, token, headers={"Origin": other})
    async with start_api(cors_origins="https://chat.example.org") as careful:
        token, _ = await member(careful)
        for origin in ("https://chat.example.org", f"http://127.0.0.1:{careful.port}"):
            await watch(careful, token, headers={"Origin": origin})
        assert await Watcher(await connect(careful, token, headers={"Origin": other})).closed() == 1008
