"""A time that cannot be breaks no view: rows of Cassandra and the table, pages, lists, traces, reads, live frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.facts import read_fact
from agents.track_status import fold_batch
from app.kafka.codec import encode
from domain.fact_times import MAX_MS
from domain.ports import MirrorEntry
from domain.records import StatusChanged
from domain.status import Fact, Status
from fakes.message_log import NOW_MS
from storage.cassandra.facts import encode_fact, state_of
from support.api import Api
from support.fakes import FakeApp, FakeTable, batch_of
from support.watching import fact as live_fact
from support.watching import member, watch
from support.watching import message as live_message
from tables import message_state
from web.http.responses import iso_utc

MICROSECONDS = 1_763_848_800_123_000
YEAR_57864 = 1_763_848_800_123_007
IMPOSSIBLE = [MICROSECONDS, YEAR_57864, -1, -(2**62), 2**63 - 1, 2**64 - 1]


async def shown_everywhere(api: Api, token: str, message_id: str) -> list[dict[str, Any]]:
    """Return the message as each view shows it; each answer is checked against the API's description, too."""
    shown = []
    for path in (
        f"/v1/messages/{message_id}",
        "/v1/conversations/c-1/messages",
        "/v1/messages?conversation_id=c-1&order=desc",
    ):
        answer = await api.call("GET", path, token=token)
        assert answer.status == 200
        document = await answer.json()
        found = document.get("messages", [document])
        shown.append(next(one for one in found if one["message_id"] == message_id))
    for path in (f"/v1/messages/{message_id}/trace", "/v1/conversations", "/v1/conversations/c-1"):
        answer = await api.call("GET", path, token=token)
        assert answer.status == 200
        for event in (await answer.json()).get("events", []):
            assert 0 <= event["timestamp"] <= MAX_MS
            assert event["at"] == iso_utc(event["timestamp"])
    return shown


@pytest.mark.parametrize("at_ms", IMPOSSIBLE)
async def test_a_row_with_an_impossible_time_is_shown_and_so_is_the_page_that_holds_it(api: Api, at_ms: int) -> None:
    token = await api.somebody()
    sent = [await api.send(token) for _ in range(3)]
    message, position, _ = api.log.records[1]
    facts = [Fact(Status.SENT, at_ms, 1), Fact(Status.DELIVERED, at_ms), Fact(Status.READ, at_ms)]
    await api.mirror()
    await api.messages.write([MirrorEntry(message.message_id, message.conversation_id, position, message, facts)])
    api.forget_recent()
    page = await api.call("GET", "/v1/conversations/c-1/messages", token=token)
    assert [shown["message_id"] for shown in (await page.json())["messages"]] == [one["message_id"] for one in sent]
    shown = await shown_everywhere(api, token, message.message_id)
    assert {one["status"] for one in shown} == {"READ"}


@pytest.mark.parametrize("at_ms", IMPOSSIBLE)
@pytest.mark.parametrize("word", ["READ", "FAILED"])
async def test_a_row_of_a_message_to_several_with_an_impossible_time_is_shown(api: Api, at_ms: int, word: str) -> None:
    sender, reader = await api.login(await api.register()), await api.login(await api.register())
    body = {"conversation_id": "c-1", "participants": [reader["user_id"], "whatsapp:+5511999990000"]}
    assert (await api.call("POST", "/v1/conversations", body, sender["token"])).status == 201
    accepted = await api.call("POST", "/v1/messages", api.message(recipient_id=...), sender["token"])
    message_id = (await accepted.json())["message_id"]
    message, position, _ = api.log.records[-1]
    facts = [Fact(word, at_ms, 1, None, None, None, to, 2) for to in message.recipients]
    await api.mirror()
    await api.messages.write([MirrorEntry(message.message_id, message.conversation_id, position, message, facts)])
    api.forget_recent()
    for shown in await shown_everywhere(api, sender["token"], message_id):
        assert shown["counts"][word] == 2
    answer = await api.call("POST", f"/v1/messages/{message_id}/read", token=reader["token"])
    assert answer.status == (200 if word == "READ" else 409)
    if word == "READ":
        assert 0 <= (await answer.json())["timestamp"] <= MAX_MS


@pytest.mark.parametrize("at_ms", IMPOSSIBLE)
@pytest.mark.parametrize("count", [1, 2])
async def test_a_live_frame_has_a_time_that_can_be(api: Api, at_ms: int, count: int) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    recipients = ("telegram:12345", "telegram:6")[:count]
    accepted = live_message(1, recipient_id="", recipients=recipients, recipient_users=("",) * count)
    position = api.live_log.message(accepted)
    await watcher.frame()
    # what a row of an older release has may reach the memory as it is
    state_fact = live_fact(1, "READ", at_ms, accepted_at_ms=position.accepted_at_ms, position=position.offset)
    for recipient in recipients:
        shared = replace(state_fact, recipient_id=recipient if count > 1 else "", recipient_count=count)
        api.live_log.fact(shared)
    told = await watcher.frame()
    assert (told["status"], told["message_id"]) == ("READ", "m-1")
    assert 0 <= told["timestamp"] <= MAX_MS


@pytest.mark.parametrize("at_ms", IMPOSSIBLE)
@pytest.mark.parametrize("count", [1, 2])
async def test_a_row_of_the_table_has_a_time_that_can_be(at_ms: int, count: int) -> None:
    app = FakeApp()
    table = FakeTable(app.batch_producer)
    record = StatusChanged("m-1", "c-1", "READ", at_ms, NOW_MS, 0, "whatsapp", 1)
    record = replace(record, recipient_id="whatsapp:+5511999990000" if count > 1 else "", recipient_count=count)
    dead, _, _ = fold_batch(app, table, batch_of("status-updates", encode(record)))  # type: ignore[arg-type]
    assert not dead
    assert table.rows
    for value in table.rows.values():
        row = message_state.load(value)
        assert message_state.load(message_state.dump(row)) == row
        times = (row.state.accepted_at_ms, row.state.read_at_ms)
        assert all(0 <= time <= MAX_MS for time in times if time is not None)


@pytest.mark.parametrize("at_ms", IMPOSSIBLE)
async def test_a_row_of_cassandra_has_a_time_that_can_be(api: Api, at_ms: int) -> None:
    token = await api.somebody()
    await api.send(token)
    _, position, _ = api.log.records[0]
    record = StatusChanged("m-1", "c-1", "READ", at_ms, position.accepted_at_ms, position.offset, "whatsapp", 1)
    _, fact = read_fact(encode(record), position.accepted_at_ms + 4_000)
    read_at_ms = state_of(position, [encode_fact(fact)]).overall.read_at_ms
    assert read_at_ms is not None
    assert 0 <= read_at_ms <= MAX_MS


@pytest.mark.parametrize("not_after_ms", [YEAR_57864, -(2**62), 2**64 - 1])
async def test_a_record_with_an_impossible_expiry_is_shown(api: Api, not_after_ms: int) -> None:
    token = await api.somebody()
    accepted = await api.send(token)
    message, position, _ = api.log.records[0]
    await api.messages.write(
        [MirrorEntry(message.message_id, "c-1", position, replace(message, not_after_ms=not_after_ms))]
    )
    api.forget_recent()
    shown = await shown_everywhere(api, token, accepted["message_id"])
    assert {one["expires_at"] for one in shown} == {iso_utc(not_after_ms)}
