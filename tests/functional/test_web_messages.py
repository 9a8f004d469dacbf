"""Sending and reading messages over HTTP."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from domain.conversations import Membership
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted, StatusChanged
from domain.status import Fact
from support.api import Api
from support.waiting import pass_time

UNKNOWN_ID = "0193e2f0-0000-7000-8000-000000000000"


async def test_a_message_is_accepted_with_the_brokers_time(api: Api) -> None:
    login = await api.login(await api.register())
    answer = await api.call("POST", "/v1/messages", api.message(), login["token"])
    assert answer.status == 202
    accepted = await answer.json()
    message, position, _ = api.log.records[0]
    assert accepted == {
        "message_id": message.message_id,
        "conversation_id": "c-1",
        "status": "ACCEPTED",
        "timestamp": position.accepted_at_ms,
        "accepted_at": "2025-11-22T22:00:00.123Z",
        "expires_at": "2025-11-23T22:00:00.123Z",
    }
    assert answer.headers["Location"] == f"/v1/messages/{message.message_id}"
    assert message == MessageAccepted(message.message_id, "c-1", login["user_id"], "whatsapp:+5511999990000", "hi")


async def test_the_recipient_may_be_called_recipient_and_is_normalised(api: Api) -> None:
    token = await api.somebody()
    body = api.message(recipient_id=..., recipient="WhatsApp:+55 (11) 99999-0000")
    assert (await api.call("POST", "/v1/messages", body, token)).status == 202
    assert api.log.records[0][0].recipient_id == "whatsapp:+5511999990000"


async def test_the_request_id_and_the_trace_travel_with_the_record(api: Api) -> None:
    token = await api.somebody()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for given in ({"X-Request-Id": "mine-1", "traceparent": trace}, {"X-Request-Id": "a b", "traceparent": "00-0-0-0"}):
        answer = await api.call("POST", "/v1/messages", api.message(), token, headers=given)
        record_headers = api.log.records[-1][2]
        assert record_headers["request_id"].decode() == answer.headers["X-Request-Id"]
    assert api.log.records[0][2] == {"request_id": b"mine-1", "traceparent": trace.encode()}
    assert api.log.records[1][2]["traceparent"].startswith(b"00-")
    assert api.log.records[1][2]["traceparent"] != trace.encode()


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"conversation_id": ..., "recipient_id": "x", "content": ...}, {"recipient_id", "content"}),
        ({"conversation_id": ..., "recipient_id": ..., "content": ...}, {"conversation_id", "content"}),
        ({"conversation_id": None, "recipient_id": None}, {"conversation_id"}),
        ({"conversation_id": ..., "recipient_id": "user:a"}, {"recipient_id"}),
        ({"conversation_id": "", "recipient_id": "sms:1"}, {"conversation_id", "recipient_id"}),
        ({"content": ""}, {"content"}),
        ({"conversation_id": "x" * 129}, {"conversation_id"}),
        ({"conversation_id": "a\u0000b"}, {"conversation_id"}),
        ({"conversation_id": "a\nb"}, {"conversation_id"}),
        ({"conversation_id": "a\u200bb"}, {"conversation_id"}),
        ({"conversation_id": 7}, {"conversation_id"}),
        ({"recipient_id": "0193e2f0-0000-7000-8000-000000000000"}, {"recipient_id"}),
        ({"recipient_id": "whatsapp:12"}, {"recipient_id"}),
        ({"recipient_id": ["whatsapp:+5511999990000"]}, {"recipient_id"}),
        ({"content": "a\u0000b"}, {"content"}),
        ({"content": "é" * 5121}, {"content"}),
        ({"content": {"text": "hi"}}, {"content"}),
        ({"content": 10**30}, {"content"}),
        ({"file_id": "f-1"}, {"file_id"}),
        ({"file_id": "f-1", "content": ""}, {"file_id", "content"}),
    ],
)
async def test_a_bad_message_names_every_invalid_field(api: Api, changes: dict[str, Any], fields: set[str]) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/messages", api.message(**changes), token)
    assert answer.status == 400
    problem = await answer.json(content_type=None)
    assert {error["field"] for error in problem["errors"]} == fields
    assert api.log.records == []
    assert api.conversations.members == {}


@pytest.mark.parametrize("content", ["é" * 4096, "\U0001f600", "{detail} %s", " a ", "\ufeff\u202ea"])
async def test_content_comes_back_as_it_was_sent(api: Api, content: str) -> None:
    token = await api.somebody()
    accepted = await api.send(token, "conversa / ü?#%", content)
    found = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)).json()
    assert (found["content"], found["conversation_id"]) == (content, "conversa / ü?#%")


async def test_inside_the_system_a_text_may_have_all_that_the_contract_allows(api: Api) -> None:
    token, content = await api.somebody(), "é" * 5120
    body = api.message("c-1", recipient_id=None, content=content)
    accepted = await (await api.call("POST", "/v1/messages", body, token)).json()
    found = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)).json()
    assert found["content"] == content


async def test_the_sender_is_the_caller_and_nobody_else(api: Api) -> None:
    login = await api.login(await api.register())
    mine = api.message(sender_id=login["user_id"], file_id=None)
    assert (await api.call("POST", "/v1/messages", mine, login["token"])).status == 202
    answer = await api.call("POST", "/v1/messages", api.message(sender_id="somebody"), login["token"])
    assert answer.status == 403


async def test_a_conversation_belongs_to_who_began_it(api: Api) -> None:
    owner, stranger = await api.somebody(), await api.somebody()
    await api.send(owner)
    assert (await api.call("POST", "/v1/messages", api.message(), stranger)).status == 403
    assert len(api.log.records) == 1


async def test_messages_sent_at_once_to_a_new_conversation_are_all_accepted(api: Api) -> None:
    token = await api.somebody()
    look, calls, everybody_looked = api.conversations.membership, itertools.count(), asyncio.Event()

    async def slow_look(conversation_id: str, user_id: str) -> Membership | None:
        """Two reads with time between them, as in Cassandra: is the user there, is the conversation there."""
        known = await look(conversation_id, user_id)
        number = next(calls)
        if number == 19:
            everybody_looked.set()
        await everybody_looked.wait()
        await pass_time(0.001 * (number % 20))
        return known or (Membership(False, False) if conversation_id in api.conversations.members else None)

    api.conversations.membership = slow_look
    answers = await asyncio.gather(*(api.call("POST", "/v1/messages", api.message("new"), token) for _ in range(20)))
    assert {answer.status for answer in answers} == {202}
    assert everybody_looked.is_set()


async def test_a_stranger_cannot_list_a_conversation(api: Api) -> None:
    owner, stranger = await api.somebody(), await api.somebody()
    await api.send(owner)
    assert (await api.call("GET", "/v1/messages?conversation_id=c-1", token=stranger)).status == 403
    assert (await api.call("GET", "/v1/conversations/c-1/messages", token=stranger)).status == 403
    assert (await api.call("GET", "/v1/conversations/none/messages", token=stranger)).status == 404


async def test_to_a_stranger_a_message_does_not_exist(api: Api) -> None:
    owner, stranger = await api.somebody(), await api.somebody()
    accepted = await api.send(owner)
    hidden = await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=stranger)
    unknown = await api.call("GET", f"/v1/messages/{UNKNOWN_ID}", token=stranger)
    assert hidden.status == unknown.status == 404
    assert (await hidden.json(content_type=None))["detail"] == (await unknown.json(content_type=None))["detail"]


async def test_without_kafka_a_send_is_a_503_and_leaves_nothing(api: Api) -> None:
    token = await api.somebody()
    api.log.available = False
    assert (await api.call("POST", "/v1/messages", api.message(), token)).status == 503
    assert len(api.recent) == 0


async def test_without_cassandra_known_conversations_go_on_and_others_wait(api: Api) -> None:
    token = await api.somebody()
    accepted = await api.send(token, "known")
    for store in (api.conversations, api.messages, api.users):
        store.available = False
    again = await api.send(token, "known")
    assert (await api.call("POST", "/v1/messages", api.message("unknown"), token)).status == 503
    for message_id in (accepted["message_id"], again["message_id"]):
        assert (await api.call("GET", f"/v1/messages/{message_id}", token=token)).status == 200
    assert (await api.call("GET", f"/v1/messages/{UNKNOWN_ID}", token=token)).status == 503
    assert (await api.call("GET", "/v1/messages?conversation_id=known", token=token)).status == 503


async def test_a_message_shows_every_field_of_the_contract(api: Api) -> None:
    login = await api.login(await api.register())
    accepted = await api.send(login["token"])
    found = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=login["token"])).json()
    assert found == {
        "message_id": accepted["message_id"],
        "conversation_id": "c-1",
        "direction": "outbound",
        "kind": "text",
        "reply_to": None,
        "reactions": [],
        "sender_id": login["user_id"],
        "sender": {"user_id": login["user_id"], "username": login["username"]},
        "recipient_id": "whatsapp:+5511999990000",
        "recipient": {"address": "whatsapp:+5511999990000", "name": None},
        "content": "hi",
        "file_id": None,
        "file_metadata": None,
        "status": "ACCEPTED",
        "timestamp": accepted["timestamp"],
        "accepted_at": accepted["accepted_at"],
        "account": None,
        "expires_at": accepted["expires_at"],
        "priority": "normal",
        "sent_at": None,
        "delivered_at": None,
        "read_at": None,
        "failed_at": None,
        "failure": None,
        "pricing": None,
    }


@pytest.mark.parametrize("is_mirrored", [True, False], ids=["in Cassandra", "in the log alone"])
async def test_a_message_shows_what_the_channel_charges_as_the_channel_says_it(api: Api, is_mirrored: bool) -> None:
    token = await api.somebody()
    accepted = await api.send(token)
    message, position, _ = api.log.records[0]
    price = '{"billable":true,"category":"utility","pricing_model":"PMP"}'
    if is_mirrored:
        fact = Fact("SENT", 1_763_848_801_000, 1, "wamid-1", pricing=price)
        await api.messages.write([MirrorEntry(message.message_id, "c-1", position, message, [fact])])
    else:
        times = 1_763_848_801_000, position.accepted_at_ms, position.offset
        api.recent.add_fact(StatusChanged(message.message_id, "c-1", "SENT", *times, "whatsapp", 1, pricing=price))
    by_id = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)).json()
    listed = await (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).json()
    assert by_id["pricing"] == {"billable": True, "category": "utility", "pricing_model": "PMP"}
    assert listed["messages"] == [by_id]


@pytest.mark.parametrize("price", ["", "[1]", "not JSON", "null"])
async def test_a_price_that_is_no_object_is_shown_as_none(api: Api, price: str) -> None:
    accepted = await api.send(token := await api.somebody())
    message, position, _ = api.log.records[0]
    fact = Fact("SENT", 1_763_848_801_000, 1, "wamid-1", pricing=price)
    await api.messages.write([MirrorEntry(message.message_id, "c-1", position, message, [fact])])
    found = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)).json()
    assert (found["status"], found["pricing"]) == ("SENT", None)


async def test_a_message_of_another_process_is_found_before_it_is_mirrored(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    user_id = api.log.records[0][0].sender_id
    message = MessageAccepted("0193e2f0-0000-7000-8000-00000000abcd", "c-1", user_id, "telegram:5", "elsewhere")
    api.tailer.unseen.append((message, LogPosition(api.clock.now_ms + 5, 9)))
    found = await api.call("GET", f"/v1/messages/{message.message_id.upper()}", token=token)
    assert found.status == 200
    message = MessageAccepted("0193e2f0-0000-7000-8000-00000000abce", "c-1", user_id, "telegram:5", "elsewhere")
    api.tailer.unseen.append((message, LogPosition(api.clock.now_ms + 6, 10)))
    listed = await (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).json()
    assert [found["content"] for found in listed["messages"]] == ["hi", "elsewhere", "elsewhere"]


async def test_not_found_is_only_said_when_it_is_certain(api: Api) -> None:
    token = await api.somebody()
    api.tailer.available = False
    assert (await api.call("GET", f"/v1/messages/{UNKNOWN_ID}", token=token)).status == 503
    assert (await api.call("GET", "/v1/messages/no-id-of-ours", token=token)).status == 404


async def test_without_kafka_a_list_shows_what_was_read_before_but_never_less(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    api.tailer.available = False
    assert (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).status == 200
    api.tailer.has_caught_up = False
    assert (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).status == 503


async def test_what_either_view_knows_of_a_status_is_shown(api: Api) -> None:
    token = await api.somebody()
    accepted = await api.send(token)
    message, position, _ = api.log.records[0]
    sent, delivered = Fact("SENT", 1_763_848_801_000, 1, "wamid-1"), 1_763_848_802_000
    await api.messages.write([MirrorEntry(message.message_id, "c-1", position, message, [sent])])
    api.recent.add_fact(
        StatusChanged(
            message.message_id, "c-1", "DELIVERED", delivered, position.accepted_at_ms, position.offset, "whatsapp", 1
        )
    )
    by_id = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)).json()
    listed = await (await api.call("GET", "/v1/messages?conversation_id=c-1", token=token)).json()
    assert listed["messages"] == [by_id]
    assert by_id["status"] == "DELIVERED"
    assert by_id["sent_at"] == "2025-11-22T22:00:01.000Z"
    assert by_id["delivered_at"] == "2025-11-22T22:00:02.000Z"


async def test_a_failure_is_shown_until_a_receipt_heals_it(api: Api) -> None:
    token = await api.somebody()
    accepted = await api.send(token)
    path = f"/v1/messages/{accepted['message_id']}"
    position = api.log.records[0][1]

    def tell(status: str, **more: object) -> None:
        api.recent.add_fact(
            StatusChanged(
                accepted["message_id"],
                "c-1",
                status,
                position.accepted_at_ms + 1,
                position.accepted_at_ms,
                position.offset,
                "whatsapp",
                1,
                **more,
            )
        )

    tell("FAILED", failure_code="unreachable", failure_detail="no such number")
    failed = await (await api.call("GET", path, token=token)).json()
    assert (failed["status"], failed["failed_at"]) == ("FAILED", "2025-11-22T22:00:00.124Z")
    assert failed["failure"] == {"code": "unreachable", "detail": "no such number"}
    tell("READ")
    healed = await (await api.call("GET", path, token=token)).json()
    assert (healed["status"], healed["failure"], healed["failed_at"]) == ("READ", None, None)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("way", ["cursor", "offset"])
@pytest.mark.parametrize("mirrored", [0, 4, 11])
async def test_pages_follow_each_other_without_gap_or_repetition(api: Api, order: str, way: str, mirrored: int) -> None:
    token = await api.somebody()
    for number in range(11):
        await api.send(token, "c-1" if number != 5 else "c-2", f"m{number}")
        if number == mirrored:
            await api.mirror()
    expected = [f"m{number}" for number in range(11) if number != 5]
    if order == "desc":
        expected.reverse()
    seen: list[str] = []
    step: dict[str, Any] = {}
    while True:
        params = {"limit": 3, "order": order, **step}
        answer = await api.call("GET", "/v1/conversations/c-1/messages", token=token, params=params)
        assert answer.status == 200
        page = await answer.json()
        pagination = page["pagination"]
        seen += [found["content"] for found in page["messages"]]
        assert pagination["returned"] == len(page["messages"]) <= pagination["limit"] == 3
        assert pagination["has_more"] == (len(seen) < 10) == (pagination["next_cursor"] is not None)
        if not pagination["has_more"]:
            break
        step = {"cursor": pagination["next_cursor"]} if way == "cursor" else {"offset": len(seen)}
    assert seen == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("way", ["cursor", "offset"])
async def test_pages_hold_still_while_messages_arrive(api: Api, order: str, way: str) -> None:
    """Newest first an offset counts from an end that moves, so there only a cursor is free of repetition."""
    token = await api.somebody()
    for number in range(7):
        await api.send(token, content=f"m{number}")
    seen: list[str] = []
    step: dict[str, Any] = {}
    arrived = 7
    while True:
        params = {"conversation_id": "c-1", "limit": 3, "order": order, **step}
        page = await (await api.call("GET", "/v1/messages", token=token, params=params)).json()
        seen += [found["content"] for found in page["messages"]]
        if not page["pagination"]["has_more"]:
            break
        step = {"cursor": page["pagination"]["next_cursor"]} if way == "cursor" else {"offset": len(seen)}
        if arrived < 10:
            await api.send(token, content=f"m{arrived}")
            arrived += 1
        if arrived == 9:
            await api.mirror()
    if order == "asc":
        assert seen == [f"m{number}" for number in range(arrived)]
    elif way == "cursor":
        assert seen == [f"m{number}" for number in reversed(range(7))]
    else:
        assert list(dict.fromkeys(seen)) == [f"m{number}" for number in reversed(range(7))]


async def test_an_offset_behind_the_end_is_an_empty_page(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    page = await (await api.call("GET", "/v1/messages?conversation_id=c-1&offset=900", token=token)).json()
    assert (page["messages"], page["pagination"]["has_more"]) == ([], False)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {"conversation_id"}),
        ("conversation_id=c-1&limit=0", {"limit"}),
        ("conversation_id=c-1&limit=101&order=up&offset=-1", {"limit", "order", "offset"}),
        ("conversation_id=c-1&limit=ten", {"limit"}),
        ("conversation_id=c-1&limit=", {"limit"}),
        ("conversation_id=c-1&limit=99999999999999999999999999", {"limit"}),
        ("conversation_id=c-1&offset=10001", {"offset"}),
        ("conversation_id=c-1&cursor=!!", {"cursor"}),
        ("conversation_id=c-1&cursor=", {"cursor"}),
        ("conversation_id=c-1&cursor=MS4y&offset=1", {"offset"}),
        ("conversation_id=c-1&cursor=OTIyMzM3MjAzNjg1NDc3NTgwODkuMQ", {"cursor"}),
        ("conversation_id=%00", {"conversation_id"}),
        ("conversation_id=%ED%A0%80%0A", {"conversation_id"}),
        ("conversation_id=" + "x" * 129, {"conversation_id"}),
    ],
)
async def test_a_bad_query_names_every_invalid_parameter(api: Api, query: str, fields: set[str]) -> None:
    token = await api.somebody()
    await api.send(token)
    answer = await api.call("GET", f"/v1/messages?{query}", token=token)
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == fields
