"""The connectors of Telegram and Instagram against the simulator, over HTTP and in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from channels.instagram.connector import InstagramConnector
from channels.instagram.webhooks import PROTOCOL as INSTAGRAM_WEBHOOKS
from channels.telegram.connector import TelegramConnector
from channels.telegram.webhooks import PROTOCOL as TELEGRAM_WEBHOOKS
from domain.attachments import MediaKind, MediaPlan
from domain.files import FileMetadata
from domain.inbound import Happening, InboundEvent, Person
from domain.kinds import INTERACTIVE, LOCATION, REACTION
from domain.outcomes import NotNow, Refusal, Refused, Sent
from domain.ports import Attachment, Connector, WebhookProtocol
from domain.records import DeliveryRequested
from support.simulated import INSTAGRAM, TELEGRAM, SimulatedWorld, simulated
from support.waiting import until

BUTTONS = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]}
DATA = b"%PDF-1.7 a small file"
DEFAULT = DeliveryRequested("m-1", "c-1", "u", "", "hi", None, 1, 0)
TELEGRAM_CHAT, IGSID = "chat_id", "igsid"


class Side:
    """One channel: our connector, and what its parser makes of the webhooks."""

    def __init__(self, world: SimulatedWorld, channel: str, connector: Connector, to: str) -> None:
        self.world = world
        self.channel = channel
        self.connector = connector
        self.to = to
        self.protocol: WebhookProtocol = TELEGRAM_WEBHOOKS if channel == "telegram" else INSTAGRAM_WEBHOOKS
        self.secret = TELEGRAM.secret_token if channel == "telegram" else INSTAGRAM.app_secret

    async def send(self, attachment: Attachment | None = None, **fields: object) -> Any:
        request = replace(DEFAULT, recipient_id=f"{self.channel}:@maria", to=self.to, **fields)
        return await self.connector.send(request, 1, attachment)

    async def sent(self, attachment: Attachment | None = None, **fields: object) -> Sent:
        outcome = await self.send(attachment, **fields)
        assert isinstance(outcome, Sent), outcome
        return outcome

    async def maria(self, act: str, **document: object) -> Any:
        return await self.world.post(f"/phones/@maria/{act}", **document)

    async def screen(self) -> list[dict[str, Any]]:
        return [shown for shown in await self.world.screen("@maria") if shown["from"] == "account"]

    def events(self) -> list[InboundEvent]:
        found: list[InboundEvent] = []
        for received in self.world.receiver.webhooks:
            if not received.path.startswith(f"/webhooks/{self.channel}/"):
                continue
            headers = {name.lower(): value for name, value in received.headers.items()}
            assert self.protocol.is_authentic(headers, received.raw, self.secret)
            found += self.protocol.parse(received.raw, 1)
        return found

    async def told(self, happening: Happening, **fields: object) -> InboundEvent:
        """Wait for an event of this kind with these fields, and return it."""

        def matching() -> list[InboundEvent]:
            return [
                event
                for event in self.events()
                if event.happening == happening and all(getattr(event, name) == one for name, one in fields.items())
            ]

        await until(lambda: bool(matching()))
        return matching()[-1]


def attached(kind: MediaKind, *texts: str, handle: str = "", url: str = "https://files.example/a.pdf") -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield DATA

    metadata = FileMetadata("olá.pdf", len(DATA), "application/pdf", f"sha256:{sha256(DATA).hexdigest()}", "c-1/f-1")
    return Attachment(MediaPlan(kind, "", texts), metadata, url, read, handle)


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated() as world:
        await world.post("/phones", 201, handle="maria", name="Maria")
        yield world


@pytest.fixture
async def telegram(world: SimulatedWorld) -> AsyncIterator[Side]:
    connector = TelegramConnector({"base_url": world.url}, TELEGRAM.token)
    chat_id = (await world.get("/phones/@maria"))["chat_id"]
    side = Side(world, "telegram", connector, str(chat_id))
    await side.maria("send", channel="telegram", text="/start")
    yield side
    await connector.close()


@pytest.fixture
async def instagram(world: SimulatedWorld) -> AsyncIterator[Side]:
    options = {"base_url": f"{world.url}/graph/v25.0", "ig_id": INSTAGRAM.number_id}
    connector = InstagramConnector(options, INSTAGRAM.token)
    igsid = (await world.get("/phones/@maria"))["igsid"]
    side = Side(world, "instagram", connector, str(igsid))
    await side.maria("send", channel="instagram", text="oi")
    yield side
    await connector.close()


@pytest.fixture(params=["telegram", "instagram"])
def side(request: pytest.FixtureRequest) -> Side:
    side: Side = request.getfixturevalue(request.param)
    return side


async def test_a_text_goes_out_and_an_answer_that_quotes_it_comes_in(side: Side) -> None:
    sent = await side.sent(content="Olá, Maria!")
    assert [shown["text"] for shown in await side.screen()] == ["Olá, Maria!"]
    assert sent.to == side.to
    await side.maria("reply", text="oi!", quote=True)
    event = await side.told(Happening.MESSAGE, content="oi!")
    assert (event.target_id, event.person.user_id) == (sent.provider_id, side.to)
    reply = await side.sent(content="tudo bem?", target_id=event.element_id)
    assert reply.provider_id != sent.provider_id


async def test_pressed_buttons_and_reactions_come_in_with_their_target(side: Side) -> None:
    sent = await side.sent(content="Coffee?", kind=INTERACTIVE, body=BUTTONS)
    await side.maria("react", emoji="👍")
    reaction = await side.told(Happening.REACTION)
    assert (reaction.target_id, reaction.body) == (sent.provider_id, {"emoji": "👍"})
    await side.maria("press", button="y")
    pressed = await side.told(Happening.MESSAGE, kind="button_reply")
    assert pressed.body == {"id": "y", "title": "Yes"}
    if side.channel == "telegram":
        assert pressed.target_id == sent.provider_id
        await side.connector.acknowledge(pressed.element_id)


async def test_we_react_to_what_a_person_wrote(side: Side) -> None:
    await side.maria("send", channel=side.channel, text="I am here")
    theirs = await side.told(Happening.MESSAGE, content="I am here")
    for emoji in ("❤️", ""):
        await side.sent(kind=REACTION, body={"message_id": "m-0", "emoji": emoji}, target_id=theirs.element_id)


async def test_each_kind_of_file_goes_out(side: Side) -> None:
    kinds = [MediaKind.IMAGE, MediaKind.AUDIO, MediaKind.VIDEO]
    if side.channel == "telegram":
        kinds.append(MediaKind.DOCUMENT)
    for kind in kinds:
        handle = await side.connector.upload(attached(kind))
        await side.sent(attached(kind, "and a text", handle=handle))
    assert len(await side.screen()) == 2 * len(kinds)


async def test_files_of_people_are_fetched(side: Side) -> None:
    for kind in ("image", "audio", "video", "document"):
        await side.maria("send", channel=side.channel, kind=kind)
    await until(lambda: sum(bool(event.media) for event in side.events()) == 4)
    for event in side.events():
        for media in event.media:
            fetched = [chunk async for chunk in side.connector.fetch(media, 10_000_000)]
            assert sum(map(len, fetched)) > 0
            assert media.kind in ("image", "audio", "video", "document")


async def test_places_go_to_telegram_as_places(telegram: Side) -> None:
    await telegram.sent(kind=LOCATION, content="", body={"latitude": -23.5, "longitude": -46.6, "name": "Sé"})
    assert len(await telegram.screen()) == 2


async def test_blocking_is_told_at_once_or_by_the_next_send(side: Side) -> None:
    await side.maria("block", channel=side.channel)
    refused = await side.send()
    assert isinstance(refused, Refused)
    if side.channel == "telegram":
        assert refused.kind is Refusal.OPTED_OUT
        await side.told(Happening.OPT_OUT)
        await side.maria("unblock", channel="telegram")
        await side.told(Happening.OPT_IN)
        await side.sent()


async def test_a_reading_person_is_a_receipt_on_instagram(instagram: Side) -> None:
    sent = await instagram.sent()
    receipt = await instagram.told(Happening.RECEIPT)
    assert (receipt.target_id, receipt.status) == (sent.provider_id, "READ")


async def test_instagram_tells_who_wrote(instagram: Side) -> None:
    assert await instagram.connector.profile(instagram.to) == Person(
        user_id=instagram.to, handle="@maria", name="Maria"
    )


async def test_the_window_of_instagram_is_told_from_other_refusals(world: SimulatedWorld, instagram: Side) -> None:
    stranger = (await world.post("/phones", 201, handle="joao", name="João"))["igsid"]
    refused = await instagram.connector.send(replace(DEFAULT, recipient_id="instagram:@joao", to=str(stranger)), 1)
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.PERMANENT


async def test_a_throttled_account_waits_as_long_as_the_channel_says(side: Side) -> None:
    await side.world.post("/chaos", throttle_share=1, retry_after_seconds=7)
    outcome = await side.send()
    assert isinstance(outcome, NotNow)
    assert outcome.is_throttling
    if side.channel == "telegram":
        assert outcome.after_seconds == 7
    await side.world.post("/chaos", throttle_share=0)
    await side.sent()


async def test_a_wrong_token_is_the_accounts_fault(world: SimulatedWorld, side: Side) -> None:
    if side.channel == "telegram":
        connector: Any = TelegramConnector({"base_url": world.url}, "1:wrong-token")
    else:
        connector = InstagramConnector({"base_url": f"{world.url}/graph/v25.0"}, "wrong-token")
    refused = await connector.send(replace(DEFAULT, recipient_id=f"{side.channel}:1", to=side.to), 1)
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.AUTHENTICATION
    await connector.close()


async def test_every_element_that_a_person_makes_has_a_known_outcome(side: Side) -> None:
    for kind in ("sticker", "unsupported"):
        await side.maria("send", channel=side.channel, kind=kind)
    await side.maria("send", channel=side.channel, kind="contacts", contacts=[{"name": {"formatted_name": "Bia"}}])
    await until(lambda: sum(event.happening == Happening.MESSAGE for event in side.events()) == 4)
    assert all(event.happening != Happening.UNKNOWN for event in side.events())


async def test_telegrams_updates_are_polled_over_http() -> None:
    async with simulated(with_callbacks=False) as world:
        await world.post("/phones", 201, handle="maria", name="Maria")
        connector = TelegramConnector({"base_url": world.url, "updates": "polling"}, TELEGRAM.token)
        await world.post("/phones/@maria/send", channel="telegram", text="oi")
        polled = await connector.poll(0)
        (event,) = [event for body in polled.updates for event in TELEGRAM_WEBHOOKS.parse(body, 1)]
        assert (event.content, event.person.handle) == ("oi", "@maria")
        await world.post("/phones/@maria/send", channel="telegram", text="again")
        polled = await connector.poll(polled.next_offset)
        (event,) = [event for body in polled.updates for event in TELEGRAM_WEBHOOKS.parse(body, 1)]
        assert event.content == "again"
        await connector.close()
