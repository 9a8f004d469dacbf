"""pywa, which nobody here wrote, sends every kind to the simulator and reads its webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.media import SAMPLES
from support.simulated import MARIA, WHATSAPP, SimulatedWorld, simulated
from support.waiting import until

pywa = pytest.importorskip("pywa_async", reason="pywa is a dependency of the extra judges")
from pywa import errors  # noqa: E402
from pywa_async import WhatsApp, handlers, types  # noqa: E402
from pywa_async.types import templates  # noqa: E402

PHONE = f"/phones/{MARIA}"
pytestmark = pytest.mark.usefixtures("judges")


class Client:
    """pywa's client against a simulator, and the updates that it makes of the simulator's webhooks."""

    def __init__(self, world: SimulatedWorld, session: httpx.AsyncClient) -> None:
        self.world = world
        self.session = session
        self.updates: list[Any] = []
        self.wa: Any = WhatsApp(
            WHATSAPP.number_id,
            WHATSAPP.token,
            session=session,
            server=None,
            app_secret=WHATSAPP.app_secret,
            verify_token=WHATSAPP.verify_token,
        )
        session.base_url = httpx.URL(f"{world.url}/graph/v25.0")
        for kind in (
            handlers.MessageHandler,
            handlers.MessageStatusHandler,
            handlers.CallbackButtonHandler,
            handlers.CallbackSelectionHandler,
            handlers.PhoneNumberChangeHandler,
            handlers.UserMarketingPreferencesHandler,
        ):
            self.wa.add_handlers(kind(self._take))

    async def _take(self, _: object, update: object) -> None:
        self.updates.append(update)

    async def updated(self, count: int) -> list[Any]:
        """Return the first ``count`` updates, made of as many webhooks."""
        webhooks = self.world.receiver.webhooks
        await until(lambda: len(webhooks) >= count)
        for webhook in webhooks:
            signature = webhook.headers["X-Hub-Signature-256"]
            assert await self.wa.webhook_update_validator(webhook.raw, signature) is None
            await self.wa.webhook_update_handler(webhook.raw)
        webhooks.clear()
        assert len(self.updates) >= count
        return self.updates


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with simulated() as world, httpx.AsyncClient() as session:
        yield Client(world, session)


async def test_a_text_and_its_statuses_carry_the_tracker(client: Client) -> None:
    sent = await client.wa.send_message(MARIA, "hi", tracker="conversation\x1fm-1")
    updates = await client.updated(3)
    assert [update.status for update in updates] == ["sent", "delivered", "read"]
    assert {update.tracker for update in updates} == {"conversation\x1fm-1"}
    assert {update.id for update in updates} == {sent.id}
    assert updates[0].from_user.wa_id == MARIA


def _buttons() -> list[Any]:
    return [types.Button(title="Yes", callback_data="y"), types.Button(title="No", callback_data="n")]


def _list() -> Any:
    rows = [types.SectionRow(title="Tea", callback_data="t", description="green")]
    return types.SectionList(button_title="Choose", sections=[types.Section(title="Drinks", rows=rows)])


def _template() -> dict[str, Any]:
    return {
        "name": "order_shipped",
        "language": templates.TemplateLanguage.PORTUGUESE_BR,
        "params": [templates.BodyText.params("42", "tomorrow")],
    }


SENDS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "text": lambda wa: wa.send_message(MARIA, "hi"),
    "interactive": lambda wa: wa.send_message(MARIA, "Coffee?", buttons=_buttons(), header="Hello", footer="bye"),
    "interactive list": lambda wa: wa.send_message(MARIA, "A drink?", buttons=_list()),
    "interactive link": lambda wa: wa.send_message(
        MARIA, "Read", buttons=types.URLButton(title="Open", url="https://example.org")
    ),
    "image": lambda wa: wa.send_image(MARIA, SAMPLES["image"][0], caption="see", mime_type="image/png"),
    "image by link": lambda wa: wa.send_image(MARIA, "https://example.org/a.png"),
    "video": lambda wa: wa.send_video(MARIA, SAMPLES["video"][0], mime_type="video/mp4"),
    "audio": lambda wa: wa.send_audio(MARIA, SAMPLES["audio"][0], mime_type="audio/ogg"),
    "document": lambda wa: wa.send_document(MARIA, SAMPLES["document"][0], filename="a.pdf", caption="the contract"),
    "sticker": lambda wa: wa.send_sticker(MARIA, SAMPLES["sticker"][0], mime_type="image/webp"),
    "location": lambda wa: wa.send_location(MARIA, -23.5, -46.6, name="Sé", address="Praça da Sé"),
    "contacts": lambda wa: wa.send_contact(
        MARIA, types.Contact(name=types.Contact.Name(formatted_name="Ana", first_name="Ana"))
    ),
    "template": lambda wa: wa.send_template(MARIA, **_template()),
}


@pytest.mark.parametrize("label", SENDS)
async def test_each_kind_is_sent_and_shown(client: Client, label: str) -> None:
    sent = await SENDS[label](client.wa)
    [shown] = await client.world.screen()
    assert shown["kind"] == label.partition(" ")[0]
    assert shown["id"] == sent.id
    updates = await client.updated(3)
    assert [update.status for update in updates] == ["sent", "delivered", "read"]


async def test_a_quote_a_reaction_and_a_read_mark(client: Client) -> None:
    await client.world.post("/phones", 201, number=MARIA)
    mine = await client.world.post(f"{PHONE}/send", text="oi")
    await client.wa.send_message(MARIA, "hello", reply_to_message_id=mine["id"])
    await client.wa.send_reaction(MARIA, emoji="❤", message_id=mine["id"])
    await client.wa.mark_message_as_read(mine["id"])
    await client.wa.indicate_typing(mine["id"])
    shown, answer = await client.world.screen()
    assert (shown["reactions"], shown["is_read"], answer["reply_to"]) == ({"account": "❤"}, True, mine["id"])


async def test_somebody_without_a_number_is_sent_to_by_id(client: Client) -> None:
    person = await client.world.post("/phones", 201, handle="maria", hides_number=False, number=MARIA)
    await client.world.post("/phones/@maria/hide-number")
    await client.world.post("/phones/@maria/send", text="oi")
    [message] = await client.updated(1)
    assert (message.from_user.wa_id, message.from_user.bsuid) == (None, person["user_id"])
    assert message.from_user.username == "maria"
    await message.reply("hello")
    assert (await client.world.screen("@maria"))[-1]["text"] == "hello"


WRITES: dict[str, tuple[dict[str, Any], Callable[[Any], object]]] = {
    "text": ({"text": "oi"}, lambda m: m.text),
    "image": ({"kind": "image", "text": "see"}, lambda m: m.image and m.caption),
    "audio": ({"kind": "audio"}, lambda m: m.audio.voice),
    "video": ({"kind": "video"}, lambda m: m.video),
    "document": ({"kind": "document"}, lambda m: m.document.filename == "paper.pdf"),
    "sticker": ({"kind": "sticker"}, lambda m: m.sticker),
    "location": ({"kind": "location", "location": {"latitude": -23.5, "longitude": -46.6}}, lambda m: m.location),
    "contacts": (
        {"kind": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+55 11 9"}]}]},
        lambda m: m.contacts[0].name.formatted_name == "Ana",
    ),
    "unsupported": ({"kind": "unsupported"}, lambda m: m.type == "unsupported"),
}


@pytest.mark.parametrize("label", WRITES)
async def test_each_kind_that_somebody_writes_is_read(client: Client, label: str) -> None:
    document, is_right = WRITES[label]
    await client.world.post("/phones", 201, number=MARIA, name="Maria")
    written = await client.world.post(f"{PHONE}/send", **document)
    [message] = await client.updated(1)
    assert is_right(message)
    assert (message.id, message.from_user.wa_id, message.from_user.name) == (written["id"], MARIA, "Maria")


async def test_a_file_that_somebody_sends_is_fetched(client: Client) -> None:
    await client.world.post("/phones", 201, number=MARIA)
    await client.world.post(f"{PHONE}/send", kind="image")
    [message] = await client.updated(1)
    url = await client.wa.get_media_url(message.image.id)
    assert url.mime_type == "image/png"
    assert await client.wa.get_media_bytes(url.url) == SAMPLES["image"][0]


async def test_what_is_pressed_reacted_quoted_and_changed_is_read(client: Client) -> None:
    sent = await client.wa.send_message(MARIA, "Coffee?", buttons=_buttons())
    await client.world.post(f"{PHONE}/press", button="Yes")
    await client.wa.send_message(MARIA, "A drink?", buttons=_list())
    await client.world.post(f"{PHONE}/press", button="Tea")
    await client.world.post(f"{PHONE}/react", emoji="👍")
    await client.world.post(f"{PHONE}/reply", text="yes", quote=True)
    await client.world.post(f"{PHONE}/opt-out")
    await client.world.post(f"{PHONE}/change-number", number="+5511888880000")
    updates = [u for u in await client.updated(12) if not isinstance(u, types.MessageStatus)]
    pressed, chosen, reaction, reply, preference, change = updates
    assert (pressed.data, pressed.title, pressed.reply_to_message.id) == ("y", "Yes", sent.id)
    assert (chosen.data, chosen.description) == ("t", "green")
    assert reaction.reaction.emoji == "👍"
    assert reply.is_reply
    assert preference.value == "stop"
    assert (change.old_wa_id, change.new_wa_id) == (MARIA, "5511888880000")


FAILURES: dict[str, tuple[Callable[[Any], Awaitable[Any]], type[Exception]]] = {
    "refused": (lambda wa: wa.send_message("12025550101", "hi"), errors.MessageUndeliverable),
    "not allowed": (lambda wa: wa.send_message("12025550102", "hi"), errors.RecipientNotInAllowedList),
    "throttled": (lambda wa: wa.send_message("12025550103", "hi"), errors.TooManyMessages),
    "too long": (lambda wa: wa.send_message(MARIA, "x" * 4097), errors.InvalidParameter),
    "no template": (
        lambda wa: wa.send_template(MARIA, **{**_template(), "name": "does_not_exist"}),
        errors.TemplateNotExists,
    ),
    "paused": (lambda wa: wa.send_template(MARIA, **{**_template(), "name": "is_paused"}), errors.TemplatePaused),
    "parameters": (
        lambda wa: wa.send_template(MARIA, **{**_template(), "name": "needs_one_parameter"}),
        errors.TemplateParamCountMismatch,
    ),
    "itself": (lambda wa: wa.send_message(WHATSAPP.display_number, "hi"), errors.RecipientCannotBeSender),
}


@pytest.mark.parametrize("label", FAILURES)
async def test_each_refusal_is_the_error_that_pywa_knows(client: Client, label: str) -> None:
    call, expected = FAILURES[label]
    with pytest.raises(expected):
        await call(client.wa)


async def test_a_wrong_token_is_an_expired_one(client: Client) -> None:
    client.session.headers["Authorization"] = "Bearer nobody"
    with pytest.raises(errors.ExpiredAccessToken):
        await client.wa.send_message(MARIA, "hi")


async def test_a_late_failure_is_read_from_its_status(client: Client) -> None:
    await client.world.post("/phones", 201, number=MARIA, window="closed")
    await client.wa.send_message(MARIA, "hi")
    failed = (await client.updated(2))[1]
    assert isinstance(failed.error, errors.ReEngagementMessage)


async def test_with_drift_everything_is_still_read() -> None:
    async with simulated(unknown_field_share=1, new_webhook_share=1) as world, httpx.AsyncClient() as session:
        client = Client(world, session)
        await client.wa.send_message(MARIA, "hi")
        await world.post(f"{PHONE}/reply", text="oi")
        updates = await client.updated(4)
        assert {type(update).__name__ for update in updates} == {"MessageStatus", "Message"}


def test_the_folder_of_the_judges_is_there(judges: Path) -> None:
    assert (judges / "meta-business-messaging-v23.yaml").is_file()
