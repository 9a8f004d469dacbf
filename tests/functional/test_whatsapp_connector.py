"""WhatsApp's connector over HTTP: against the simulator in both directions, and against a server that misbehaves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest

from channels.whatsapp.connector import WhatsAppConnector
from channels.whatsapp.webhooks import PROTOCOL, failure_of
from domain.attachments import MediaKind, MediaPlan
from domain.correlation import split_token, token_of
from domain.errors import DeliveryFailed
from domain.files import FileMetadata
from domain.inbound import Happening, InboundEvent
from domain.outcomes import NotNow, Refusal, Refused, Scope, Sent, Unknown
from domain.ports import Attachment, HistoryConnector
from domain.records import DeliveryRequested
from domain.status import Status
from support.simulated import MARIA, WHATSAPP, SimulatedWorld, simulated
from support.waiting import until

REQUEST = DeliveryRequested("m-1", "c-1", "u", f"whatsapp:+{MARIA}", "hi", None, 1, 0)
PHONE = f"/phones/{MARIA}"
PNG = b"\x89PNG" + b"x" * 70_000


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated() as world:
        yield world


@pytest.fixture
async def connector(world: SimulatedWorld) -> AsyncIterator[WhatsAppConnector]:
    connector = connector_to(world.url)
    yield connector
    await connector.close()


def connector_to(url: str, token: str = WHATSAPP.token) -> WhatsAppConnector:
    options = {"phone_number_id": WHATSAPP.number_id, "base_url": f"{url}/graph/v26.0"}
    return WhatsAppConnector(options, token)


def events(world: SimulatedWorld) -> list[InboundEvent]:
    """Return what our parser finds in all webhooks, each of which must be authentic."""
    found: list[InboundEvent] = []
    for webhook in world.receiver.webhooks:
        headers = {name.lower(): value for name, value in webhook.headers.items()}
        assert PROTOCOL.is_authentic(headers, webhook.raw, WHATSAPP.app_secret)
        assert not PROTOCOL.is_authentic(headers, webhook.raw + b" ", WHATSAPP.app_secret)
        found += PROTOCOL.parse(webhook.raw, time.time_ns() // 1_000_000)
    return found


def file_of(content: bytes, kind: MediaKind, name: str, mimetype: str, caption: str = "") -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield content[:1000]
        yield content[1000:]

    metadata = FileMetadata(name, len(content), mimetype, f"sha256:{sha256(content).hexdigest()}", "k")
    return Attachment(MediaPlan(kind, caption), metadata, "https://files.example.org/1", read)


async def test_a_text_is_sent_and_its_receipts_name_the_delivery(
    world: SimulatedWorld, connector: WhatsAppConnector
) -> None:
    outcome = await connector.send(REQUEST, 1)
    assert isinstance(outcome, Sent)
    assert outcome.to == f"+{MARIA}"
    assert outcome.exchange is not None
    assert outcome.exchange.status == 200
    assert outcome.exchange.duration_ms >= outcome.exchange.first_byte_ms >= 0
    await until(lambda: len(events(world)) == 3)
    receipts = events(world)
    assert [receipt.status for receipt in receipts] == [Status.SENT, Status.DELIVERED, Status.READ]
    assert {receipt.happening for receipt in receipts} == {Happening.RECEIPT}
    assert {receipt.token for receipt in receipts} == {token_of(REQUEST)}
    assert split_token(receipts[0].token) == ("c-1", "m-1")
    assert {receipt.target_id for receipt in receipts} == {outcome.provider_id}
    assert {receipt.our_id for receipt in receipts} == {WHATSAPP.number_id}
    assert receipts[0].person.phone == f"+{MARIA}"


async def test_history_tells_what_receipts_would(world: SimulatedWorld, connector: WhatsAppConnector) -> None:
    outcome = await connector.send(REQUEST, 1)
    assert isinstance(outcome, Sent)
    await until(lambda: len(events(world)) == 3)
    assert isinstance(connector, HistoryConnector)
    found = await connector.history(outcome.provider_id)
    assert [receipt.status for receipt in found] == [Status.SENT, Status.DELIVERED, Status.READ]
    assert await connector.history("wamid.nobodys") == ()
    assert isinstance(await connector.look_up(REQUEST, 1), Unknown)


async def test_a_failure_in_the_history_has_its_code_and_its_words(
    world: SimulatedWorld, connector: WhatsAppConnector
) -> None:
    outcome = await connector.send(REQUEST, 1)
    assert isinstance(outcome, Sent)
    await until(lambda: len(events(world)) == 3)
    [taken] = world.simulator.books.taken.values()
    taken.events[-1].status, taken.events[-1].code = "FAILED", 131026
    found = await connector.history(outcome.provider_id)
    assert (found[-1].status, found[-1].failure_code) == (Status.FAILED, "undeliverable")


@pytest.mark.parametrize(
    ("described", "code"),
    [("(131026)", "undeliverable"), ("Error 131049: held back, 24 hours", "held-back"), ("123456", "failed")],
)
def test_the_number_of_a_known_error_in_a_description_is_its_code(described: str, code: str) -> None:
    assert failure_of(Status.FAILED, {"error_description": described}) == (code, described)
    assert failure_of(Status.READ, {"error_description": described}) == (None, None)
    assert failure_of(Status.FAILED, {})[0] == "failed"


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        ("template", {"name": "order", "language": "pt_BR", "parameters": {"body": ["x"], "header": ["y"]}}, "order"),
        (
            "template",
            {"name": "order", "language": "pt_BR", "parameters": {"body": {"day": "x"}, "buttons": ["z"]}},
            "order",
        ),
        ("interactive", {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}]}, "hi"),
        (
            "interactive",
            {
                "kind": "list",
                "button": "Open",
                "sections": [{"title": "A", "rows": [{"id": "1", "title": "One", "description": "first"}]}],
            },
            "hi",
        ),
        ("interactive", {"kind": "link", "title": "Open", "url": "https://example.org"}, "hi"),
        ("location", {"latitude": -23.55, "longitude": -46.63, "name": "Sé", "address": "Praça da Sé"}, "Sé"),
    ],
)
async def test_each_kind_is_taken(
    world: SimulatedWorld, connector: WhatsAppConnector, kind: str, body: dict[str, object], shown: str
) -> None:
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/send", text="oi")
    content = "" if kind in ("template", "location") else "hi"
    outcome = await connector.send(replace(REQUEST, kind=kind, body=body, content=content), 1)
    assert isinstance(outcome, Sent), outcome
    last = (await world.screen())[-1]
    assert last["kind"] == kind
    assert shown in last["text"]


async def test_a_person_writes_quotes_reacts_and_presses(world: SimulatedWorld, connector: WhatsAppConnector) -> None:
    body = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}]}
    outcome = await connector.send(replace(REQUEST, kind="interactive", body=body), 1)
    assert isinstance(outcome, Sent)
    await world.post(f"{PHONE}/reply", text="why?", quote=True)
    await world.post(f"{PHONE}/press", button="y")
    await world.post(f"{PHONE}/react", emoji="👍")
    await until(lambda: len([e for e in events(world) if e.happening != Happening.RECEIPT]) == 3)
    reply, pressed, reaction = (e for e in events(world) if e.happening != Happening.RECEIPT)
    assert (reply.kind, reply.content, reply.target_id) == ("text", "why?", outcome.provider_id)
    assert (pressed.kind, pressed.body, pressed.content) == ("button_reply", {"id": "y", "title": "Yes"}, "Yes")
    assert (reaction.happening, reaction.body) == (Happening.REACTION, {"emoji": "👍"})
    assert reply.person.phone == f"+{MARIA}"
    assert reply.person.user_id.startswith("BR.")
    await connector.mark_read(reply.element_id, is_typing=True)
    quoting = replace(REQUEST, message_id="m-2", target_id=reply.element_id)
    assert isinstance(await connector.send(quoting, 1), Sent)
    thumbs = replace(REQUEST, kind="reaction", content="", body={"message_id": "x", "emoji": "❤"})
    assert isinstance(await connector.send(replace(thumbs, target_id=reply.element_id), 1), Sent)
    assert isinstance(await connector.send(thumbs, 1), Refused)


async def test_a_person_without_a_number_is_answered_by_the_business_scoped_id(
    world: SimulatedWorld, connector: WhatsAppConnector
) -> None:
    await world.post("/phones", 201, number=MARIA, handle="maria")
    await world.post(f"{PHONE}/hide-number")
    await world.post(f"{PHONE}/send", text="oi")
    await until(lambda: events(world))
    [event] = events(world)
    assert (event.person.phone, event.person.handle) == ("", "@maria")
    outcome = await connector.send(replace(REQUEST, recipient_id=f"whatsapp:{event.person.user_id}"), 1)
    assert isinstance(outcome, Sent)
    assert outcome.to == event.person.user_id


async def test_a_number_that_changes_and_an_opt_out_are_told(
    world: SimulatedWorld, connector: WhatsAppConnector
) -> None:
    assert isinstance(await connector.send(REQUEST, 1), Sent)
    await world.post(f"{PHONE}/change-number", number="5511888880000")
    await world.post("/phones/5511888880000/opt-out")
    await world.post("/phones/5511888880000/opt-out", out=False)
    await until(lambda: len(events(world)) == 6)
    changed, left, back = (event for event in events(world) if event.happening != Happening.RECEIPT)
    assert changed.happening == Happening.IDENTITY
    assert (changed.former.phone, changed.person.phone) == (f"+{MARIA}", "+5511888880000")
    assert (left.happening, back.happening) == (Happening.OPT_OUT, Happening.OPT_IN)


async def test_a_file_goes_once_and_is_named_by_its_id(world: SimulatedWorld, connector: WhatsAppConnector) -> None:
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/send", text="oi")
    image = file_of(PNG, MediaKind.IMAGE, "a.png", "image/png", "look")
    handle = await connector.upload(image)
    assert isinstance(await connector.send(REQUEST, 1, replace(image, handle=handle)), Sent)
    last = (await world.screen())[-1]
    assert (last["kind"], last["text"]) == ("image", "look")
    link = file_of(PNG, MediaKind.DOCUMENT, "a.pdf", "application/pdf")
    assert isinstance(await connector.send(REQUEST, 1, link), Sent)


@pytest.mark.parametrize("is_uploaded", [True, False], ids=["by id", "by link"])
@pytest.mark.parametrize(
    ("kind", "name", "mimetype"),
    [
        (MediaKind.IMAGE, "a.png", "image/png"),
        (MediaKind.VIDEO, "a.mp4", "video/mp4"),
        (MediaKind.DOCUMENT, "a.pdf", "application/pdf"),
    ],
)
async def test_a_template_with_a_file_as_its_header_arrives_outside_the_window(
    world: SimulatedWorld, connector: WhatsAppConnector, kind: MediaKind, name: str, mimetype: str, is_uploaded: bool
) -> None:
    await world.post("/phones", 201, number=MARIA, window="closed")
    file = file_of(PNG, kind, name, mimetype)
    if is_uploaded:
        file = replace(file, handle=await connector.upload(file))
    body = {"name": "order", "language": "pt_BR", "parameters": {"body": ["Ana"]}}
    outcome = await connector.send(replace(REQUEST, kind="template", body=body, content=""), 1, file)
    assert isinstance(outcome, Sent), outcome
    last = (await world.screen())[-1]
    assert (last["kind"], last["text"]) == ("template", f"order · [{kind}] · Ana")
    [taken] = world.simulator.books.taken.values()
    header, _ = taken.message.content.data["components"]
    assert header["parameters"][0]["type"] == str(kind)
    assert ("id" in header["parameters"][0][str(kind)]) == is_uploaded
    unknown = replace(file, handle="987")
    again = replace(REQUEST, message_id="m-2", kind="template", body=body, content="")
    assert isinstance(await connector.send(again, 1, unknown), Refused)
    await until(lambda: [e.status for e in events(world)][:2] == [Status.SENT, Status.DELIVERED])


async def test_an_inbound_file_is_fetched_whole_and_within_limits(
    world: SimulatedWorld, connector: WhatsAppConnector
) -> None:
    await world.post("/phones", 201, number=MARIA)
    await world.post(f"{PHONE}/send", kind="image", text="look")
    await until(lambda: events(world))
    [event] = events(world)
    [media] = event.media
    content = b"".join([chunk async for chunk in connector.fetch(media, 1_000_000)])
    assert sha256(content).hexdigest() == media.sha256
    assert (event.content, media.kind) == ("look", "image")
    for changed, most, reason in (
        (media, len(content) - 1, "file-too-large"),
        (replace(media, sha256="0" * 64), 1_000_000, "file-corrupt"),
        (replace(media, id="999"), 1_000_000, "file-missing"),
    ):
        with pytest.raises(DeliveryFailed) as caught:
            [chunk async for chunk in connector.fetch(changed, most)]
        assert caught.value.reason == reason


async def test_what_the_account_may_not_do_is_refused(world: SimulatedWorld, connector: WhatsAppConnector) -> None:
    stranger = connector_to(world.url, "another-token")
    outcome = await stranger.send(REQUEST, 1)
    await stranger.close()
    assert isinstance(outcome, Refused)
    assert outcome.kind is Refusal.AUTHENTICATION
    nobody = await connector.send(replace(REQUEST, recipient_id="whatsapp:@maria"), 1)
    assert isinstance(nobody, Refused)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttle_share", NotNow),
        ("unavailable_share", NotNow),
        ("refuse_share", Refused),
        ("unauthorized_share", Refused),
        ("html_share", Unknown),
        ("bad_json_share", Unknown),
        ("cut_before_share", Unknown),
        ("cut_after_share", Unknown),
    ],
)
async def test_each_fault_has_its_outcome(fault: str, expected: type) -> None:
    async with simulated(**{fault: 1.0, "retry_after_seconds": 7.0}) as world:
        connector = connector_to(world.url)
        outcome = await connector.send(REQUEST, 1)
        await connector.close()
    assert type(outcome) is expected, outcome
    if isinstance(outcome, NotNow):
        assert outcome.scope in (Scope.ACCOUNT, Scope.PAIR, Scope.MESSAGE)


@pytest.mark.parametrize(
    ("options", "token"),
    [
        ({}, "t"),
        ({"phone_number_id": "+5511"}, "t"),
        ({"phone_number_id": "1"}, "with space"),
        ({"phone_number_id": "1", "base_url": "x"}, "tttt"),
    ],
)
def test_an_unusable_account_is_refused(options: dict[str, str], token: str) -> None:
    with pytest.raises(ValueError, match=r"phone_number_id|token|url"):
        WhatsAppConnector(options, token)


@pytest.mark.parametrize(
    ("url", "has_token"),
    [
        ("{base}/graph/v26.0/files/1", True),
        ("{base}/elsewhere", True),
        ("http://127.0.0.1:9/files/1", False),
        ("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", True),
        ("https://mmg.whatsapp.net/v/1", True),
        ("http://lookaside.fbsbx.com/1", False),
        ("https://fbsbx.com.example.org/1", False),
        ("https://evilfbsbx.com/1", False),
        ("https://user@example.org/fbsbx.com", False),
        ("https://[lookaside.fbsbx.com", False),
    ],
)
def test_the_token_goes_to_metas_hosts_alone(url: str, has_token: bool) -> None:
    connector = connector_to("http://127.0.0.1:8090")
    assert connector.may_have_token(url.format(base="http://127.0.0.1:8090")) == has_token
