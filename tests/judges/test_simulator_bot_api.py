"""Each answer and update of the simulator has the fields and the types of the Bot API's machine-readable description.

The description leaves out the envelope of an answer (``ok``, ``result``, ``error_code``, ``description``,
``parameters``): those are tested by hand here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator.telegram.content import EMOJI
from support.simulated import TELEGRAM, SimulatedWorld, simulated

from .bot_api import BotApi

BOT = f"/bot{TELEGRAM.token}"
ALL = ["message", "callback_query", "message_reaction", "my_chat_member"]


@pytest.fixture(scope="module")
def api(judges: Path) -> BotApi:
    return BotApi(judges)


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated(with_callbacks=False) as world:
        await world.post("/phones", 201, handle="maria", name="Maria")
        await world.post("/phones/@maria/send", channel="telegram", text="/start")
        yield world


async def called(world: SimulatedWorld, method: str, code: int = 200, **parameters: object) -> Any:
    if method.startswith("s"):
        parameters.setdefault("chat_id", (await world.get("/phones/@maria"))["chat_id"])
    return await world.call("POST", f"{BOT}/{method}", code, json=parameters)


KEYBOARD = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}, {"text": "Site", "url": "https://e.org"}]]}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("getMe", {}),
    ("sendMessage", {"text": "hi", "reply_markup": KEYBOARD}),
    ("sendLocation", {"latitude": 1, "longitude": 2}),
    ("sendPhoto", {"photo": "https://example.org/a.png", "caption": "see"}),
    ("sendAudio", {"audio": "https://example.org/a.mp3"}),
    ("sendVideo", {"video": "https://example.org/a.mp4"}),
    ("sendDocument", {"document": "https://example.org/a.pdf"}),
    ("sendChatAction", {"action": "typing"}),
    ("answerCallbackQuery", {"callback_query_id": "1"}),
    ("setWebhook", {"url": "https://example.org/webhook", "allowed_updates": ALL}),
    ("getWebhookInfo", {}),
    ("deleteWebhook", {}),
    ("getUpdates", {}),
]


@pytest.mark.parametrize(("method", "parameters"), CALLS, ids=[method for method, _ in CALLS])
async def test_the_result_of_each_method(
    api: BotApi, world: SimulatedWorld, method: str, parameters: dict[str, Any]
) -> None:
    answer = await called(world, method, **parameters)
    assert answer["ok"] is True
    assert api.faults(api.methods[method]["returns"], answer["result"], method) == []
    known = {field["name"] for field in api.methods[method].get("fields", [])}
    assert set(parameters) <= known


async def test_a_reply_a_reaction_and_a_file_with_its_bytes(api: BotApi, world: SimulatedWorld) -> None:
    sent = (await called(world, "sendMessage", text="hi"))["result"]
    reply = await called(world, "sendMessage", text="hi", reply_parameters={"message_id": sent["message_id"]})
    assert api.faults(["Message"], reply["result"]) == []
    emoji = [{"type": "emoji", "emoji": "🔥"}]
    assert (await called(world, "setMessageReaction", message_id=sent["message_id"], reaction=emoji))["result"] is True
    form = aiohttp.FormData({"chat_id": str(sent["chat"]["id"])})
    form.add_field("document", b"content", filename="a.pdf", content_type="application/pdf")
    document = (await world.call("POST", f"{BOT}/sendDocument", 200, data=form))["result"]
    assert api.faults(["Message"], document) == []
    file = await called(world, "getFile", file_id=document["document"]["file_id"])
    assert api.faults(["File"], file["result"]) == []


async def test_each_update(api: BotApi, world: SimulatedWorld) -> None:
    for document in (
        {"text": "oi"},
        *({"kind": kind} for kind in ("image", "audio", "video", "document", "sticker", "unsupported")),
        {"kind": "location", "location": {"latitude": 1, "longitude": 2, "name": "Sé", "address": "Praça"}},
        {"kind": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]},
    ):
        await world.post("/phones/@maria/send", channel="telegram", **document)
    await called(world, "sendMessage", text="Coffee?", reply_markup=KEYBOARD)
    await called(world, "getUpdates", allowed_updates=ALL)
    await world.post("/phones/@maria/press")
    await world.post("/phones/@maria/react", emoji="👍")
    await world.post("/phones/@maria/reply", text="yes", quote=True)
    await world.post("/phones/@maria/block", channel="telegram")
    await world.post("/phones/@maria/unblock", channel="telegram")
    updates = (await called(world, "getUpdates"))["result"]
    assert len(updates) == 15
    assert api.faults(["Array of Update"], updates) == []


@pytest.mark.parametrize(
    ("method", "code", "parameters"),
    [("sendMessage", 400, {}), ("sendMessage", 400, {"chat_id": 1, "text": "hi"}), ("sendNothing", 404, {})],
)
async def test_each_error(world: SimulatedWorld, method: str, code: int, parameters: dict[str, Any]) -> None:
    answer = await called(world, method, code, **parameters)
    assert set(answer) == {"ok", "error_code", "description"}
    assert (answer["ok"], answer["error_code"], type(answer["description"])) == (False, code, str)


async def test_parameters_of_an_error(api: BotApi, world: SimulatedWorld) -> None:
    await world.post("/chaos", throttle_share=1)
    answer = await called(world, "sendMessage", 429, text="hi")
    assert api.faults(["ResponseParameters"], answer["parameters"]) == []


def test_the_emoji_of_reactions_are_the_described_ones(api: BotApi) -> None:
    [described] = [f for f in api.types["ReactionTypeEmoji"]["fields"] if f["name"] == "emoji"]
    missing = {emoji for emoji in EMOJI if emoji not in described["description"]}
    assert missing == set()
