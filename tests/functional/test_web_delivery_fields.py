"""``account``, ``expires_at`` and ``priority`` of a message: checked, recorded, and shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from domain.records import MessageAccepted
from fakes.message_log import NOW_MS
from support.api import Api, running
from support.watching import member, message, watch

NOW = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=NOW_MS)
DAY_LATER = "2025-11-23T22:00:00.123Z"
ACCOUNTS = """
[[whatsapp]]
name = "main"
[[whatsapp]]
name = "bulk"
[[telegram]]
name = "main"
"""


def moment(**ahead: float) -> str:
    return (NOW + timedelta(**ahead)).isoformat()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "accounts.toml").write_text(ACCOUNTS)
    async with running(Api(accounts=str(tmp_path / "accounts.toml"))) as made:
        yield made


async def send(api: Api, token: str, key: str = "", **changes: object) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.call("POST", "/v1/messages", api.message(**changes), token, headers=headers)


async def faults_of(answer: ClientResponse) -> dict[str, str]:
    assert answer.status == 400
    return {error["field"]: error["detail"] for error in (await answer.json(content_type=None))["errors"]}


async def test_what_the_sender_asks_for_is_on_record_and_shown(api: Api) -> None:
    token = await api.somebody()
    asked = {"account": "bulk", "expires_at": "2025-11-23T00:30:00.1+01:00", "priority": "bulk"}
    answer = await send(api, token, **asked)
    assert answer.status == 202
    accepted = await answer.json()
    assert accepted["expires_at"] == "2025-11-22T23:30:00.100Z"
    message: MessageAccepted = api.log.records[0][0]
    assert (message.account, message.not_after_ms, message.priority) == ("bulk", NOW_MS + 5_399_977, "bulk")
    for path in (f"/v1/messages/{accepted['message_id']}", "/v1/messages?conversation_id=c-1"):
        shown = await (await api.call("GET", path, token=token)).json()
        shown = shown.get("messages", [shown])[0]
        assert {name: shown[name] for name in asked} == {**asked, "expires_at": "2025-11-22T23:30:00.100Z"}


async def test_without_these_fields_the_record_is_as_before_and_the_answer_shows_the_default(api: Api) -> None:
    token = await api.somebody()
    accepted = await (await send(api, token, account=None, expires_at=None)).json()
    message: MessageAccepted = api.log.records[0][0]
    assert (message.account, message.not_after_ms, message.priority) == ("", 0, "normal")
    assert accepted["expires_at"] == DAY_LATER
    shown = await (await api.call("GET", f"/v1/messages/{accepted['message_id']}", token=token)).json()
    assert (shown["account"], shown["expires_at"], shown["priority"]) == (None, DAY_LATER, "normal")


async def test_a_message_that_goes_to_no_channel_never_expires(api: Api) -> None:
    token = await api.somebody()
    user = await api.login(await api.register())
    accepted = await (await send(api, token, conversation_id=..., recipient_id=user["user_id"])).json()
    assert accepted["expires_at"] is None


@pytest.mark.parametrize(
    ("changes", "field", "fault"),
    [
        ({"account": "shop"}, "account", "whatsapp has no account 'shop'; it has: main, bulk"),
        ({"recipient_id": "telegram:5", "account": "bulk"}, "account", "telegram has no account 'bulk'; it has: main"),
        (
            {"recipient_id": "instagram:@maria", "account": "main"},
            "account",
            "instagram has no account 'main'; it has: default",
        ),
        ({"recipient_id": ..., "account": "main"}, "account", "the message goes to no channel, so no account sends it"),
        ({"account": "No Such"}, "account", "must be the name of an account, or omitted"),
        ({"account": 7}, "account", ""),
        ({"expires_at": moment(seconds=0)}, "expires_at", "must be in the future"),
        ({"expires_at": moment(days=-900)}, "expires_at", "must be in the future"),
        ({"expires_at": moment(days=7, seconds=1)}, "expires_at", "must be at most 7 days ahead"),
        ({"expires_at": "2025-11-23T00:00:00"}, "expires_at", "must be a time with an offset, such as"),
        ({"expires_at": "2025-11-23"}, "expires_at", "must be a time with an offset, such as"),
        ({"expires_at": "2025-13-23T00:00:00Z"}, "expires_at", "must be a time with an offset, such as"),
        ({"expires_at": "0001-01-01T00:00:00+23:59"}, "expires_at", "must be in the future"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "expires_at", "must be at most 7 days ahead"),
        ({"expires_at": ""}, "expires_at", "must be a time with an offset, such as"),
        ({"expires_at": 1_763_900_000_000}, "expires_at", ""),
        ({"priority": "urgent"}, "priority", ""),
        ({"priority": None}, "priority", ""),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    api: Api, changes: dict[str, Any], field: str, fault: str
) -> None:
    found = await faults_of(await send(api, await api.somebody(), **changes))
    assert set(found) == {field}
    assert found[field].startswith(fault)
    assert api.log.records == []


@pytest.mark.parametrize("expires_at", ["2025-11-22T22:00:00.124Z", moment(days=7), "2025-11-23t00:00:00z"])
async def test_times_at_the_edges_are_taken(api: Api, expires_at: str) -> None:
    assert (await send(api, await api.somebody(), expires_at=expires_at)).status == 202


async def test_each_message_of_a_batch_has_its_own(api: Api) -> None:
    token = await api.somebody()
    messages = [
        api.message(account="bulk", priority="bulk"),
        api.message(account="shop"),
        api.message(expires_at=moment(days=9)),
        api.message(expires_at=moment(hours=2)),
    ]
    answer = await api.call("POST", "/v1/messages/batch", {"messages": messages}, token)
    results = (await answer.json())["results"]
    assert [result["status"] for result in results] == [202, 400, 400, 202]
    assert [results[n]["problem"]["errors"][0]["field"] for n in (1, 2)] == ["account", "expires_at"]
    assert results[3]["message"]["expires_at"] == "2025-11-23T00:00:00.123Z"
    assert [(r[0].account, r[0].priority) for r in api.log.records] == [("bulk", "bulk"), ("", "normal")]


@pytest.mark.parametrize(
    "changes", [{"account": "main"}, {"expires_at": moment(hours=1)}, {"priority": "bulk"}, {"account": "shop"}]
)
async def test_a_key_with_another_account_time_or_priority_is_another_body(api: Api, changes: dict[str, Any]) -> None:
    token = await api.somebody()
    assert (await send(api, token, "order-7")).status == 202
    assert (await send(api, token, "order-7", **changes)).status == 422
    assert len(api.log.records) == 1


async def test_a_repetition_after_its_time_gets_the_same_answer(api: Api) -> None:
    token = await api.somebody()
    first = await send(api, token, "order-7", expires_at="2025-11-22T22:01:00Z")
    api.clock.now_ms += 120_000
    again = await send(api, token, "order-7", expires_at="2025-11-22T23:01:00+01:00")
    assert (first.status, again.status) == (202, 202)
    assert await first.json() == await again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_user_is_reached_by_an_account_of_the_linked_channel(api: Api) -> None:
    token = await api.somebody()
    user = await api.login(await api.register())
    body = {"platform": "telegram", "value": "@maria"}
    assert (await api.call("POST", "/v1/users/identities", body, user["token"])).status == 201
    to = {"conversation_id": ..., "recipient_id": user["user_id"]}
    assert await faults_of(await send(api, token, **to, account="bulk"))
    assert (await send(api, token, **to, account="main")).status == 202


async def test_a_frame_names_the_account_that_the_sender_chose(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    api.live_log.message(message(1, account="bulk"))
    api.live_log.message(message(2))
    assert [(await watcher.frame()).get("account") for _ in range(2)] == ["bulk", None]
