"""The simulator's WhatsApp over HTTP: messages, statuses, media, history, and what people do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from simulator.media import SAMPLES
from support.simulated import MARIA, WHATSAPP, SimulatedWorld, simulated
from support.waiting import stays, until

TEXT = {"type": "text", "text": {"body": "hi"}}
BUTTONS = {
    "type": "interactive",
    "interactive": {
        "type": "button",
        "body": {"text": "Coffee?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
    },
}
PHONE = f"/phones/{MARIA}"


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated() as world:
        yield world


async def test_a_message_is_shown_and_its_three_statuses_carry_our_token(world: SimulatedWorld) -> None:
    answer = await world.whatsapp(**TEXT, biz_opaque_callback_data="conversation\x1fm-1")
    [message] = answer["messages"]
    assert answer["contacts"] == [{"input": MARIA, "wa_id": MARIA}]
    await world.until_statuses("sent", "delivered", "read")
    [shown] = await world.screen()
    assert (shown["id"], shown["text"], shown["kind"], shown["copy"]) == (message["id"], "hi", "text", 1)
    for value in world.receiver.changes():
        [status] = value["statuses"]
        assert status["id"] == message["id"]
        assert status["biz_opaque_callback_data"] == "conversation\x1fm-1"
        assert status["recipient_id"] == MARIA
        assert value["metadata"]["phone_number_id"] == WHATSAPP.number_id
    assert {webhook.path for webhook in world.receiver.webhooks} == {"/webhooks/whatsapp/default"}
    assert all(webhook.is_signed_with(WHATSAPP.app_secret) for webhook in world.receiver.webhooks)


async def test_a_second_call_with_the_same_token_is_a_second_message_to_the_person(world: SimulatedWorld) -> None:
    first = await world.whatsapp(**TEXT, biz_opaque_callback_data="m-1")
    second = await world.whatsapp(**TEXT, biz_opaque_callback_data="m-1")
    assert first["messages"][0]["id"] != second["messages"][0]["id"]
    assert [shown["copy"] for shown in await world.screen()] == [1, 2]
    assert (await world.get("/counts"))["accounts"]["whatsapp/default"]["messages"]["copies"] == 1


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("template", {"template": {"name": "order", "language": {"code": "pt_BR"}}}),
        ("location", {"location": {"latitude": -23.5, "longitude": -46.6, "name": "Sé"}}),
        ("contacts", {"contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}}]}),
        ("image", {"image": {"link": "https://example.org/a.png", "caption": "see"}}),
        ("document", {"document": {"link": "https://example.org/a.pdf", "filename": "a.pdf"}}),
        ("sticker", {"sticker": {"link": "https://example.org/a.webp"}}),
        ("interactive", {"interactive": BUTTONS["interactive"]}),
    ],
)
async def test_each_kind_is_shown(world: SimulatedWorld, kind: str, document: dict[str, Any]) -> None:
    await world.whatsapp(type=kind, **document)
    [shown] = await world.screen()
    assert shown["kind"] == kind


async def test_brazils_ninth_digit_is_lost_in_the_answer_and_in_webhooks(world: SimulatedWorld) -> None:
    answer = await world.whatsapp(**TEXT, to="+55 31 99999-0000")
    assert answer["contacts"] == [{"input": "5531999990000", "wa_id": "553199990000"}]
    await world.post("/phones/+5531999990000/reply", text="oi")
    await until(lambda: world.receiver.messages())
    assert world.receiver.messages()[0]["from"] == "553199990000"


async def test_a_reply_quotes_and_a_reaction_names_the_message(world: SimulatedWorld) -> None:
    sent = (await world.whatsapp(**TEXT))["messages"][0]["id"]
    await world.post(f"{PHONE}/reply", text="yes", quote=True)
    await world.post(f"{PHONE}/react", emoji="👍")
    await world.post(f"{PHONE}/react", emoji="")
    await until(lambda: len(world.receiver.messages()) == 3)
    reply, reaction, taken_back = world.receiver.messages()
    assert reply["text"] == {"body": "yes"}
    assert reply["context"] == {"from": WHATSAPP.display_number, "id": sent}
    assert (reply["from"], reply["from_user_id"][:3]) == (MARIA, "BR.")
    assert reaction["reaction"] == {"message_id": sent, "emoji": "👍"}
    assert taken_back["reaction"] == {"message_id": sent}


@pytest.mark.parametrize("name", ["y", "Yes", "1"])
async def test_a_button_is_pressed_by_id_title_or_number(world: SimulatedWorld, name: str) -> None:
    sent = (await world.whatsapp(**BUTTONS))["messages"][0]["id"]
    await world.post(f"{PHONE}/press", button=name)
    await until(lambda: world.receiver.messages())
    [message] = world.receiver.messages()
    assert message["interactive"] == {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}}
    assert message["context"]["id"] == sent


async def test_our_reaction_is_shown_on_the_persons_message_and_no_line_of_its_own(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA)
    mine = await world.post(f"{PHONE}/send", text="oi")
    await world.whatsapp(type="reaction", reaction={"message_id": mine["id"], "emoji": "❤"})
    [shown] = await world.screen()
    assert shown["reactions"] == {"account": "❤"}


async def test_a_hidden_number_is_nowhere_in_the_webhook(world: SimulatedWorld) -> None:
    person = await world.post("/phones", 201, number=MARIA, name="Maria", handle="maria")
    await world.post(f"{PHONE}/hide-number")
    await world.post(f"{PHONE}/send", text="oi")
    await until(lambda: world.receiver.messages())
    assert MARIA not in world.receiver.webhooks[0].raw.decode()
    [value] = world.receiver.changes()
    assert value["messages"][0]["from_user_id"] == person["user_id"]
    assert value["contacts"] == [{"profile": {"name": "Maria", "username": "maria"}, "user_id": person["user_id"]}]
    answer = await world.whatsapp(to=None, recipient=person["user_id"], **TEXT)
    assert answer["contacts"] == [{"input": person["user_id"], "user_id": person["user_id"]}]
    await until(lambda: world.receiver.statuses_seen())
    assert "recipient_id" not in world.receiver.changes()[1]["statuses"][0]


async def test_a_changed_number_is_told_and_the_old_one_takes_nothing_more(world: SimulatedWorld) -> None:
    await world.whatsapp(**TEXT)
    await world.post(f"{PHONE}/change-number", number="+5511888880000")
    await until(lambda: world.receiver.messages())
    [message] = world.receiver.messages()
    assert message["type"] == "system"
    assert message["from"] == MARIA
    assert message["system"]["type"] == "user_changed_number"
    assert message["system"]["wa_id"] == "5511888880000"
    assert all("contacts" not in value for value in world.receiver.changes() if "messages" in value)
    assert (await world.whatsapp(**TEXT, code=400))["error"]["code"] == 131026
    await world.whatsapp(**TEXT, to="5511888880000")
    assert len(await world.screen("+5511888880000")) == 2


async def test_a_phone_that_is_off_gets_its_messages_in_order_later(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA, online=False)
    for text in ("one", "two", "three"):
        await world.whatsapp(type="text", text={"body": text})
    await until(lambda: world.receiver.statuses_seen() == ["sent"] * 3)
    assert await world.screen() == []
    await world.post(f"{PHONE}/go-online")
    assert [shown["text"] for shown in await world.screen()] == ["one", "two", "three"]
    await until(lambda: world.receiver.statuses_seen().count("read") == 3)


async def test_a_blocked_account_stays_at_sent(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/block", channel="whatsapp")
    await world.whatsapp(**TEXT)
    await world.until_statuses("sent")
    await stays(lambda: world.receiver.statuses_seen() == ["sent"])
    assert await world.screen() == []
    await world.post(f"{PHONE}/unblock")
    await world.whatsapp(**TEXT)
    await world.until_statuses("sent", "sent", "delivered", "read")


async def test_without_read_receipts_a_message_stays_delivered_though_it_is_read(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA, receipts=False)
    await world.whatsapp(**TEXT)
    await world.until_statuses("sent", "delivered")

    async def is_read() -> bool:
        return bool((await world.screen())[0]["is_read"])

    await until(is_read)
    await stays(lambda: world.receiver.statuses_seen() == ["sent", "delivered"])


async def test_somebody_who_never_reads_reads_by_hand(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA, reads="never")
    await world.whatsapp(**TEXT)
    await world.until_statuses("sent", "delivered")
    assert await world.post(f"{PHONE}/read") == {"read": 1}
    await world.until_statuses("sent", "delivered", "read")
    assert await world.post(f"{PHONE}/read") == {"read": 0}


async def test_people_who_answer_answer_each_message_in_order(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA, answers="you said: {text}")
    for n in range(5):
        await world.whatsapp(type="text", text={"body": str(n)})
    await until(lambda: len(world.receiver.messages()) == 5)
    assert [message["text"]["body"] for message in world.receiver.messages()] == [f"you said: {n}" for n in range(5)]


async def test_outside_the_window_only_a_template_arrives(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/send", text="oi")
    await world.post(f"{PHONE}/close-window")
    await world.whatsapp(**TEXT)
    await world.until_statuses("sent", "failed")
    [error] = world.receiver.changes()[-1]["statuses"][0]["errors"]
    assert error["code"] == 131047
    await world.whatsapp(type="template", template={"name": "order", "language": {"code": "en"}})
    await until(lambda: world.receiver.statuses_seen()[2:] == ["sent", "delivered", "read"])
    await world.post(f"{PHONE}/send", text="again")
    await world.whatsapp(**TEXT)
    await until(lambda: world.receiver.statuses_seen()[5:] == ["sent", "delivered", "read"])


async def test_opting_out_of_marketing_is_told_and_refuses_marketing_alone(world: SimulatedWorld) -> None:
    await world.whatsapp(**TEXT)
    await world.post(f"{PHONE}/opt-out")
    marketing = {"type": "template", "template": {"name": "marketing_may", "language": {"code": "en"}}}
    assert (await world.whatsapp(code=400, **marketing))["error"]["code"] == 131050
    await world.whatsapp(**TEXT)
    await until(lambda: any("user_preferences" in value for value in world.receiver.changes()))
    [preference] = [v["user_preferences"][0] for v in world.receiver.changes() if "user_preferences" in v]
    assert (preference["value"], preference["category"]) == ("stop", "marketing_messages")


async def test_a_file_is_uploaded_sent_and_fetched_with_the_token(world: SimulatedWorld) -> None:
    content, mime_type, name = SAMPLES["image"]
    form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime_type})
    form.add_field("file", content, filename=name, content_type=mime_type)
    path = f"/graph/v26.0/{WHATSAPP.number_id}/media"
    media_id = (await world.call("POST", path, 200, WHATSAPP.token, data=form))["id"]
    await world.whatsapp(type="image", image={"id": media_id, "caption": "see"})
    [shown] = await world.screen()
    assert (shown["kind"], shown["media"], shown["text"]) == ("image", media_id, "see")
    file = await world.call("GET", f"/graph/v26.0/{media_id}", 200, WHATSAPP.token)
    assert file["mime_type"] == mime_type
    url = URL(file["url"]).path
    async with world.client.get(url) as without_token:
        assert without_token.status == 401
    async with world.client.get(url, headers={"Authorization": f"Bearer {WHATSAPP.token}"}) as answer:
        assert await answer.read() == content


async def test_an_inbound_file_has_an_id_that_can_be_fetched(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/send", kind="document", text="the contract")
    await until(lambda: world.receiver.messages())
    document = world.receiver.messages()[0]["document"]
    assert (document["filename"], document["caption"]) == ("paper.pdf", "the contract")
    file = await world.call("GET", f"/graph/v26.0/{document['id']}", 200, WHATSAPP.token)
    assert file["file_size"] == str(len(SAMPLES["document"][0]))


async def test_the_history_heals_what_a_dropped_webhook_hid() -> None:
    async with simulated(drop_statuses_share=1) as world:
        sent = (await world.whatsapp(**TEXT))["messages"][0]["id"]
        path = f"/graph/v26.0/{WHATSAPP.number_id}/message_history"
        query = {"message_id": sent, "fields": "id,message_id,events{delivery_status,webhook_update_state,timestamp}"}

        async def events() -> list[dict[str, Any]]:
            found = await world.call("GET", path, 200, WHATSAPP.token, params=query)
            return list(found["data"][0]["events"]["data"])

        async def is_read() -> bool:
            return [event["delivery_status"] for event in await events()] == ["SENT", "DELIVERED", "READ"]

        await until(is_read)
        assert {event["webhook_update_state"] for event in await events()} == {"FAILED"}
        assert world.receiver.webhooks == []
        counts = (await world.get("/counts"))["accounts"]["whatsapp/default"]
        assert counts["webhooks"] == {"status dropped": 3}


async def test_the_history_is_paged_the_newest_message_first(world: SimulatedWorld) -> None:
    sent = [(await world.whatsapp(**TEXT))["messages"][0]["id"] for _ in range(5)]
    path, found = f"/graph/v26.0/{WHATSAPP.number_id}/message_history?limit=2", []
    while path:
        page = await world.call("GET", path, 200, WHATSAPP.token)
        found += [entry["message_id"] for entry in page["data"]]
        path = page.get("paging", {}).get("next", "")
    assert found == sent[::-1]


async def test_a_read_mark_and_the_typing_indicator_are_seen(world: SimulatedWorld) -> None:
    await world.post("/phones", 201, number=MARIA)
    mine = await world.post(f"{PHONE}/send", text="oi")
    mark = {"status": "read", "message_id": mine["id"], "typing_indicator": {"type": "text"}}
    assert await world.whatsapp(to=None, recipient_type=None, **mark) == {"success": True}
    [shown] = await world.screen()
    assert shown["is_read"]
    assert shown["typing_ms"]


async def test_a_webhook_is_posted_again_until_it_is_answered_with_200_and_order_holds(world: SimulatedWorld) -> None:
    world.receiver.statuses = [503, 500]
    await world.post("/phones", 201, number=MARIA)
    for text in ("one", "two", "three"):
        await world.post(f"{PHONE}/send", text=text)
    await until(lambda: len(world.receiver.messages()) == 3)
    assert [message["text"]["body"] for message in world.receiver.messages()] == ["one", "two", "three"]
    counts = (await world.get("/counts"))["accounts"]["whatsapp/default"]["webhooks"]
    assert (counts["answered 503"], counts["answered 500"], counts["message delivered"]) == (1, 1, 3)


async def test_the_handshake_of_a_callback_is_made(world: SimulatedWorld) -> None:
    assert (await world.post("/accounts/whatsapp/default/verify"))["is_verified"]
    await world.post("/accounts/whatsapp/default/callback", url="")
    await world.post("/accounts/whatsapp/default/verify", 409)
    assert "token" not in str(await world.get("/accounts"))


async def test_peculiar_numbers_behave_as_in_the_simulation_inside_the_workers(world: SimulatedWorld) -> None:
    assert (await world.whatsapp(**TEXT, to="+12025550101", code=400))["error"]["code"] == 131026
    throttled = {**TEXT, "to": "+12025550103", "biz_opaque_callback_data": "m"}
    for _ in range(2):
        assert (await world.whatsapp(**throttled, code=429))["error"]["code"] == 131056
    await world.whatsapp(**throttled)
    await world.whatsapp(**TEXT, to="+12025550104")
    await world.whatsapp(**TEXT, to="+12025550105")
    await until(lambda: sorted(world.receiver.statuses_seen()) == sorted(["sent"] * 3 + ["delivered"] * 2 + ["read"]))
