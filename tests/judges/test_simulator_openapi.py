"""Each answer and webhook of the simulator's WhatsApp validates against Meta's own OpenAPI description (v23.0).

What the description leaves out, and what these tests therefore leave out of the documents before it validates them:

* of an answer: nothing. ``contacts[].user_id`` and ``error_data`` are not described, and additional fields are allowed;
* of a status: ``recipient_id`` is required there, but absent of a person who hides their number;
* of an inbound message: its schemas are those of outbound ones (``to`` and ``recipient_type`` are required), so a
  message is validated by the shape of its own kind, and its envelope as a whole;
* ``UnsupportedMessage``: requires a ``type`` in ``errors[]`` that its own example has not;
* fields other than ``messages``: ``user_preferences`` and new ones are not in its list.

Instagram's API is not in the description.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator.graph.errors import CODES, GraphError
from simulator.media import SAMPLES
from support.simulated import MARIA, WHATSAPP, SimulatedWorld, simulated
from support.waiting import until

from .meta import Meta

MESSAGES = "/{Version}/{Phone-Number-ID}/messages"
HISTORY = "/{Version}/{Phone-Number-ID}/message_history"
MEDIA, UPLOAD = "/{Version}/{Media-ID}", "/{Version}/{Phone-Number-ID}/media"
TEXT = {"type": "text", "text": {"body": "hi"}}
PHONE = f"/phones/{MARIA}"


@pytest.fixture(scope="module")
def meta(judges: Path) -> Meta:
    return Meta(judges)


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated() as world:
        yield world


async def test_the_answer_to_each_kind(meta: Meta, world: SimulatedWorld) -> None:
    for document in (
        TEXT,
        {"type": "template", "template": {"name": "order", "language": {"code": "en"}}},
        {"type": "location", "location": {"latitude": 1, "longitude": 2}},
        {"type": "image", "image": {"link": "https://example.org/a.png"}},
    ):
        answer = await world.whatsapp(**document)
        assert meta.faults(meta.answer(MESSAGES), answer) == []
        assert answer["messages"][0]["id"].startswith("wamid.")


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_error(meta: Meta, code: int) -> None:
    assert meta.faults(meta.schema("GraphAPIError"), GraphError(code, "details", 33).body()) == []


@pytest.mark.parametrize(
    "document",
    [{"type": "text"}, {"type": "nothing"}, {"type": "text", "text": {"body": "x" * 5000}}, {"to": "nobody", **TEXT}],
)
async def test_each_refused_call(meta: Meta, world: SimulatedWorld, document: dict[str, Any]) -> None:
    answer = await world.whatsapp(code=400, **document)
    assert meta.faults(meta.answer(MESSAGES, status="400"), answer) == []


async def test_files(meta: Meta, world: SimulatedWorld) -> None:
    content, mime_type, name = SAMPLES["image"]
    form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime_type})
    form.add_field("file", content, filename=name, content_type=mime_type)
    path = f"/graph/v23.0/{WHATSAPP.number_id}/media"
    uploaded = await world.call("POST", path, 200, WHATSAPP.token, data=form)
    assert meta.faults(meta.answer(UPLOAD), uploaded) == []
    at = f"/graph/v23.0/{uploaded['id']}"
    assert meta.faults(meta.answer(MEDIA, "get"), await world.call("GET", at, 200, WHATSAPP.token)) == []
    assert meta.faults(meta.answer(MEDIA, "delete"), await world.call("DELETE", at, 200, WHATSAPP.token)) == []
    assert meta.faults(meta.schema("GraphAPIError"), await world.call("GET", at, 400, WHATSAPP.token)) == []


async def test_the_history(meta: Meta, world: SimulatedWorld) -> None:
    sent = (await world.whatsapp(**TEXT))["messages"][0]["id"]
    await world.until_statuses("sent", "delivered", "read")
    path = f"/graph/v23.0/{WHATSAPP.number_id}/message_history"
    for query in (
        {"message_id": sent, "fields": "id,message_id,events{delivery_status,timestamp,webhook_update_state}"},
        {"limit": "1", "fields": "id,message_id,events{delivery_status}"},
        {},
    ):
        found = await world.call("GET", path, 200, WHATSAPP.token, params=query)
        assert meta.faults(meta.answer(HISTORY, "get"), found) == []
        assert len(found["data"]) == 1
    unknown = await world.call("GET", f"{path}?message_id=wamid.none", 422, WHATSAPP.token)
    assert meta.faults(meta.answer(HISTORY, "get", "422"), unknown) == []
    wrong = await world.call("GET", f"{path}?limit=1000", 400, WHATSAPP.token)
    assert meta.faults(meta.answer(HISTORY, "get", "400"), wrong) == []
    nobody = await world.call("GET", path, 401, "nobody")
    assert meta.faults(meta.answer(HISTORY, "get", "401"), nobody) == []


async def test_the_webhooks_of_statuses(meta: Meta, world: SimulatedWorld) -> None:
    await world.whatsapp(**TEXT, biz_opaque_callback_data="m-1")
    await world.until_statuses("sent", "delivered", "read")
    await world.post(f"{PHONE}/send", text="oi")
    await world.post(f"{PHONE}/close-window")
    await world.whatsapp(**TEXT)
    await until(lambda: world.receiver.statuses_seen()[3:] == ["sent", "failed"])
    for webhook in world.receiver.webhooks:
        [value] = [change["value"] for change in webhook.document["entry"][0]["changes"]]
        if "statuses" in value:
            assert meta.faults(meta.schema("WebhookPayload"), webhook.document) == []
            assert meta.faults(meta.schema("StatusMessageValue"), value) == []


# the schema of the kind's own object, inside the one of the whole message
INBOUND: dict[str, tuple[dict[str, Any], str]] = {
    "contacts": (
        {"kind": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+55"}]}]},
        "ContactSharingMessage",
    ),
}
# what an outbound message must have, and an inbound one has not
OUTBOUND = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "15550783881"}


@pytest.mark.parametrize("kind", INBOUND)
async def test_inbound_messages_that_have_a_schema(meta: Meta, world: SimulatedWorld, kind: str) -> None:
    document, schema = INBOUND[kind]
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/send", **document)
    await until(lambda: world.receiver.messages())
    message = world.receiver.messages()[0]
    assert meta.faults(meta.schema(schema), {**OUTBOUND, **message}) == []


async def test_what_is_pressed(meta: Meta, world: SimulatedWorld) -> None:
    rows = [{"title": "Drinks", "rows": [{"id": "t", "title": "Tea", "description": "green"}]}]
    for interactive in (
        {"type": "button", "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]}},
        {"type": "list", "action": {"button": "Choose", "sections": rows}},
    ):
        await world.whatsapp(type="interactive", interactive={"body": {"text": "?"}, **interactive})
        await world.post(f"{PHONE}/press")
    quick_reply = {"type": "button", "sub_type": "quick_reply", "index": "0"}
    component = {**quick_reply, "parameters": [{"type": "payload", "payload": "stop"}]}
    template = {"name": "order", "language": {"code": "en"}, "components": [component]}
    await world.whatsapp(type="template", template=template)
    await world.post(f"{PHONE}/press")
    await until(lambda: len(world.receiver.messages()) == 3)
    kinds = ("InteractiveMessageReply", "InteractiveMessageReply", "ButtonMessage")
    for schema, message in zip(kinds, world.receiver.messages(), strict=True):
        assert meta.faults(meta.schema(schema), {**OUTBOUND, **message}) == []


async def test_a_changed_number_comes_without_contacts(meta: Meta, world: SimulatedWorld) -> None:
    await world.whatsapp(**TEXT)
    await world.post(f"{PHONE}/change-number", number="+5511888880000")
    await until(lambda: world.receiver.messages())
    [value] = [value for value in world.receiver.changes() if "messages" in value]
    value["messages"] = [{**OUTBOUND, **message} for message in value["messages"]]
    assert meta.faults(meta.schema("IncomingMessageValueSystem"), value) == []


async def test_our_inbound_messages_have_the_fields_of_the_published_ones(judges: Path, world: SimulatedWorld) -> None:
    published = json.loads((judges / "whatsapp-webhooks" / "message.json").read_text())
    await world.post("/phones", 201, number=MARIA)
    for name, document in (
        ("text", {"text": "oi"}),
        ("image", {"kind": "image"}),
        ("video", {"kind": "video", "text": "see"}),
        ("document", {"kind": "document", "text": "see"}),
        ("voice", {"kind": "audio"}),
        ("static_sticker", {"kind": "sticker"}),
        ("unsupported", {"kind": "unsupported"}),
    ):
        world.receiver.webhooks.clear()
        await world.post(f"{PHONE}/send", **document)
        await until(lambda: world.receiver.messages())
        [ours] = world.receiver.messages()
        [theirs] = published[name]["entry"][0]["changes"][0]["value"]["messages"]
        theirs.pop("context", None)  # forwarded
        assert set(theirs) <= set(ours), name
        kind = theirs["type"]
        if kind == "unsupported":
            assert [set(error) - {"href"} for error in ours["errors"]] == [set(error) for error in theirs["errors"]]
            continue
        assert set(theirs[kind]) == set(ours[kind]), name
        assert {k: type(v) for k, v in theirs[kind].items()} == {k: type(v) for k, v in ours[kind].items()}
