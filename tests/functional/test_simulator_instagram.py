"""The simulator's Instagram over HTTP: messages, reactions, read marks, the window, and what people do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from simulator.accounts import DEFAULTS
from simulator.media import SAMPLES
from support.simulated import INSTAGRAM, SimulatedWorld, simulated
from support.waiting import stays, until

TEXT = {"messaging_type": "RESPONSE", "message": {"text": "hi"}}
TEMPLATE = {
    "message": {
        "attachment": {
            "type": "template",
            "payload": {
                "template_type": "button",
                "text": "Coffee?",
                "buttons": [{"type": "postback", "title": "Yes", "payload": "y"}],
            },
        }
    }
}


class Maria:
    """Somebody on Instagram who wrote to the account."""

    def __init__(self, world: SimulatedWorld, igsid: str) -> None:
        self.world = world
        self.igsid = igsid

    async def does(self, act: str, **document: object) -> Any:
        return await self.world.post(f"/phones/@maria/{act}", **document)

    async def is_sent(self, code: int = 200, **document: object) -> Any:
        return await self.world.instagram(self.igsid, code=code, **document)

    def events(self, name: str) -> list[Any]:
        """Return this part of all webhooks' elements, without echoes."""
        found = [element[name] for element in self.world.receiver.messaging() if name in element]
        return [each for each in found if not each.get("is_echo")]


@pytest.fixture
async def maria() -> AsyncIterator[Maria]:
    async with simulated() as world:
        person = await world.post("/phones", 201, handle="maria", name="Maria")
        maria = Maria(world, person["igsid"])
        await maria.does("send", channel="instagram", text="oi")
        await until(lambda: maria.events("message"))
        world.receiver.webhooks.clear()
        yield maria


async def test_a_message_is_shown_echoed_and_read_and_nothing_else_is_told(maria: Maria) -> None:
    answer = await maria.is_sent(**TEXT)
    assert answer["recipient_id"] == maria.igsid
    await until(lambda: maria.events("read"))
    assert maria.events("read") == [{"mid": answer["message_id"]}]
    echo = maria.world.receiver.messaging()[0]
    assert echo["message"] == {"mid": answer["message_id"], "is_echo": True, "text": "hi"}
    assert (echo["sender"]["id"], echo["recipient"]["id"]) == (INSTAGRAM.number_id, maria.igsid)
    await stays(lambda: len(maria.world.receiver.messaging()) == 2)
    webhook = maria.world.receiver.webhooks[0]
    assert webhook.path == "/webhooks/instagram/default"
    assert webhook.is_signed_with(INSTAGRAM.app_secret)
    assert webhook.document["object"] == "instagram"
    assert (await maria.world.screen("@maria"))[1]["text"] == "hi"


async def test_the_accounts_own_id_and_me_are_the_same(maria: Maria) -> None:
    await maria.world.instagram(maria.igsid, id=INSTAGRAM.number_id, **TEXT)
    await maria.world.instagram(maria.igsid, id="me", **TEXT)
    assert len(await maria.world.screen("@maria")) == 3
    nobody = await maria.world.call("POST", "/graph/v25.0/me/messages", 401, "nobody", json=TEXT)
    assert nobody["error"]["code"] == 190


@pytest.mark.parametrize(
    ("document", "subcode"),
    [
        ({"message": {}}, 2018047),
        ({"message": {"text": "é" * 501}}, 2534025),
        ({"message": {"text": "hi", "attachment": {"type": "image", "payload": {"url": "https://e.org"}}}}, 2018047),
        ({"message": {"attachment": {"type": "image", "payload": {"url": "nowhere"}}}}, 2018008),
        ({"message": {"attachment": {"type": "hologram", "payload": {}}}}, None),
        ({**TEXT, "messaging_type": "NEWSLETTER"}, None),
        ({**TEXT, "messaging_type": "MESSAGE_TAG", "tag": "EVENT"}, None),
        ({"message": {"text": "hi", "reply_to": {"mid": "mid.none"}}}, None),
        ({}, None),
    ],
)
async def test_a_wrong_call_is_refused(maria: Maria, document: dict[str, Any], subcode: int | None) -> None:
    error = (await maria.is_sent(400, **document))["error"]
    assert (error["code"], error.get("error_subcode")) == (100, subcode)
    assert len(await maria.world.screen("@maria")) == 1


async def test_somebody_who_never_wrote_is_not_found(maria: Maria) -> None:
    other = await maria.world.post("/phones", 201, handle="ana")
    for igsid in ("17841400000000000", other["igsid"]):
        assert (await maria.world.instagram(igsid, code=400, **TEXT))["error"]["error_subcode"] == 2534014


async def test_outside_the_window_only_a_human_may_write(maria: Maria) -> None:
    await maria.does("close-window")
    error = (await maria.is_sent(403, **TEXT))["error"]
    assert (error["code"], error["error_subcode"]) == (10, 2534022)
    human = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT", "message": {"text": "hi"}}
    await maria.is_sent(**human)
    await maria.does("send", channel="instagram", text="again")
    await maria.is_sent(**TEXT)


async def test_a_blocked_account_is_refused(maria: Maria) -> None:
    await maria.does("block", channel="instagram")
    assert (await maria.is_sent(400, **TEXT))["error"]["code"] == 551


async def test_replies_reactions_and_buttons_come_and_go(maria: Maria) -> None:
    [mine] = await maria.world.screen("@maria")
    await maria.is_sent(message={"text": "hello", "reply_to": {"mid": mine["id"]}})
    await maria.is_sent(sender_action="react", payload={"message_id": mine["id"], "reaction": "love"})
    await maria.is_sent(sender_action="mark_seen")
    sent = (await maria.is_sent(**TEMPLATE))["message_id"]
    await maria.does("press", button="Yes")
    await maria.does("react", emoji="❤")
    await maria.does("react", emoji="")
    await maria.does("reply", text="yes", quote=True)
    await until(lambda: maria.events("message"))
    first, second, *_ = await maria.world.screen("@maria")
    assert (first["reactions"], first["is_read"], second["reply_to"]) == ({"account": "love"}, True, mine["id"])
    [postback] = maria.events("postback")
    assert (postback["title"], postback["payload"]) == ("Yes", "y")
    react, unreact = maria.events("reaction")
    assert react == {"mid": sent, "action": "react", "reaction": "love", "emoji": "❤"}
    assert unreact == {"mid": sent, "action": "unreact"}
    assert maria.events("message")[0]["reply_to"] == {"mid": sent}


async def test_a_quick_reply_is_a_message_with_its_payload(maria: Maria) -> None:
    replies = [{"content_type": "text", "title": "Tea", "payload": "t"}]
    await maria.is_sent(message={"text": "A drink?", "quick_replies": replies})
    await maria.does("press", button="Tea")
    await until(lambda: maria.events("message"))
    assert maria.events("message")[0]["quick_reply"] == {"payload": "t"}


async def test_a_file_comes_as_a_link_that_can_be_fetched(maria: Maria) -> None:
    await maria.does("send", channel="instagram", kind="image")
    await until(lambda: maria.events("message"))
    [attachment] = maria.events("message")[0]["attachments"]
    async with maria.world.client.get(URL(attachment["payload"]["url"]).path) as answer:
        assert await answer.read() == SAMPLES["image"][0]


async def test_the_profile_of_somebody_who_wrote_is_told(maria: Maria) -> None:
    path = f"/graph/v25.0/{maria.igsid}?fields=name,username"
    profile = await maria.world.call("GET", path, 200, INSTAGRAM.token)
    assert (profile["name"], profile["username"]) == ("Maria", "maria")


async def test_without_read_receipts_nothing_but_the_echo_comes(maria: Maria) -> None:
    await maria.does("receipts", on=False)
    await maria.is_sent(**TEXT)
    await stays(lambda: not maria.events("read"), 0.1)


async def test_several_updates_come_in_one_post_if_the_chaos_batches() -> None:
    async with simulated(webhook_batch=100) as world:
        world.receiver.statuses = [503]
        await world.post("/phones", 201, handle="maria")
        for n in range(20):
            await world.post("/phones/@maria/send", channel="instagram", text=str(n))
        await until(lambda: len(world.receiver.messaging()) == 20)
        assert [element["message"]["text"] for element in world.receiver.messaging()] == [str(n) for n in range(20)]
        assert len(world.receiver.webhooks) < 20


def test_the_default_accounts_are_one_of_each_channel() -> None:
    assert [account.channel for account in DEFAULTS] == ["whatsapp", "instagram", "telegram"]
    assert "token" not in repr(INSTAGRAM)
