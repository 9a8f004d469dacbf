"""Telegram's connector before its judges: the Bot API's description, and python-telegram-bot.

The description leaves out the limits of texts and keyboards, and which of two files in a message counts: those are
tested by hand (tests/unit/test_telegram_*.py).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.telegram.connector import TelegramConnector
from channels.telegram.messages import FILES
from channels.telegram.webhooks import ALLOWED_UPDATES, PROTOCOL
from domain.attachments import MediaKind, MediaPlan
from domain.files import FileMetadata
from domain.inbound import Happening, InboundEvent, Media
from domain.kinds import INTERACTIVE, LOCATION, REACTION, UNSUPPORTED
from domain.outcomes import Sent
from domain.ports import Attachment
from domain.records import DeliveryRequested
from support.bot_api import TOKEN
from support.bot_api import BotApi as Server

from .bot_api import BotApi

REQUEST = DeliveryRequested("m-1", "c-1", "u", "telegram:123", "hi", None, 1, 0)
PLACE = {"latitude": -23.5, "longitude": -46.6}
ROWS = [{"id": "p", "title": "Pizza", "description": "hot"}, {"id": "s", "title": "Soup"}]
BODIES = {
    "buttons": {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}]},
    "list": {"kind": "list", "button": "B", "sections": [{"title": "Food", "rows": ROWS}]},
    "link": {"kind": "link", "title": "Open", "url": "https://example.org"},
}
MESSAGES: dict[str, dict[str, Any]] = {
    "text": {},
    "reply": {"target_id": "123:41"},
    **{name: {"kind": INTERACTIVE, "body": body} for name, body in BODIES.items()},
    "point": {"kind": LOCATION, "body": PLACE, "target_id": "123:41"},
    "place": {"kind": LOCATION, "body": {**PLACE, "name": "Here"}},
    "venue": {"kind": LOCATION, "body": {**PLACE, "name": "Here", "address": "Street 1"}},
    "reaction": {"kind": REACTION, "body": {"message_id": "m", "emoji": "👍"}, "target_id": "123:41"},
    "no reaction": {"kind": REACTION, "body": {"message_id": "m", "emoji": ""}, "target_id": "123:41"},
}


@pytest.fixture(scope="module")
def api(judges: Path) -> BotApi:
    return BotApi(judges)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.server.start_server()
    yield server
    await server.server.close()


@pytest.fixture
async def connector(server: Server) -> AsyncIterator[TelegramConnector]:
    connector = TelegramConnector({"base_url": server.url, "storage_chat": "-1009"}, TOKEN)
    yield connector
    await connector.close()


def attached(kind: MediaKind, handle: str = "") -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield b"data"

    metadata = FileMetadata("a.bin", 4, "image/png", f"sha256:{sha256(b'data').hexdigest()}", "c-1/f-1")
    return Attachment(MediaPlan(kind, "caption", ("a long text",)), metadata, "https://files.example/a", read, handle)


def judged(api: BotApi, server: Server) -> None:
    assert server.calls
    for call in server.calls:
        assert api.call_faults(call.method, call.parameters, set(call.files)) == []


@pytest.mark.parametrize("name", MESSAGES)
async def test_each_kind_of_message(api: BotApi, server: Server, connector: TelegramConnector, name: str) -> None:
    assert isinstance(await connector.send(replace(REQUEST, **MESSAGES[name]), 1), Sent)
    judged(api, server)


@pytest.mark.parametrize("handle", ["", "a file id"])
@pytest.mark.parametrize("kind", FILES)
async def test_each_kind_of_file(
    api: BotApi, server: Server, connector: TelegramConnector, kind: MediaKind, handle: str
) -> None:
    await connector.upload(attached(kind))
    assert isinstance(await connector.send(replace(REQUEST, target_id="123:41"), 1, attached(kind, handle)), Sent)
    judged(api, server)


async def test_everything_else_that_is_called(api: BotApi, server: Server, connector: TelegramConnector) -> None:
    await connector.mark_read("123:41 callback q7", is_typing=True)
    await connector.acknowledge("123:41 callback q7")
    for offset in (0, 7):
        await connector.poll(offset)
    with pytest.raises(Exception, match="Telegram"):
        async for _ in connector.fetch(Media(id="f"), 10):
            pass
    assert {call.method for call in server.calls} == {
        "answerCallbackQuery",
        "sendChatAction",
        "getUpdates",
        "getFile",
    }
    judged(api, server)


def test_the_updates_that_are_asked_for_exist(api: BotApi) -> None:
    assert set(ALLOWED_UPDATES) <= {field["name"] for field in api.types["Update"]["fields"]}


# Updates ------------------------------------------------------------------------------------------------------------


class Maker:
    """Makes values of the description's types: required fields, and those that ``wanted`` names at the top."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    def value(self, types: list[str], depth: int = 0) -> st.SearchStrategy[Any]:
        return self.of(types[0], depth)

    def of(self, name: str, depth: int = 0, wanted: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
        plain: dict[str, st.SearchStrategy[Any]] = {
            "Integer": st.integers(1, 2**52 - 1),
            "String": st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
            "Boolean": st.booleans(),
            "True": st.just(True),
            "Float": st.floats(-80, 80),
        }
        if name in plain:
            return plain[name]
        if name.startswith("Array of "):
            inner = self.of(name.removeprefix("Array of "), depth + 1)
            return st.lists(inner, min_size=1, max_size=2) if depth < 6 else st.just([])
        described = self._api.types[name]
        if described.get("subtypes"):
            names = described["subtypes"] if depth < 4 else described["subtypes"][:1]
            return st.sampled_from(names).flatmap(lambda one: self.of(one, depth + 1, wanted))
        fields = {
            field["name"]: self._field(field, depth)
            for field in described.get("fields", [])
            if field["required"] or field["name"] in wanted
        }
        return st.fixed_dictionaries(fields)

    def _field(self, field: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
        if field["name"] == "type" and "Type of the chat" in field["description"]:
            return st.sampled_from(["private", "group", "supergroup", "channel"])
        for words in ("always “", 'always "'):
            if words in field["description"]:
                return st.just(field["description"].split(words)[1].rstrip('”"').split("”")[0].split('"')[0])
        return self.value(field["types"], depth + 1)


def events_of(update: dict[str, Any]) -> list[InboundEvent]:
    return list(PROTOCOL.parse(json.dumps(update).encode(), 1))


def update_fields(api: BotApi) -> Iterator[str]:
    yield from (field["name"] for field in api.types["Update"]["fields"] if field["name"] != "update_id")


def optional_fields(api: BotApi, name: str) -> Iterator[str]:
    yield from (field["name"] for field in api.types[name]["fields"] if not field["required"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_each_described_update_is_one_known_event(api: BotApi, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(update_fields(api))))
    kind = next(each for each in api.types["Update"]["fields"] if each["name"] == field)["types"][0]
    wanted = tuple(data.draw(st.lists(st.sampled_from([*optional_fields(api, kind), "message"]), max_size=3)))
    element = data.draw(Maker(api).of(kind, 0, wanted))
    update = {"update_id": data.draw(st.integers(1, 2**31)), field: element}
    (event,) = events_of(update)
    assert event.happening != Happening.UNKNOWN, event.detail
    if field in ("message", "edited_message"):
        assert event.element_id.startswith(f"{element['chat']['id']}:{element['message_id']}")
    if event.happening == Happening.MESSAGE:
        assert event.person.user_id == str(element.get("chat", {}).get("id") or event.element_id.partition(":")[0])
    if event.kind == UNSUPPORTED:
        assert event.body["type"]


def test_each_field_of_a_message_has_its_kind(api: BotApi) -> None:
    """Nothing that a message may hold is shown as an empty text, and only news of the chat is ignored."""
    maker = Maker(api)
    for name in optional_fields(api, "Message"):
        message = maker.of("Message", 0, (name,)).example()
        (event,) = events_of({"update_id": 1, "message": {**message, "chat": {"id": 7, "type": "private"}}})
        assert event.happening in (Happening.MESSAGE, Happening.IGNORED, Happening.IDENTITY), name
        if event.kind == UNSUPPORTED and event.happening == Happening.MESSAGE:
            assert event.body["type"] in (name, "message"), name


test_each_field_of_a_message_has_its_kind = pytest.mark.filterwarnings(
    "ignore::hypothesis.errors.NonInteractiveExampleWarning"
)(test_each_field_of_a_message_has_its_kind)


# python-telegram-bot ------------------------------------------------------------------------------------------------

ANA = {"id": 123, "is_bot": False, "first_name": "Ana", "username": "ana"}
CHAT = {"id": 123, "type": "private", "first_name": "Ana", "username": "ana"}
SIZE = {"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}
FILE = {"file_id": "f", "file_unique_id": "u"}
STICKER = {**SIZE, "type": "regular", "is_animated": False, "is_video": False, "emoji": "😀"}
CONTENTS: dict[str, dict[str, Any]] = {
    "text": {"text": "oi"},
    "reply": {"text": "oi", "reply_to_message": {"message_id": 40, "date": 1, "chat": CHAT}},
    "photo": {"photo": [SIZE, {**SIZE, "file_id": "large", "width": 9}], "caption": "sea"},
    "voice": {"voice": {**FILE, "duration": 1}},
    "audio": {"audio": {**FILE, "duration": 1}},
    "video": {"video": {**SIZE, "duration": 1}},
    "video_note": {"video_note": {**FILE, "length": 1, "duration": 1}},
    "document": {"document": {**FILE, "file_name": "a.pdf"}},
    "animation": {"animation": {**SIZE, "duration": 1}, "document": FILE},
    "sticker": {"sticker": STICKER},
    "location": {"location": PLACE},
    "venue": {"location": PLACE, "venue": {"location": PLACE, "title": "Here", "address": "Street 1"}},
    "contact": {"contact": {"phone_number": "+55", "first_name": "Bia"}},
    "dice": {"dice": {"emoji": "🎲", "value": 4}},
}


def message(**fields: object) -> dict[str, Any]:
    return {"message_id": 41, "date": 1441645532, "chat": CHAT, "from": ANA, **fields}


def read(update: dict[str, Any]) -> Any:
    telegram = pytest.importorskip("telegram", reason="python-telegram-bot is a dependency of the extra judges")
    return telegram.Update.de_json({"update_id": 10, **update}, None)


@pytest.mark.usefixtures("judges")
@pytest.mark.parametrize("field", ["message", "edited_message"])
@pytest.mark.parametrize("name", CONTENTS)
def test_the_library_reads_the_same_of_a_message(name: str, field: str) -> None:
    update = {field: message(**CONTENTS[name], **({"edit_date": 1441645600} if field == "edited_message" else {}))}
    theirs, (ours,) = read(update), events_of({"update_id": 10, **update})
    assert ours.element_id.split()[0] == f"{theirs.effective_chat.id}:{theirs.effective_message.message_id}"
    if ours.happening == Happening.IGNORED:  # a step of a live location
        assert (name, field) == ("location", "edited_message")
        return
    assert ours.person.user_id == str(theirs.effective_chat.id)
    assert ours.person.handle == f"@{theirs.effective_user.username}"
    their_words = theirs.effective_message.text or theirs.effective_message.caption or ""
    if ours.kind in ("text", "contacts", "location"):
        assert ours.content == their_words
    found = theirs.effective_message.effective_attachment
    if ours.media:
        largest = found[-1] if isinstance(found, list | tuple) else found
        assert ours.media[0].id == largest.file_id
    elif ours.kind == "text":
        assert found is None
    if field == "message" and theirs.effective_message.reply_to_message is not None:
        assert ours.target_id.endswith(f":{theirs.effective_message.reply_to_message.message_id}")


@pytest.mark.usefixtures("judges")
def test_the_library_reads_the_same_of_the_other_updates() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    query = {"id": "q", "from": ANA, "chat_instance": "1", "data": "y", "message": message(reply_markup=keyboard)}
    theirs, (ours,) = read({"callback_query": query}), events_of({"update_id": 10, "callback_query": query})
    assert ours.element_id == f"{theirs.effective_chat.id}:{theirs.effective_message.message_id} callback {query['id']}"
    assert ours.body == {"id": theirs.callback_query.data, "title": "Yes"}

    reaction = {
        "chat": CHAT,
        "message_id": 41,
        "user": ANA,
        "date": 1441645532,
        "old_reaction": [],
        "new_reaction": [{"type": "emoji", "emoji": "👍"}],
    }
    theirs, (ours,) = read({"message_reaction": reaction}), events_of({"update_id": 10, "message_reaction": reaction})
    assert ours.target_id == f"{theirs.effective_chat.id}:{theirs.message_reaction.message_id}"
    assert ours.body["emoji"] == theirs.message_reaction.new_reaction[0].emoji
    assert ours.at_ms == theirs.message_reaction.date.timestamp() * 1000

    for status, happening in (("kicked", Happening.OPT_OUT), ("member", Happening.OPT_IN)):
        member = {"status": status, "user": ANA, **({"until_date": 0} if status == "kicked" else {})}
        change = {"chat": CHAT, "from": ANA, "date": 5, "old_chat_member": member, "new_chat_member": member}
        theirs, (ours,) = read({"my_chat_member": change}), events_of({"update_id": 10, "my_chat_member": change})
        assert theirs.my_chat_member.new_chat_member.status == status
        assert (ours.happening, ours.person.user_id) == (happening, str(theirs.effective_chat.id))


@pytest.mark.usefixtures("judges")
def test_every_update_that_the_library_knows_is_known() -> None:
    telegram = pytest.importorskip("telegram", reason="python-telegram-bot is a dependency of the extra judges")
    for name in telegram.Update.ALL_TYPES:
        (event,) = events_of({"update_id": 10, name: {"chat": CHAT, "message_id": 41, "id": "q", "from": ANA}})
        assert event.happening != Happening.UNKNOWN or name == "my_chat_member", name
