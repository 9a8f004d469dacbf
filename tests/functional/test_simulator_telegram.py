"""The simulator's Bot API over HTTP: sends, updates by polling and by webhook, errors, and what people do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from support.simulated import TELEGRAM, SimulatedWorld, simulated
from support.waiting import until

BOT = f"/bot{TELEGRAM.token}"
ALL = ["message", "callback_query", "message_reaction", "my_chat_member"]


class Bot:
    """Calls of one bot, and Maria, who wrote to it."""

    def __init__(self, world: SimulatedWorld, chat_id: int) -> None:
        self.world = world
        self.chat_id = chat_id

    async def call(self, method: str, code: int = 200, **parameters: object) -> Any:
        return await self.world.call("POST", f"{BOT}/{method}", code, json=parameters)

    async def send(self, text: str = "hi", **more: object) -> Any:
        return (await self.call("sendMessage", chat_id=self.chat_id, text=text, **more))["result"]

    async def maria(self, act: str, code: int = 200, **document: object) -> Any:
        return await self.world.post(f"/phones/@maria/{act}", code, **document)

    async def updates(self, offset: int = 0, **more: object) -> list[dict[str, Any]]:
        answer = await self.call("getUpdates", offset=offset, allowed_updates=ALL, **more)
        return list(answer["result"])


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with simulated(with_callbacks=False) as world:
        person = await world.post("/phones", 201, handle="maria", name="Maria")
        bot = Bot(world, person["chat_id"])
        await bot.maria("send", channel="telegram", text="/start")
        [update] = await bot.updates()
        assert await bot.updates(update["update_id"] + 1) == []
        yield bot


async def test_a_message_is_shown_and_no_receipt_comes(bot: Bot) -> None:
    sent = await bot.send()
    assert (sent["text"], sent["chat"]["id"], sent["from"]["is_bot"]) == ("hi", bot.chat_id, True)
    screen = await bot.world.screen("@maria")
    assert [shown["text"] for shown in screen] == ["/start", "hi"]
    assert screen[1]["id"] == f"{bot.chat_id}:{sent['message_id']}"
    assert await bot.updates() == []


@pytest.mark.parametrize("form", ["query", "form", "json", "multipart"])
async def test_parameters_come_in_each_form(bot: Bot, form: str) -> None:
    keyboard = '{"inline_keyboard":[[{"text":"Yes","callback_data":"y"}]]}'
    values = {"chat_id": str(bot.chat_id), "text": "hi", "reply_markup": keyboard}
    more: dict[str, Any] = {"query": {"params": values}, "form": {"data": values}, "json": {"json": values}}.get(
        form, {}
    )
    if form == "multipart":
        data = aiohttp.MultipartWriter("form-data")
        for name, value in values.items():
            data.append(value).set_content_disposition("form-data", name=name)
        more = {"data": data}
    answer = await bot.world.call("GET" if form == "query" else "POST", f"{BOT}/sendMessage", 200, **more)
    assert answer["result"]["reply_markup"]["inline_keyboard"] == [[{"text": "Yes", "callback_data": "y"}]]


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ({"chat_id": 1}, 400, "chat not found"),
        ({"chat_id": "@maria"}, 400, "chat not found"),
        ({"text": ""}, 400, "message text is empty"),
        ({"text": "x" * 4097}, 400, "message is too long"),
        ({"reply_parameters": {"message_id": 1}}, 400, "message to be replied not found"),
        (
            {"reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "x" * 65}]]}},
            400,
            "BUTTON_DATA_INVALID",
        ),
        ({"reply_markup": {"inline_keyboard": [[{"text": "a"}]]}}, 400, "text buttons are unallowed"),
        ({"reply_markup": "{"}, 400, "can't parse reply_markup"),
    ],
)
async def test_a_wrong_call_is_refused_in_telegrams_words(
    bot: Bot, parameters: dict[str, Any], code: int, words: str
) -> None:
    answer = await bot.call("sendMessage", code, **{"chat_id": bot.chat_id, "text": "hi", **parameters})
    assert (answer["ok"], answer["error_code"]) == (False, code)
    assert words in answer["description"]
    assert len(await bot.world.screen("@maria")) == 1


async def test_a_wrong_token_and_a_wrong_method(bot: Bot) -> None:
    assert (await bot.world.call("GET", "/bot1:no/getMe", 401))["description"] == "Unauthorized"
    assert (await bot.call("sendNothing", 404))["error_code"] == 404
    assert (await bot.call("getMe"))["result"]["id"] == int(TELEGRAM.number_id)


async def test_blocking_is_told_and_refuses_until_unblocked(bot: Bot) -> None:
    await bot.maria("block", channel="telegram")
    assert (await bot.call("sendMessage", 403, chat_id=bot.chat_id, text="hi"))["error_code"] == 403
    await bot.maria("unblock", channel="telegram")
    await bot.send()
    told = [update["my_chat_member"]["new_chat_member"]["status"] for update in await bot.updates()]
    assert told == ["kicked", "member"]


async def test_a_button_is_pressed_a_reaction_given_and_a_quote_written(bot: Bot) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}, {"text": "Site", "url": "https://e.org"}]]}
    sent = await bot.send("Coffee?", reply_markup=keyboard)
    await bot.maria("press", button="Yes")
    await bot.maria("react", emoji="👍")
    await bot.maria("reply", text="yes", quote=True)
    pressed, reaction, reply = await bot.updates()
    assert pressed["callback_query"]["data"] == "y"
    assert pressed["callback_query"]["message"]["message_id"] == sent["message_id"]
    assert reaction["message_reaction"]["new_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert reply["message"]["reply_to_message"]["message_id"] == sent["message_id"]
    await bot.call("answerCallbackQuery", callback_query_id=pressed["callback_query"]["id"])


async def test_our_reply_reaction_and_typing_are_seen(bot: Bot) -> None:
    [mine] = await bot.world.screen("@maria")
    message_id = int(mine["id"].partition(":")[2])
    await bot.send("hello", reply_parameters={"message_id": message_id})
    reaction = {"chat_id": bot.chat_id, "message_id": message_id}
    await bot.call("setMessageReaction", **reaction, reaction=[{"type": "emoji", "emoji": "🔥"}])
    await bot.call("sendChatAction", chat_id=bot.chat_id, action="typing")
    first, second = await bot.world.screen("@maria")
    assert (first["reactions"], second["reply_to"], bool(first["typing_ms"])) == ({"account": "🔥"}, mine["id"], True)
    refused = await bot.call("setMessageReaction", 400, **reaction, reaction=[{"type": "emoji", "emoji": "🥨"}])
    assert "REACTION_INVALID" in refused["description"]


@pytest.mark.parametrize(
    ("method", "parameter", "name"),
    [
        ("sendDocument", "document", "a.pdf"),
        ("sendPhoto", "photo", "a.png"),
        ("sendVideo", "video", "a.mp4"),
        ("sendAudio", "audio", "a.mp3"),
    ],
)
async def test_a_file_is_sent_by_its_bytes_then_by_its_id_and_fetched(
    bot: Bot, method: str, parameter: str, name: str
) -> None:
    form = aiohttp.FormData({"chat_id": str(bot.chat_id), "caption": "see"})
    form.add_field(parameter, b"content", filename=name)
    sent = (await bot.world.call("POST", f"{BOT}/{method}", 200, data=form))["result"]
    described = sent[parameter][-1] if parameter == "photo" else sent[parameter]
    assert sent["caption"] == "see"
    again = await bot.call(method, chat_id=bot.chat_id, **{parameter: described["file_id"]})
    assert again["result"]["message_id"] == sent["message_id"] + 1
    file = (await bot.call("getFile", file_id=described["file_id"]))["result"]
    async with bot.world.client.get(f"/file{BOT}/{file['file_path']}") as answer:
        assert await answer.read() == b"content"
    await bot.call(method, chat_id=bot.chat_id, **{parameter: "https://example.org/a.bin"})
    assert (
        "wrong file identifier" in (await bot.call(method, 400, chat_id=bot.chat_id, **{parameter: "x"}))["description"]
    )


async def test_updates_are_kept_until_they_are_confirmed_and_never_skipped(bot: Bot) -> None:
    for n in range(5):
        await bot.maria("send", channel="telegram", text=str(n))
    first = await bot.updates(limit=2)
    assert await bot.updates(limit=2) == first
    rest = await bot.updates(first[-1]["update_id"] + 1)
    assert [update["message"]["text"] for update in (*first, *rest)] == list("01234")
    assert (await bot.call("getWebhookInfo"))["result"]["pending_update_count"] == 3


async def test_a_long_poll_ends_with_the_first_update_and_with_another_poll(bot: Bot) -> None:
    polling = asyncio.create_task(bot.updates(timeout=10))
    await until(lambda: not polling.done())
    await bot.maria("send", channel="telegram", text="oi")
    [update] = await polling
    earlier = asyncio.create_task(bot.call("getUpdates", 409, offset=update["update_id"] + 1, timeout=10))
    await until(lambda: bot.world.simulator._updates._bots[TELEGRAM.key].poller == 4)
    assert await bot.updates(update["update_id"] + 1) == []
    assert "terminated by other getUpdates request" in (await earlier)["description"]


async def test_a_webhook_excludes_polling_and_gets_what_waited(bot: Bot) -> None:
    await bot.maria("send", channel="telegram", text="before")
    async with simulated() as other:
        url = str(other.simulator.accounts.callbacks["whatsapp", "default"]).replace("/whatsapp/", "/telegram/")
        await bot.call("setWebhook", url=url, secret_token="s-1", allowed_updates=ALL)
        assert (await bot.call("getUpdates", 409))["error_code"] == 409
        await bot.maria("send", channel="telegram", text="after")
        webhooks = other.receiver.webhooks
        await until(lambda: len(webhooks) == 2)
        assert [webhook.document["message"]["text"] for webhook in webhooks] == ["before", "after"]
        assert {webhook.headers["X-Telegram-Bot-Api-Secret-Token"] for webhook in webhooks} == {"s-1"}
        assert (await bot.call("getWebhookInfo"))["result"]["url"] == url
        await bot.call("deleteWebhook")
        assert await bot.updates() == []


@pytest.mark.parametrize("parameters", [{"url": "http://example.org"}, {"url": "https://e.org", "secret_token": "a b"}])
async def test_an_unusable_webhook_is_refused(bot: Bot, parameters: dict[str, str]) -> None:
    assert (await bot.call("setWebhook", 400, **parameters))["error_code"] == 400


async def test_reactions_come_only_to_a_bot_that_asked_for_them() -> None:
    async with simulated(with_callbacks=False) as world:
        await world.post("/phones", 201, handle="maria")
        await world.post("/phones/@maria/send", channel="telegram", text="oi")
        await world.post("/phones/@maria/react", 409)
        await world.call("POST", f"{BOT}/getUpdates", 200, json={"allowed_updates": ["message"]})
        chat_id = (await world.get("/phones/@maria"))["chat_id"]
        await world.call("POST", f"{BOT}/sendMessage", 200, json={"chat_id": chat_id, "text": "hi"})
        await world.post("/phones/@maria/react", emoji="👍")
        updates = (await world.call("POST", f"{BOT}/getUpdates", 200, json={}))["result"]
        assert [sorted(update) for update in updates] == [["message", "update_id"]]


async def test_throttles_name_the_seconds_to_wait() -> None:
    async with simulated(with_callbacks=False, throttle_share=1, retry_after_seconds=1.5) as world:
        await world.post("/phones", 201, handle="maria")
        await world.post("/phones/@maria/send", channel="telegram", text="oi")
        chat_id = (await world.get("/phones/@maria"))["chat_id"]
        answer = await world.call("POST", f"{BOT}/sendMessage", 429, json={"chat_id": chat_id, "text": "hi"})
        assert answer["parameters"] == {"retry_after": 2}
