"""Accept checks by the address book: handles, reply windows, opt-outs, and the account that sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from domain.ids import uuid7
from domain.inbound import ContactChanged, Person
from domain.kinds import INBOUND
from domain.ports import LogPosition
from domain.records import MessageAccepted
from fakes.message_log import NOW_MS, partition_of
from support.api import Api, running

HOUR_MS = 3_600_000
ANA, MARIA = "whatsapp:+5511999990000", "instagram:@maria"
TEMPLATE = {"name": "order", "language": "pt_BR"}
ACCOUNTS = """
[[whatsapp]]
name = "main"
driver = "whatsapp"
phone_number_id = "1"
token_env = "X"
[[whatsapp]]
name = "shop"
driver = "whatsapp"
phone_number_id = "2"
token_env = "X"
fallback_template = "hello:en"
[[whatsapp]]
name = "pretended"
[[instagram]]
name = "main"
driver = "instagram"
token_env = "X"
[[telegram]]
name = "bot"
driver = "telegram"
token_env = "X"
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "accounts.toml").write_text(ACCOUNTS)
    async with running(Api(accounts=str(tmp_path / "accounts.toml"))) as made:
        yield made


def contact(address: str, account: str = "main", **more: object) -> ContactChanged:
    channel, _, name = address.partition(":")
    fields = {
        "conversation_id": "c-1",
        "to": name,
        "person": Person(),
        "window_until_ms": NOW_MS + HOUR_MS,
        "opted_out": False,
        "at_ms": NOW_MS - HOUR_MS,
        **more,
    }
    return ContactChanged(channel=channel, account=account, address=address, **fields)


async def send(api: Api, token: str, **fields: object) -> ClientResponse:
    body = {"conversation_id": "c-1", "recipient_id": ANA, "content": "hi", **fields}
    if "template" in fields:
        del body["content"]
    return await api.call("POST", "/v1/messages", body, token)


async def reason_of(answer: ClientResponse) -> tuple[str, str]:
    assert answer.status == 422, await answer.text()
    document = await answer.json(content_type=None)
    return document["type"].rpartition(":")[2], document["detail"]


def wrote(api: Api, sender: str, at_ms: int, number: int = 1, conversation: str = "c-1", account: str = "main") -> None:
    """The person's message, as this process reads it from the log."""
    message = MessageAccepted(
        uuid7(NOW_MS + number, bytes(10)),
        conversation,
        sender,
        "",
        "oi",
        direction=INBOUND,
        account=account,
        sender_name="Ana",
        provider_id=f"wamid.{number}",
        sent_at_ms=at_ms,
    )
    api.recent.add_message(message, LogPosition(NOW_MS, 1_000_000 + number), partition_of(message))


async def test_a_handle_becomes_what_the_provider_takes(api: Api) -> None:
    person = Person(user_id="17841400000000000", handle="@maria")
    await api.contacts.write([contact("instagram:17841400000000000", person=person)])
    assert (await send(api, await api.somebody(), recipient_id=MARIA)).status == 202
    record = api.log.records[-1][0]
    assert (record.recipient_id, record.recipient_ids) == (MARIA, ("17841400000000000",))
    assert (record.account, record.recipient_accounts) == ("", ("main",))


@pytest.mark.parametrize("address", [MARIA, "telegram:@maria"])
async def test_an_unknown_handle_is_refused_with_what_to_do(api: Api, address: str) -> None:
    reason, detail = await reason_of(await send(api, await api.somebody(), recipient_id=address))
    assert reason == "recipient-unknown"
    assert detail.startswith(f"{address} has not written to our account ")
    assert "let the person write first" in detail
    assert api.log.records == []


@pytest.mark.parametrize("address", [ANA, "whatsapp:BR.1502", "instagram:17841400000000000", "telegram:12345"])
async def test_nothing_is_refused_to_a_person_of_whom_nothing_is_known(api: Api, address: str) -> None:
    assert (await send(api, await api.somebody(), recipient_id=address)).status == 202
    record = api.log.records[-1][0]
    assert (record.recipient_ids, record.recipient_accounts) == ((), ())


async def test_outside_the_window_whatsapp_takes_a_template_alone(api: Api) -> None:
    token = await api.somebody()
    await api.contacts.write([contact(ANA, window_until_ms=NOW_MS - 1)])
    reason, detail = await reason_of(await send(api, token))
    assert reason == "outside-window"
    assert detail.startswith(ANA)
    assert "template" in detail
    assert (await send(api, token, template=TEMPLATE)).status == 202


async def test_instagram_takes_nothing_outside_the_window(api: Api) -> None:
    address = "instagram:17841400000000000"
    await api.contacts.write([contact(address, window_until_ms=NOW_MS - 1)])
    reason, _ = await reason_of(await send(api, await api.somebody(), recipient_id=address))
    assert reason == "outside-window"


async def test_an_account_with_a_fallback_template_accepts_outside_the_window(api: Api) -> None:
    await api.contacts.write([contact(ANA, "shop", window_until_ms=0)])
    assert (await send(api, await api.somebody())).status == 202
    assert api.log.records[-1][0].recipient_accounts == ("shop",)


async def test_who_opted_out_is_left_alone_and_it_is_counted(api: Api) -> None:
    token = await api.somebody()
    await api.contacts.write([contact(ANA, opted_out=True)])
    reason, _ = await reason_of(await send(api, token))
    assert reason == "opted-out"
    assert (await reason_of(await send(api, token, template=TEMPLATE)))[0] == "opted-out"
    text = await (await api.call("GET", "/metrics")).text()
    assert 'chat4all_messages_undeliverable_total{reason="opted-out"} 2' in text


async def test_a_message_on_the_log_opens_the_window_before_cassandra_says_so(api: Api) -> None:
    token = await api.somebody()
    await api.contacts.write([contact(ANA, window_until_ms=NOW_MS - 1, opted_out=True)])
    assert (await send(api, token)).status == 422
    wrote(api, ANA, NOW_MS)
    assert (await send(api, token)).status == 202


async def test_an_older_message_on_the_log_does_not_undo_an_opt_out(api: Api) -> None:
    wrote(api, ANA, NOW_MS - 2 * HOUR_MS)
    await api.contacts.write([contact(ANA, opted_out=True)])
    assert (await reason_of(await send(api, await api.somebody())))[0] == "opted-out"


async def test_a_handle_on_the_log_is_known_before_cassandra_knows_it(api: Api) -> None:
    token = await api.somebody()
    assert (await send(api, token, recipient_id=MARIA)).status == 422
    wrote(api, MARIA, NOW_MS)
    assert (await send(api, token, recipient_id=MARIA)).status == 202
    assert api.log.records[-1][0].recipient_ids == ()


async def test_the_account_is_the_one_that_the_person_wrote_to_in_the_conversation(api: Api) -> None:
    token = await api.somebody()
    wrote(api, ANA, NOW_MS, 1, "c-1", "shop")
    wrote(api, ANA, NOW_MS + 1, 2, "c-2", "main")
    for conversation, account in (("c-1", "shop"), ("c-2", "main"), ("c-3", "main")):
        assert (await send(api, token, conversation_id=conversation)).status == 202
        assert api.log.records[-1][0].recipient_accounts == (account,)
    assert (await send(api, token, account="main")).status == 202
    assert (api.log.records[-1][0].account, api.log.records[-1][0].recipient_accounts) == ("main", ())


async def test_an_answer_shows_the_account_and_a_repetition_is_the_same_message(api: Api) -> None:
    token = await api.somebody()
    wrote(api, ANA, NOW_MS, account="shop")
    body = {"conversation_id": "c-1", "recipient_id": ANA, "content": "hi"}
    first = await api.call("POST", "/v1/messages", body, token, headers={"Idempotency-Key": "k"})
    again = await api.call("POST", "/v1/messages", body, token, headers={"Idempotency-Key": "k"})
    assert (first.status, again.status) == (202, 202)
    found = await (await api.call("GET", first.headers["Location"], token=token)).json()
    assert found["account"] == "shop"


async def test_a_simulated_account_checks_nothing(api: Api) -> None:
    await api.contacts.write([contact(ANA, "pretended", opted_out=True, window_until_ms=0)])
    assert (await send(api, await api.somebody(), account="pretended")).status == 202


async def test_without_cassandra_known_people_are_checked_and_others_left_to_the_worker(api: Api) -> None:
    token = await api.somebody()
    await api.contacts.write([contact(ANA, opted_out=True)])
    assert (await send(api, token)).status == 422
    assert (await send(api, token, recipient_id="telegram:5")).status == 202
    api.contacts.available = False
    api.clock.now_ms += 60_000
    assert (await reason_of(await send(api, token)))[0] == "opted-out"
    assert (await send(api, token, recipient_id=MARIA)).status == 202


async def test_of_several_the_reachable_ones_get_the_message(api: Api) -> None:
    token = await api.somebody()
    for address in (ANA, "telegram:5"):
        assert (await send(api, token, recipient_id=address)).status == 202
    await api.contacts.write([contact(ANA, opted_out=True)])
    api.clock.now_ms += 60_000
    assert (await send(api, token, recipient_id=None)).status == 202
    assert set(api.log.records[-1][0].recipients) == {ANA, "telegram:5"}


async def test_a_user_who_cannot_be_reached_on_the_channel_is_so_inside_the_system(api: Api) -> None:
    token = await api.somebody()
    user = await api.login(await api.register())
    body = {"platform": "whatsapp", "value": ANA.partition(":")[2]}
    assert (await api.call("POST", "/v1/users/identities", body, user["token"])).status == 201
    await api.contacts.write([contact(ANA, opted_out=True)])
    to = {"recipient_id": user["user_id"], "content": "hi"}
    assert (await api.call("POST", "/v1/messages", to, token)).status == 202
    assert api.log.records[-1][0].recipients == (f"internal:{user['user_id']}",)


async def test_each_message_of_a_batch_has_its_own_reason(api: Api) -> None:
    token = await api.somebody()
    await api.contacts.write([contact(ANA, opted_out=True)])
    messages = [{"conversation_id": "c-1", "recipient_id": to, "content": "hi"} for to in (ANA, "telegram:5", MARIA)]
    answer = await api.call("POST", "/v1/messages/batch", {"messages": messages}, token)
    results = (await answer.json())["results"]
    assert [result["status"] for result in results] == [422, 202, 422]


async def test_a_conversation_shows_names_and_reply_windows_of_its_people(api: Api) -> None:
    token = await api.somebody()
    body = {"conversation_id": "c-1", "participants": [ANA, "telegram:5", "whatsapp:+5511999990001"]}
    assert (await api.call("POST", "/v1/conversations", body, token)).status == 201
    until = NOW_MS + HOUR_MS
    await api.contacts.write([contact(ANA, "shop", person=Person(name="Ana"), window_until_ms=until, opted_out=True)])
    await api.contacts.write([contact("telegram:5", "bot", person=Person(handle="@bob"), window_until_ms=0)])
    api.clock.now_ms += 60_000
    found = await (await api.call("GET", "/v1/conversations/c-1", token=token)).json()
    listed = await (await api.call("GET", "/v1/conversations", token=token)).json()
    assert listed["conversations"][0]["participant_details"] == found["participant_details"]
    shown = {one["address"]: one for one in found["participant_details"] if "address" in one}
    assert shown == {
        ANA: {"address": ANA, "name": "Ana", "window": {"open_until": "2025-11-22T23:00:00.123Z"}, "opted_out": True},
        "telegram:5": {"address": "telegram:5", "name": "@bob", "window": None, "opted_out": False},
        "whatsapp:+5511999990001": {
            "address": "whatsapp:+5511999990001",
            "name": None,
            "window": None,
            "opted_out": False,
        },
    }
    api.contacts.available = False
    api.clock.now_ms += 60_000
    assert (await (await api.call("GET", "/v1/conversations/c-1", token=token)).json()) == found
