"""``Idempotency-Key``: the same request twice is one message, whoever answers and whatever happened in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from domain.errors import LogUnavailable
from domain.ids import keyed_id, may_repeat
from domain.ports import Appended, LogPosition, MirrorEntry
from domain.records import MessageAccepted
from fakes.message_log import MemoryLog
from support.api import Api

KEY = {"Idempotency-Key": "order-7"}


async def send(api: Api, token: str, headers: Mapping[str, str] = KEY, **changes: object) -> Any:
    """Return the answer to a message with a key."""
    return await api.call("POST", "/v1/messages", api.message(**changes), token, headers=dict(headers))


async def log_in_to_both(two: tuple[Any, Any]) -> str:
    """Return a token that both processes take."""
    return str(await two[0].somebody())


async def test_the_same_key_and_body_is_the_same_answer_and_one_message(api: Api) -> None:
    token = await api.somebody()
    first, again = await send(api, token), await send(api, token)
    assert first.status == again.status == 202
    assert await first.json() == await again.json()
    assert first.headers["Location"] == again.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(api.log.records) == 1
    assert "chat4all_messages_replayed_total 1\n" in await (await api.call("GET", "/metrics")).text()


async def test_the_id_is_made_from_the_account_and_the_key(api: Api) -> None:
    login = await api.login(await api.register())
    accepted = await (await send(api, login["token"])).json()
    assert accepted["message_id"] == keyed_id(login["user_id"], "order-7")
    assert may_repeat(accepted["message_id"])


async def test_keys_of_different_accounts_and_different_keys_are_different_messages(api: Api) -> None:
    one, other = await api.somebody(), await api.somebody()
    ids = {
        (await (await send(api, one)).json())["message_id"],
        (await (await send(api, one, {"Idempotency-Key": "order-8"})).json())["message_id"],
        (await (await send(api, other, conversation_id="c-2")).json())["message_id"],
        (await api.send(one))["message_id"],
    }
    assert len(ids) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "other"},
        {"conversation_id": "c-9"},
        {"recipient_id": "telegram:5"},
        {"recipient_id": "whatsapp:+5511999990001"},
    ],
)
async def test_the_same_key_with_another_body_is_a_422_and_leaves_nothing(api: Api, changes: dict[str, Any]) -> None:
    token = await api.somebody()
    assert (await send(api, token)).status == 202
    answer = await send(api, token, **changes)
    assert answer.status == 422
    assert (await answer.json(content_type=None))["type"].endswith(":idempotency-key-reused")
    assert len(api.log.records) == 1
    assert set(api.conversations.members) == {"c-1"}


async def test_what_is_the_same_when_normalised_is_the_same(api: Api) -> None:
    token = await api.somebody()
    first = await send(api, token)
    again = await send(api, token, recipient_id=..., recipient="WhatsApp:+55 (11) 99999-0000")
    assert await first.json() == await again.json()
    assert len(api.log.records) == 1


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "caf\u00e9", "tab\there"])
async def test_a_key_that_cannot_be_is_a_400(api: Api, key: str) -> None:
    token = await api.somebody()
    answer = await send(api, token, {"Idempotency-Key": key})
    assert answer.status == 400
    assert (await answer.json(content_type=None))["errors"][0]["field"] == "Idempotency-Key"
    assert api.log.records == []


@pytest.mark.parametrize("key", ["x", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!#$%&'*+-.^_`|~"])
async def test_any_visible_ascii_is_a_key(api: Api, key: str) -> None:
    token = await api.somebody()
    assert (await send(api, token, {"Idempotency-Key": key})).status == 202


async def test_two_keys_on_one_request_are_refused(api: Api) -> None:
    token = await api.somebody()
    headers = [("Authorization", f"Bearer {token}"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    async with api.session.post("/v1/messages", json=api.message(), headers=headers) as answer:
        assert answer.status == 400


async def test_another_process_gives_the_same_answer(two: tuple[Any, Any]) -> None:
    one, other = two
    token = await log_in_to_both(two)
    first, again = await send(one, token), await send(other, token)
    assert first.status == again.status == 202
    assert await first.json() == await again.json()
    assert (await send(other, token, content="else")).status == 422
    assert (await send(other, token, conversation_id="c-2")).status == 422
    assert len(one.log.records) == 1


async def test_after_a_restart_of_everything_the_answer_is_still_the_same(two: tuple[Any, Any]) -> None:
    one, _ = two
    token = await log_in_to_both(two)
    first = await send(one, token)
    await one.send(token, content="later")
    await one.mirror()
    for api in two:
        api.forget_recent()
    for api in two:
        assert await (await send(api, token)).json() == await first.json()
        assert (await send(api, token, content="else")).status == 422
    assert len(one.log.records) == 2


@pytest.mark.parametrize("answers", ["one process", "two processes"])
async def test_two_at_once_get_the_same_answer(two: tuple[Any, Any], answers: str) -> None:
    """Both have looked before either has written; both records are in the log."""
    one, other = two if answers == "two processes" else (two[0], two[0])
    token = await log_in_to_both(two)
    gate_writes(one.log, 2 if answers == "two processes" else 1)
    first, second = await asyncio.gather(send(one, token), send(other, token))
    assert first.status == second.status == 202
    assert await first.json() == await second.json()
    assert (await first.json())["timestamp"] == one.log.records[0][1].accepted_at_ms
    assert len(one.log.records) == (2 if answers == "two processes" else 1)
    listed = await (await one.call("GET", "/v1/messages?conversation_id=c-1", token=token)).json()
    assert [found["message_id"] for found in listed["messages"]] == [(await first.json())["message_id"]]


@pytest.mark.parametrize("conversation_id", ["c-1", "c-2"])
async def test_of_two_different_ones_at_once_the_first_in_the_log_wins(
    two: tuple[Any, Any], conversation_id: str
) -> None:
    one, other = two
    token = await log_in_to_both(two)
    gate_writes(one.log, 2)
    answers = await asyncio.gather(
        send(one, token), send(other, token, content="else", conversation_id=conversation_id)
    )
    assert sorted(answer.status for answer in answers) == [202, 422]
    winner = next(answer for answer in answers if answer.status == 202)
    message = one.log.records[0][0]
    assert (await winner.json())["conversation_id"] == message.conversation_id
    for api in two:
        assert (await send(api, token, content=message.content, conversation_id=message.conversation_id)).status == 202


async def test_a_503_whose_record_was_written_after_all_is_answered_with_it(two: tuple[Any, Any]) -> None:
    one, other = two
    token = await log_in_to_both(two)
    append = one.log.append

    async def late(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        await append(message, headers)
        raise LogUnavailable("no acknowledgement in time")

    one.log.append = late
    assert (await send(one, token)).status == 503
    one.log.append = append
    for api in (other, one):
        again = await send(api, token)
        assert again.status == 202
        assert (await again.json())["timestamp"] == one.log.records[0][1].accepted_at_ms
    assert len(one.log.records) == 1


async def test_a_503_that_left_nothing_can_be_tried_again(api: Api) -> None:
    token = await api.somebody()
    api.log.available = False
    assert (await send(api, token)).status == 503
    api.log.available = True
    assert (await send(api, token)).status == 202
    assert len(api.log.records) == 1


async def test_while_the_log_cannot_be_read_only_keys_in_memory_are_known(two: tuple[Any, Any]) -> None:
    one, _ = two
    token = await log_in_to_both(two)
    first = await send(one, token)
    one.tailer.available = False
    assert await (await send(one, token)).json() == await first.json()
    assert (await send(one, token, {"Idempotency-Key": "new"})).status == 503
    assert len(one.log.records) == 1


async def test_without_cassandra_keyed_sends_go_on_and_repetitions_are_known_from_the_log(
    two: tuple[Any, Any],
) -> None:
    one, other = two
    token = await log_in_to_both(two)
    for api in two:
        await api.send(token)  # both know the conversation
    for store in (one.conversations, one.messages, one.users):
        store.available = False
    first = await send(one, token)
    assert first.status == 202
    assert await (await send(other, token)).json() == await first.json()
    assert (await send(other, token, content="else")).status == 422
    assert len(one.log.records) == 3


async def test_an_old_key_used_again_without_cassandra_changes_nothing_in_the_history(two: tuple[Any, Any]) -> None:
    one, other = two
    token = await log_in_to_both(two)
    for api in two:
        await api.send(token)
    first = await (await send(one, token)).json()
    await one.mirror()
    await one.send(token, content="later")
    for api in two:
        api.forget_recent()
        api.tailer.position = len(one.log.records)  # a process begins to read where the mirror stands
    one.messages.available = False
    assert (await send(one, token)).status == 202
    one.messages.available = True
    await other.tailer.catch_up(1)
    assert len(one.log.records) == 5
    for mirrored in (False, True):
        if mirrored:
            await one.mirror()
        for api in two:
            for query in ("limit=100", "limit=1", "limit=1&order=desc"):
                assert (await pages(api, token, query)).count(first["message_id"]) == 1
    other.forget_recent()
    assert await (await send(other, token)).json() == first


async def test_somebody_outside_gets_a_403_with_a_key_too(api: Api) -> None:
    owner, stranger = await api.somebody(), await api.somebody()
    await api.send(owner)
    assert (await send(api, stranger)).status == 403
    assert (await send(api, stranger, sender_id="somebody")).status == 403
    assert len(api.log.records) == 1


async def test_a_key_that_is_held_for_too_long_is_a_503(api: Api) -> None:
    token = await api.somebody()
    api.services.sending._key_lock._timeout_seconds = 0.05
    is_held, release, append = asyncio.Event(), asyncio.Event(), api.log.append

    async def slow(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        is_held.set()
        await release.wait()
        return await append(message, headers)  # type: ignore[no-any-return]

    api.log.append = slow
    first = asyncio.create_task(send(api, token))
    await is_held.wait()
    assert (await send(api, token)).status == 503
    release.set()
    assert (await first).status == 202
    assert len(api.services.sending._key_lock) == 0


async def test_the_fake_store_keeps_the_first_place_too(api: Api) -> None:
    first, second = LogPosition(1, 1), LogPosition(2, 9)
    message = MessageAccepted(keyed_id("u", "k"), "c-1", "u", "telegram:5", "hi")
    await api.messages.write([MirrorEntry(message.message_id, "c-1", second, message)])
    await api.messages.write([MirrorEntry(message.message_id, "c-1", first, message)])
    assert (await api.messages.get(message.message_id)).position == first
    assert len(await api.messages.list("c-1", after=None, limit=9, descending=False)) == 1


async def pages(api: Api, token: str, query: str) -> list[str]:
    """Return the ids of a whole conversation, page by page."""
    seen: list[str] = []
    cursor = ""
    while True:
        answer = await api.call("GET", f"/v1/messages?conversation_id=c-1&{query}{cursor}", token=token)
        assert answer.status == 200
        page = await answer.json()
        seen += [found["message_id"] for found in page["messages"]]
        if not page["pagination"]["has_more"]:
            return seen
        cursor = f"&cursor={page['pagination']['next_cursor']}"


def gate_writes(log: MemoryLog, count: int) -> None:
    """Let no record into the log before ``count`` are about to be."""
    append, ready, waiting = log.append, asyncio.Event(), []

    async def gated(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        waiting.append(message)
        if len(waiting) >= count:
            ready.set()
        await ready.wait()
        return await append(message, headers)  # type: ignore[no-any-return]

    log.append = gated
