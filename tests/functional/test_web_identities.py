"""Linked identities over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from domain.ports import Identity
from support.api import Api

PATH = "/v1/users/identities"


async def link(api: Api, token: str, platform: object = "whatsapp", value: object = "+5511999990000") -> Any:
    return await api.call("POST", PATH, {"platform": platform, "value": value}, token)


async def listed(api: Api, token: str) -> list[tuple[str, str]]:
    answer = await api.call("GET", PATH, token=token)
    assert answer.status == 200
    return [(one["platform"], one["value"]) for one in (await answer.json())["identities"]]


async def test_an_identity_is_linked_listed_and_unlinked(api: Api) -> None:
    login = await api.login(await api.register())
    token = login["access_token"]
    assert await listed(api, token) == []
    answer = await link(api, token)
    assert answer.status == 201
    identity = await answer.json()
    assert identity == {
        "user_id": login["user_id"],
        "username": login["username"],
        "platform": "whatsapp",
        "value": "+5511999990000",
        "verified": False,
        "contested": False,
        "linked_at": "2025-11-22T22:00:00.123Z",
    }
    assert (await (await api.call("GET", PATH, token=token)).json())["identities"] == [identity]
    answer = await api.call("DELETE", f"{PATH}/whatsapp/+5511999990000", token=token)
    assert answer.status == 200
    assert (await answer.json())["value"] == "+5511999990000"
    assert await listed(api, token) == []
    assert (await api.call("DELETE", f"{PATH}/whatsapp/+5511999990000", token=token)).status == 404


async def test_one_for_each_channel_and_several_of_one(api: Api) -> None:
    token = await api.somebody()
    wanted = [("whatsapp", "+5511999990000"), ("telegram", "@maria"), ("instagram", "@maria"), ("telegram", "12345")]
    for platform, value in wanted:
        assert (await link(api, token, platform, value)).status == 201
    assert await listed(api, token) == sorted(wanted)


async def test_linking_again_is_a_201_that_changes_nothing(api: Api) -> None:
    token = await api.somebody()
    first = await (await link(api, token)).json()
    api.clock.now_ms += 60_000
    again = await link(api, token, "WhatsApp", "+55 (11) 9999-0000")
    assert again.status == 201
    assert await again.json() == first
    assert len(await listed(api, token)) == 1


async def test_a_link_without_proof_shuts_nobody_out(api: Api) -> None:
    maria, mallory = await api.somebody(), await api.somebody()
    assert (await link(api, mallory)).status == 201
    for platform, value in (("whatsapp", "+551199990000"), ("instagram", "@MARIA")):
        assert (await link(api, maria, platform, value)).status == 201
    assert (await link(api, mallory, "instagram", "@maria")).status == 201
    assert len(await listed(api, maria)) == len(await listed(api, mallory)) == 2
    found = (await (await api.call("GET", PATH, token=maria)).json())["identities"]
    assert [(one["verified"], one["contested"]) for one in found] == [(False, True), (False, True)]
    assert (await api.call("DELETE", f"{PATH}/instagram/@maria", token=mallory)).status == 200
    found = (await (await api.call("GET", PATH, token=maria)).json())["identities"]
    assert [(one["platform"], one["contested"]) for one in found] == [("instagram", False), ("whatsapp", True)]


async def test_an_address_that_another_user_has_proven_is_a_409(api: Api) -> None:
    await api.identities.link(Identity("somebody", "whatsapp", "+5511999990000", True, 0))
    token = await api.somebody()
    assert (await link(api, token, value="+55 (11) 9999-0000")).status == 409
    assert await listed(api, token) == []


async def test_of_eight_identities_linked_at_once_as_many_get_in_as_there_is_room_for(api: Api) -> None:
    token = await api.somebody()
    for number in range(17):
        assert (await link(api, token, "telegram", str(1000 + number))).status == 201
    answers = await asyncio.gather(*(link(api, token, "telegram", str(2000 + number)) for number in range(8)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [409] * 5
    assert len(await listed(api, token)) == 20


@pytest.mark.parametrize(
    "spelling", ["+5511999990000", "%2B5511999990000", "%2B55%20(11)%209999-0000", "+551199990000"]
)
async def test_an_identity_is_unlinked_in_any_spelling(api: Api, spelling: str) -> None:
    token = await api.somebody()
    await link(api, token)
    assert (await api.call("DELETE", f"{PATH}/WhatsApp/{spelling}", token=token)).status == 200
    assert await listed(api, token) == []


@pytest.mark.parametrize(
    ("platform", "value", "fields"),
    [
        ("sms", "+5511999990000", {"platform"}),
        ("", "", {"platform"}),
        (None, None, {"platform", "value"}),
        (5, ["x"], {"platform", "value"}),
        ("whatsapp", "5511999990000", {"value"}),
        ("whatsapp", "+55119999", {"value"}),
        ("whatsapp", "+999123456789", {"value"}),
        ("whatsapp", "@maria", {"value"}),
        ("whatsapp", "", {"value"}),
        ("instagram", "maria", {"value"}),
        ("instagram", "@a..b", {"value"}),
        ("telegram", "@1x", {"value"}),
        ("telegram", "@" + "a" * 60_000, {"value"}),
        ("telegram", "@mar\u0000ia", {"value"}),
    ],
)
async def test_what_cannot_be_an_identity_is_a_400_that_names_the_field(
    api: Api, platform: object, value: object, fields: set[str]
) -> None:
    answer = await link(api, await api.somebody(), platform, value)
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == fields


@pytest.mark.parametrize(
    "path", ["sms/x", "whatsapp/x", "telegram/%00", "telegram/%F0%9F%98%80", "instagram/" + quote("@a/b", "")]
)
async def test_unlinking_what_nobody_can_have_is_a_404(api: Api, path: str) -> None:
    assert (await api.call("DELETE", f"{PATH}/{path}", token=await api.somebody())).status == 404


async def test_a_user_has_so_many_identities_and_no_more(api: Api) -> None:
    token = await api.somebody()
    for number in range(20):
        assert (await link(api, token, "telegram", str(1000 + number))).status == 201
    assert (await link(api, token, "telegram", "5000")).status == 409
    assert (await link(api, token, "telegram", "1000")).status == 201  # it is linked already
    await api.call("DELETE", f"{PATH}/telegram/1000", token=token)
    assert (await link(api, token, "telegram", "5000")).status == 201


async def test_no_store_means_503_for_identities(api: Api) -> None:
    token = await api.somebody()
    api.identities.available = False
    assert (await link(api, token)).status == 503
    assert (await api.call("GET", PATH, token=token)).status == 503
    assert (await api.call("DELETE", f"{PATH}/telegram/1000", token=token)).status == 503


async def test_without_a_token_there_are_no_identities(api: Api) -> None:
    for method, path in (("POST", PATH), ("GET", PATH), ("DELETE", f"{PATH}/telegram/1000")):
        assert (await api.call(method, path)).status == 401
