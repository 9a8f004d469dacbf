"""``POST /v1/messages/batch``: an outcome for each message, in order, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse

from domain.errors import LogUnavailable
from domain.ports import Appended
from domain.records import MessageAccepted
from support.api import Api, StartApi
from support.waiting import pass_time


async def send(api: Api, token: str, messages: object, headers: Mapping[str, str] | None = None) -> Any:
    """Return the answer to a batch."""
    return await api.call("POST", "/v1/messages/batch", {"messages": messages}, token, headers=dict(headers or {}))


async def results(answer: ClientResponse) -> list[dict[str, Any]]:
    assert answer.status == 207
    document = await answer.json()
    found: list[dict[str, Any]] = document["results"]
    assert [result["index"] for result in found] == list(range(len(found)))
    assert document["accepted"] == sum(result["status"] == 202 for result in found)
    assert document["accepted"] + document["refused"] == len(found)
    return found


@pytest.mark.parametrize("form", ["object", "list"])
async def test_a_batch_is_answered_message_by_message(api: Api, form: str) -> None:
    token = await api.somebody()
    messages = [api.message("c-1", content="one"), api.message("c-2", content="two")]
    answer = await api.call(
        "POST", "/v1/messages/batch", {"messages": messages} if form == "object" else messages, token
    )
    found = await results(answer)
    for result, message in zip(found, messages, strict=True):
        assert result["status"] == 202
        assert result["message"]["conversation_id"] == message["conversation_id"]
        assert result["message"]["status"] == "ACCEPTED"
        shown = await api.call("GET", f"/v1/messages/{result['message']['message_id']}", token=token)
        assert (await shown.json())["content"] == message["content"]
        assert (await shown.json())["accepted_at"] == result["message"]["accepted_at"]


async def test_one_bad_message_does_not_fail_the_rest(api: Api) -> None:
    owner, token = await api.somebody(), await api.somebody()
    await api.send(owner, "theirs")
    messages = [
        api.message(content="first"),
        api.message(content="", recipient_id="sms:1"),
        "no object",
        api.message("theirs"),
        api.message(sender_id="somebody"),
        api.message(idempotency_key="with space"),
        api.message(content="last"),
    ]
    found = await results(await send(api, token, messages))
    assert [result["status"] for result in found] == [202, 400, 400, 403, 403, 400, 202]
    assert {error["field"] for error in found[1]["problem"]["errors"]} == {"content", "recipient_id"}
    assert found[5]["problem"]["errors"][0]["field"] == "idempotency_key"
    for result in found:
        if problem := result.get("problem"):
            assert problem["status"] == result["status"]
            assert problem["error"] == problem["detail"] != ""
    assert [record[0].content for record in api.log.records] == ["hi", "first", "last"]


async def test_the_order_of_a_conversation_is_kept_however_slow_the_stores_are(api: Api) -> None:
    token = await api.somebody()
    look, enter = api.messages.get, api.conversations.membership
    slow, entered = iter(range(10_000)), set[str]()

    async def slow_look(message_id: str) -> Any:
        await pass_time((next(slow) * 7 % 5) * 0.002)
        return await look(message_id)

    async def slow_enter(conversation_id: str, user_id: str) -> Any:
        entered.add(conversation_id)
        await pass_time((next(slow) * 7 % 5) * 0.002)
        return await enter(conversation_id, user_id)

    api.messages.get, api.conversations.membership = slow_look, slow_enter
    messages = [
        api.message(f"c-{n % 7}", content=str(n), **({"idempotency_key": f"k-{n}"} if n % 3 else {}))
        for n in range(300)
    ]
    found = await results(await send(api, token, messages))
    assert {result["status"] for result in found} == {202}
    assert entered == {f"c-{n}" for n in range(7)}
    for conversation in range(7):
        contents = [int(m.content) for m, _, _ in api.log.records if m.conversation_id == f"c-{conversation}"]
        assert contents == sorted(contents)
    assert len(api.log.records) == 300


async def test_five_hundred_are_taken_and_one_more_is_not(api: Api) -> None:
    token = await api.somebody()
    longest = [api.message(f"c-{n}", recipient_id=None, content="x" * 10_240) for n in range(500)]
    found = await results(await send(api, token, longest))
    assert {result["status"] for result in found} == {202}
    assert len({result["message"]["message_id"] for result in found}) == 500
    answer = await send(api, token, [api.message()] * 501)
    assert answer.status == 400
    assert len(api.log.records) == 500


@pytest.mark.parametrize(
    "body", [{}, {"messages": None}, {"messages": {}}, {"messages": []}, [], "text", 7, None, {"messages": "abc"}]
)
async def test_what_is_no_batch_is_a_400(api: Api, body: object) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/messages/batch", token=token, data=json.dumps(body))
    assert answer.status == 400
    assert api.log.records == []


async def test_a_batch_has_a_limit_of_its_own(start_api: StartApi) -> None:
    async with start_api(max_body_bytes=1_000, max_batch_body_bytes=3_000) as api:
        token = await api.somebody()
        messages = [api.message(content="x" * 950)]
        assert (await api.call("POST", "/v1/messages", messages[0], token)).status == 413
        assert (await send(api, token, messages * 2)).status == 207
        assert (await send(api, token, messages * 3)).status == 413
        waiting = {"Expect": "100-continue"}
        assert (await send(api, token, messages * 2, waiting)).status == 207


async def test_a_batch_needs_a_token(api: Api) -> None:
    assert (await api.call("POST", "/v1/messages/batch", {"messages": [api.message()]})).status == 401


@pytest.mark.parametrize("own", [True, False])
async def test_a_batch_sent_again_is_the_same_messages(two: tuple[Any, Any], own: bool) -> None:
    """With a key in each item, or with one in the header."""
    one, other = two
    token = await one.somebody()
    messages = [
        one.message(f"c-{n % 2}", content=str(n), **({"idempotency_key": f"k-{n}"} if own else {})) for n in range(6)
    ]
    headers = {} if own else {"Idempotency-Key": "batch-1"}
    first = await results(await send(one, token, messages, headers))
    again = await results(await send(other, token, messages, headers))
    assert first == again
    assert {result["status"] for result in first} == {202}
    assert len(one.log.records) == 6
    messages[3]["content"] = "else"
    changed = await results(await send(other, token, messages, headers))
    assert [result["status"] for result in changed] == [202, 202, 202, 422, 202, 202]
    assert len(one.log.records) == 6


async def test_a_key_of_an_item_goes_before_that_of_the_header(api: Api) -> None:
    token = await api.somebody()
    headers = {"Idempotency-Key": "k"}
    batch = await results(await send(api, token, [api.message(), api.message(idempotency_key="k")], headers))
    alone = await (await api.call("POST", "/v1/messages", api.message(), token, headers=headers)).json()
    assert batch[1]["message"] == alone
    assert batch[0]["message"]["message_id"] != alone["message_id"]
    assert len(api.log.records) == 2


async def test_a_key_twice_in_one_batch_is_one_message(api: Api) -> None:
    token = await api.somebody()
    messages = [
        api.message(idempotency_key="k"),
        api.message(idempotency_key="k"),
        api.message(idempotency_key="k", content="else"),
        api.message("c-2", idempotency_key="k"),
    ]
    found = await results(await send(api, token, messages))
    assert [result["status"] for result in found] == [202, 202, 422, 422]
    assert found[0]["message"] == found[1]["message"]
    assert len(api.log.records) == 1


async def test_batches_that_share_keys_in_opposite_order_do_not_wait_for_each_other_for_ever(
    two: tuple[Any, Any],
) -> None:
    one, other = two
    token = await one.somebody()
    messages = [one.message(f"c-{n}", idempotency_key=f"k-{n}") for n in range(40)]
    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            *(send(api, token, order) for api in (one, other, one) for order in (messages, messages[::-1]))
        )
    documents = [
        {result["message"]["message_id"]: result["message"] for result in await results(answer)} for answer in answers
    ]
    assert all(document == documents[0] for document in documents)
    assert len(documents[0]) == 40


async def test_what_kafka_does_not_take_is_a_503_of_its_own(api: Api) -> None:
    token = await api.somebody()
    append = api.log.append

    async def unsteady(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        if message.content == "lost":
            raise LogUnavailable("no")
        if message.content == "bug":
            raise ZeroDivisionError
        return await append(message, headers)  # type: ignore[no-any-return]

    api.log.append = unsteady
    messages = [api.message(content=content) for content in ("one", "lost", "two", "bug", "three")]
    found = await results(await send(api, token, messages))
    assert [result["status"] for result in found] == [202, 503, 202, 500, 202]
    assert "ZeroDivisionError" not in json.dumps(found)
