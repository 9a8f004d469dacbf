"""A 503 whose message may be accepted all the same says so, and its id tells later; any other accepted nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from domain.errors import LogUnavailable, MayBeAccepted
from domain.ids import uuid7
from domain.ports import Appended
from domain.records import MessageAccepted
from support.api import Api


def leave_in_doubt(api: Api, *, written: bool = False) -> None:
    """From now on the log does not acknowledge; the record is pending, or ``written``."""
    append = type(api.log).append

    async def doubtful(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        if written:
            await append(api.log, message, headers)
        else:
            api.log.pending.add(message.message_id)
        raise MayBeAccepted(message.message_id)

    api.log.append = doubtful


async def send(api: Api, token: str, **headers: str) -> Any:
    return await api.call("POST", "/v1/messages", api.message(), token, headers=headers)


async def test_a_503_whose_message_may_be_in_the_log_names_it_and_says_so(api: Api) -> None:
    token = await api.somebody()
    leave_in_doubt(api)
    answer = await send(api, token)
    assert answer.status == 503
    problem = await answer.json(content_type=None)
    assert problem["may_have_been_accepted"] is True
    assert problem["message_id"] in api.log.pending
    assert "may have been accepted" in problem["detail"]
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_503_that_left_nothing_names_no_message(api: Api) -> None:
    token = await api.somebody()
    api.log.available = False
    answer = await send(api, token)
    assert answer.status == 503
    problem = await answer.json(content_type=None)
    assert not {"message_id", "may_have_been_accepted"} & set(problem)
    assert "nothing was accepted" in problem["detail"]


async def test_a_message_in_doubt_is_found_by_its_id_once_it_is_written(api: Api) -> None:
    token = await api.somebody()
    leave_in_doubt(api, written=True)
    problem = await (await send(api, token)).json(content_type=None)
    api.tailer.unseen += [(message, position) for message, position, _ in api.log.records]
    found = await api.call("GET", f"/v1/messages/{problem['message_id']}", token=token)
    assert found.status == 200
    assert (await found.json())["message_id"] == problem["message_id"]


async def test_a_message_in_doubt_is_a_404_only_once_it_cannot_come_any_more(api: Api) -> None:
    token = await api.somebody()
    leave_in_doubt(api)
    message_id = (await (await send(api, token)).json(content_type=None))["message_id"]
    path = f"/v1/messages/{message_id}"
    api.clock.now_ms += 600_000
    assert (await api.call("GET", path, token=token)).status == 503
    api.log.pending.clear()
    assert (await api.call("GET", path, token=token)).status == 404


async def test_what_another_process_may_have_on_its_way_is_no_404_yet(api: Api) -> None:
    token = await api.somebody()
    path = f"/v1/messages/{uuid7(api.clock.now_ms, b'x' * 10)}"
    assert (await api.call("GET", path, token=token)).status == 503
    api.clock.now_ms += 30_000
    assert (await api.call("GET", path, token=token)).status == 404


async def test_soon_after_an_outage_of_the_log_nothing_is_certain_to_be_missing(api: Api) -> None:
    token = await api.somebody()
    path = "/v1/messages/019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d"
    api.clock.now_ms += 86_400_000
    token = await api.somebody()
    api.tailer.available = False
    assert (await api.call("GET", path, token=token)).status == 503
    api.tailer.available = True
    assert (await api.call("GET", path, token=token)).status == 503
    api.clock.now_ms += 30_000
    assert (await api.call("GET", path, token=token)).status == 404


async def test_in_a_batch_each_message_in_doubt_has_its_own_id(api: Api) -> None:
    token = await api.somebody()
    append = api.log.append

    async def unsteady(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        if message.content.startswith("doubtful"):
            raise MayBeAccepted(message.message_id)
        if message.content == "refused":
            raise LogUnavailable("too much is waiting for Kafka")
        return await append(message, headers)  # type: ignore[no-any-return]

    api.log.append = unsteady
    contents = ("doubtful 1", "fine", "refused", "doubtful 2")
    messages = [api.message(content=content) for content in contents]
    answer = await api.call("POST", "/v1/messages/batch", {"messages": messages}, token)
    found = (await answer.json())["results"]
    assert [result["status"] for result in found] == [503, 202, 503, 503]
    assert [result.get("problem", {}).get("may_have_been_accepted", False) for result in found] == [
        True,
        False,
        False,
        True,
    ]
    assert "message_id" not in found[2]["problem"]
    assert found[0]["problem"]["message_id"] != found[3]["problem"]["message_id"]


@pytest.mark.parametrize("known", [False, True])
async def test_with_a_key_the_id_in_doubt_is_that_of_every_repetition(api: Api, known: bool) -> None:
    token = await api.somebody()
    if known:
        leave_in_doubt(api)
    else:
        api.tailer.available = False  # whether the key was used before cannot be told
    first = await (await send(api, token, **{"Idempotency-Key": "k-1"})).json(content_type=None)
    assert first["may_have_been_accepted"] is True
    api.log.append = type(api.log).append.__get__(api.log)
    api.tailer.available = True
    again = await send(api, token, **{"Idempotency-Key": "k-1"})
    assert again.status == 202
    assert (await again.json())["message_id"] == first["message_id"]
