"""Every door reads an address alike: messages, batches, identities, conversations, groups."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from support.api import Api

FORMS = [
    ("whatsapp", "+44 (0)20 7946 0958", "+442079460958"),
    ("whatsapp", "\u202a+44\u00a020\u20117946\u20110958\u202c", "+442079460958"),
    ("whatsapp", "+52 1 55 1234 5678", "+525512345678"),
    ("whatsapp", "+54 11 15 2345-6789", "+5491123456789"),
    ("telegram", "\u2066@Maria_Silva\u2069", "@maria_silva"),
]


@pytest.mark.parametrize(("platform", "written", "value"), FORMS)
async def test_every_door_makes_one_address_of_all_forms_of_it(
    api: Api, platform: str, written: str, value: str
) -> None:
    token = await api.somebody()
    address, text = f"{platform}:{value}", f"{platform}:{written}"

    answer = await api.call("POST", "/v1/messages", api.message("c-1", recipient_id=text), token)
    assert answer.status == 202
    assert api.log.records[-1][0].recipient_id == address

    answer = await api.call("POST", "/v1/messages/batch", [api.message("c-2", recipient_id=text)], token)
    assert answer.status in (200, 207)
    assert api.log.records[-1][0].recipient_id == address

    answer = await api.call("POST", "/v1/users/identities", {"platform": platform, "value": written}, token)
    assert (answer.status, (await answer.json())["value"]) == (201, value)
    path = f"/v1/users/identities/{platform}/{quote(written, '')}"
    assert (await api.call("DELETE", path, token=token)).status == 200

    answer = await api.call("POST", "/v1/conversations", {"participants": [text, address]}, token)
    assert answer.status == 201
    assert [one for one in (await answer.json())["participants"] if ":" in one] == [address]

    answer = await api.call("POST", "/v1/groups", {"name": "us", "initial_members": [text]}, token)
    group = await answer.json()
    assert (answer.status, group["members"]) == (201, 2)
    path = f"/v1/groups/{group['group_id']}/members"
    assert (await api.call("POST", path, {"user_id": address}, token)).status == 409
    assert (await api.call("DELETE", f"{path}/{quote(text, '')}", token=token)).status == 200


@pytest.mark.parametrize("door", ["messages", "identities", "conversations", "groups"])
async def test_a_number_of_an_impossible_length_is_a_400_that_says_why_at_every_door(api: Api, door: str) -> None:
    number = "+5511987654"
    bodies = {
        "messages": ("/v1/messages", api.message("c-1", recipient_id=f"whatsapp:{number}")),
        "identities": ("/v1/users/identities", {"platform": "whatsapp", "value": number}),
        "conversations": ("/v1/conversations", {"participants": [f"whatsapp:{number}"]}),
        "groups": ("/v1/groups", {"name": "us", "initial_members": [f"whatsapp:{number}"]}),
    }
    answer = await api.call("POST", *bodies[door], await api.somebody())
    assert answer.status == 400
    (error,) = (await answer.json(content_type=None))["errors"]
    assert "no telephone number has 8 digits after +55; it takes 10 or 11" in error["detail"]


@pytest.mark.parametrize("form", ["{}", "internal:{}", "INTERNAL:{}", "\u202ainternal:{}\u202c"])
async def test_a_user_is_one_user_however_the_id_is_written(api: Api, form: str) -> None:
    token = await api.somebody()
    user_id = (await api.login(await api.register()))["user_id"]
    written = form.format(user_id.upper())
    answer = await api.call("POST", "/v1/groups", {"name": "us", "initial_members": [written]}, token)
    group = await answer.json()
    assert answer.status == 201, group
    path = f"/v1/groups/{group['group_id']}"
    assert user_id in (await (await api.call("GET", path, token=token)).json())["members"]
    answer = await api.call("PUT", f"{path}/admins/{quote(written, '')}", token=token)
    assert user_id in (await answer.json())["admins"]
    answer = await api.call("POST", "/v1/conversations", {"participants": [written]}, token)
    conversation = await answer.json()
    assert user_id in conversation["participants"]
    body = api.message(conversation["conversation_id"], recipient_id=written)
    assert (await api.call("POST", "/v1/messages", body, token)).status == 202
    assert api.log.records[-1][0].recipient_users == (user_id,)


@pytest.mark.parametrize("form", ["User: {}", "\u202auser:{}\u202c", "ｕｓｅｒ：{}"])
async def test_a_username_is_read_like_an_address(api: Api, form: str) -> None:
    token, username = await api.somebody(), await api.register()
    written = form.format(username.upper())
    answer = await api.call("POST", "/v1/conversations", {"participants": [written]}, token)
    assert answer.status == 201
    body = api.message((await answer.json())["conversation_id"], recipient_id=written)
    assert (await api.call("POST", "/v1/messages", body, token)).status == 202


async def test_an_address_is_no_participant_in_a_users_place(api: Api) -> None:
    body = {"participants": ["internal:whatsapp:+5511999990000"]}
    assert (await api.call("POST", "/v1/conversations", body, await api.somebody())).status == 400


async def test_a_form_of_an_older_release_in_a_conversation_is_still_one_person(api: Api) -> None:
    login = await api.login(await api.register())
    older, normal = "whatsapp:+4402079460958", "whatsapp:+442079460958"
    impossible = "whatsapp:+5511987654"
    await api.conversations.create(
        "g-1", [login["user_id"], older, normal, impossible], 0, created_by=login["user_id"], name="us", is_group=True
    )
    answer = await api.call("POST", "/v1/messages", api.message("g-1", recipient_id=None), login["token"])
    assert answer.status == 202
    assert set(api.log.records[-1][0].recipients) == {normal, impossible}
    for member in (older, impossible, quote("whatsapp:+44 (0)20 7946 0958", "")):
        path = f"/v1/groups/g-1/members/{member}"
        assert (await api.call("DELETE", path, token=login["token"])).status == 200
    assert await api.conversations.participants("g-1") == [login["user_id"]]
