"""python-telegram-bot, which nobody here wrote, sends every kind to the simulator and reads its updates."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from simulator.media import SAMPLES
from support.simulated import TELEGRAM, SimulatedWorld, simulated
from support.waiting import until

telegram = pytest.importorskip("telegram", reason="python-telegram-bot is a dependency of the extra judges")
from telegram import (  # noqa: E402
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    ReactionTypeEmoji,
    ReplyParameters,
    Update,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter  # noqa: E402

pytestmark = pytest.mark.usefixtures("judges")
KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y")]])


class Client:
    """The library's bot against a simulator, and Maria, who wrote to it."""

    def __init__(self, world: SimulatedWorld, bot: Bot, chat_id: int) -> None:
        self.world = world
        self.bot = bot
        self.chat_id = chat_id

    async def maria(self, act: str, **document: object) -> Any:
        return await self.world.post(f"/phones/@maria/{act}", **document)

    async def writes(self, **document: object) -> Any:
        return await self.maria("send", channel="telegram", **document)

    async def updates(self, offset: int = 0) -> list[Any]:
        return list(await self.bot.get_updates(offset=offset, allowed_updates=Update.ALL_TYPES))


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with simulated(with_callbacks=False) as world:
        bot = bot_of(world)
        async with bot:
            person = await world.post("/phones", 201, handle="maria", name="Maria")
            client = Client(world, bot, person["chat_id"])
            await client.writes(text="/start")
            [update] = await client.updates()
            await client.updates(update.update_id + 1)
            yield client


def bot_of(world: SimulatedWorld, token: str = TELEGRAM.token) -> Any:
    return Bot(token, base_url=f"{world.url}/bot", base_file_url=f"{world.url}/file/bot")


SENDS: dict[str, Callable[[Any, int], Awaitable[Any]]] = {
    "text": lambda bot, chat: bot.send_message(chat, "hi", reply_markup=KEYBOARD),
    "location": lambda bot, chat: bot.send_location(chat, -23.5, -46.6),
    "image": lambda bot, chat: bot.send_photo(chat, SAMPLES["image"][0], caption="see"),
    "document": lambda bot, chat: bot.send_document(chat, InputFile(SAMPLES["document"][0], "a.pdf"), caption="see"),
    "audio": lambda bot, chat: bot.send_audio(chat, InputFile(b"ID3", "a.mp3")),
    "video": lambda bot, chat: bot.send_video(chat, SAMPLES["video"][0]),
    "document by link": lambda bot, chat: bot.send_document(chat, "https://example.org/a.pdf"),
}


@pytest.mark.parametrize("label", SENDS)
async def test_each_kind_is_sent_and_shown(client: Client, label: str) -> None:
    sent = await SENDS[label](client.bot, client.chat_id)
    shown = (await client.world.screen("@maria"))[-1]
    assert shown["kind"] == label.partition(" ")[0]
    assert shown["id"] == f"{client.chat_id}:{sent.message_id}"
    assert sent.chat.id == client.chat_id


async def test_a_reply_a_reaction_and_typing(client: Client) -> None:
    sent = await client.bot.send_message(client.chat_id, "hi")
    reply = await client.bot.send_message(client.chat_id, "again", reply_parameters=ReplyParameters(sent.message_id))
    assert reply.reply_to_message.message_id == sent.message_id
    assert await client.bot.set_message_reaction(client.chat_id, sent.message_id, ReactionTypeEmoji("🔥"))
    assert await client.bot.send_chat_action(client.chat_id, "typing")
    assert (await client.bot.get_me()).id == int(TELEGRAM.number_id)


WRITES: dict[str, tuple[dict[str, Any], Callable[[Any], object]]] = {
    "text": ({"text": "oi"}, lambda m: m.text == "oi"),
    "image": ({"kind": "image", "text": "see"}, lambda m: m.photo and m.caption == "see"),
    "voice": ({"kind": "audio"}, lambda m: m.voice),
    "video": ({"kind": "video"}, lambda m: m.video),
    "document": ({"kind": "document"}, lambda m: m.document.file_name == "paper.pdf"),
    "sticker": ({"kind": "sticker"}, lambda m: m.sticker.emoji),
    "place": ({"kind": "location", "location": {"latitude": 1, "longitude": 2}}, lambda m: m.location.latitude == 1),
    "venue": (
        {"kind": "location", "location": {"latitude": 1, "longitude": 2, "name": "Sé"}},
        lambda m: m.venue.title == "Sé",
    ),
    "contact": (
        {"kind": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+55"}]}]},
        lambda m: m.contact.first_name == "Ana",
    ),
    "dice": ({"kind": "unsupported"}, lambda m: m.dice.value),
}


@pytest.mark.parametrize("label", WRITES)
async def test_each_kind_that_somebody_writes_is_read(client: Client, label: str) -> None:
    document, is_right = WRITES[label]
    written = await client.writes(**document)
    [update] = await client.updates()
    assert is_right(update.message)
    assert written["id"] == f"{client.chat_id}:{update.message.message_id}"
    assert (update.effective_user.username, update.effective_chat.type) == ("maria", "private")


async def test_a_file_that_somebody_sends_is_fetched(client: Client) -> None:
    await client.writes(kind="document")
    [update] = await client.updates()
    file = await update.message.document.get_file()
    assert bytes(await file.download_as_bytearray()) == SAMPLES["document"][0]


async def test_what_is_pressed_reacted_quoted_and_blocked_is_read(client: Client) -> None:
    sent = await client.bot.send_message(client.chat_id, "Coffee?", reply_markup=KEYBOARD)
    await client.maria("press", button="Yes")
    await client.maria("react", emoji="👍")
    await client.maria("reply", text="yes", quote=True)
    await client.maria("block", channel="telegram")
    pressed, reaction, reply, member = await client.updates()
    assert (pressed.callback_query.data, pressed.callback_query.message.text) == ("y", "Coffee?")
    assert await pressed.callback_query.answer()
    assert reaction.message_reaction.new_reaction == (ReactionTypeEmoji("👍"),)
    assert reply.message.reply_to_message.message_id == sent.message_id
    assert member.my_chat_member.new_chat_member.status == "kicked"
    with pytest.raises(Forbidden):
        await client.bot.send_message(client.chat_id, "hi")


async def test_a_webhook_is_set_told_and_read(client: Client) -> None:
    async with simulated() as other:
        url = other.simulator.accounts.callbacks["whatsapp", "default"].replace("/whatsapp/", "/telegram/")
        assert await client.bot.set_webhook(url, secret_token="s-1", allowed_updates=Update.ALL_TYPES)
        info = await client.bot.get_webhook_info()
        assert (info.url, info.pending_update_count) == (url, 0)
        with pytest.raises(Conflict):
            await client.updates()
        await client.writes(text="oi")
        webhooks = other.receiver.webhooks
        await until(lambda: len(webhooks) == 1)
        update = Update.de_json(json.loads(webhooks[0].raw), client.bot)
        assert (update.message.text, update.message.from_user.first_name) == ("oi", "Maria")
        assert await client.bot.delete_webhook()


FAILURES: dict[str, tuple[Callable[[Any, int], Awaitable[Any]], type[Exception]]] = {
    "unknown chat": (lambda bot, chat: bot.send_message(1, "hi"), BadRequest),
    "a handle": (lambda bot, chat: bot.send_message("@maria", "hi"), BadRequest),
    "too long": (lambda bot, chat: bot.send_message(chat, "x" * 4097), BadRequest),
    "no file": (lambda bot, chat: bot.get_file("nothing"), BadRequest),
    "a reaction": (lambda bot, chat: bot.set_message_reaction(chat, 1, "🥨"), BadRequest),
}


@pytest.mark.parametrize("label", FAILURES)
async def test_each_refusal_is_the_error_that_the_library_knows(client: Client, label: str) -> None:
    call, expected = FAILURES[label]
    with pytest.raises(expected):
        await call(client.bot, client.chat_id)


async def test_a_wrong_token_is_known_as_one(client: Client) -> None:
    with pytest.raises(InvalidToken):
        await bot_of(client.world, "1:nobody").initialize()


@pytest.mark.parametrize(
    ("chaos", "expected"),
    [
        ({"throttle_share": 1, "retry_after_seconds": 3}, RetryAfter),
        ({"unavailable_share": 1}, NetworkError),
        ({"error_share": 1}, NetworkError),
        ({"html_share": 1}, NetworkError),
        ({"cut_after_share": 1}, NetworkError),
    ],
)
async def test_chaos_is_known_as_such(client: Client, chaos: dict[str, Any], expected: type[Exception]) -> None:
    await client.world.post("/chaos", **chaos)
    with pytest.raises(expected):
        await client.bot.send_message(client.chat_id, "hi")


async def test_with_drift_everything_is_still_read(client: Client) -> None:
    await client.world.post("/chaos", unknown_field_share=1, new_webhook_share=1)
    assert (await client.bot.send_message(client.chat_id, "hi")).text == "hi"
    await client.writes(text="oi")
    message, strange = await client.updates()
    assert message.message.text == "oi"
    assert strange.effective_message is None
