"""WhatsApp, in: each kind of message, and who wrote it, as an event."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.inbound import Happening, InboundEvent, Media, Person
from support.whatsapp import ANA, AT, AT_MS, CONTACT, NOW_MS, change, parsed

HASH = "yB/nJhp+3LDRKO4bkvsDDYMIhgSPvOiSe2slPHlpAD8="
HEX = "c81fe7261a7edcb0d128ee1b92fb030d83088604" + "8fbce8927b6b253c7969003f"


def message(**fields: object) -> InboundEvent:
    """Return the event of one message of Ana."""
    written = {"from": "5511999990000", "id": "wamid.IN", "timestamp": AT, **fields}
    [event] = parsed(change(contacts=[CONTACT], messages=[written]))
    return event


def said(kind: str = "text", content: str = "", **fields: object) -> InboundEvent:
    event = InboundEvent(Happening.MESSAGE, "wamid.IN", AT_MS, person=ANA, kind=kind, content=content, our_id="1065")
    return replace(event, **fields)


def media(kind: str, mime_type: str, **fields: object) -> Media:
    return replace(Media("77", "", kind, mime_type), **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"type": "text", "text": {"body": "oi"}}, said(content="oi"), id="text"),
        pytest.param({"text": {"body": "oi"}}, said(content="oi"), id="text without a type"),
        pytest.param(
            {"type": "text", "text": {"body": "sim"}, "context": {"from": "1555", "id": "wamid.OUT"}},
            said(content="sim", target_id="wamid.OUT"),
            id="reply",
        ),
        pytest.param(
            {"type": "text", "text": {"body": "x"}, "context": {"forwarded": True}}, said(content="x"), id="forwarded"
        ),
        pytest.param(
            {"type": "text", "text": {"body": "x"}, "referral": {"source_type": "ad", "ctwa_clid": "a"}},
            said(content="x", detail="ad"),
            id="from an advertisement",
        ),
        pytest.param(
            {"type": "image", "image": {"id": "77", "mime_type": "image/png", "sha256": HASH, "caption": "look"}},
            said(content="look", media=(media("image", "image/png", sha256=HEX),)),
            id="image",
        ),
        pytest.param(
            {"type": "image", "image": {"id": 77, "sha256": "4654+8g=", "url": "https://lookaside.fbsbx.com/x"}},
            said(media=(media("image", "image/jpeg", url="https://lookaside.fbsbx.com/x"),)),
            id="image with a broken hash and a url",
        ),
        pytest.param(
            {"type": "video", "video": {"id": "77", "mime_type": "video/mp4"}},
            said(media=(media("video", "video/mp4"),)),
            id="video",
        ),
        pytest.param(
            {"type": "audio", "audio": {"id": "77", "mime_type": "audio/ogg; codecs=opus", "voice": True}},
            said(media=(media("audio", "audio/ogg; codecs=opus"),)),
            id="voice note",
        ),
        pytest.param(
            {"type": "document", "document": {"id": "77", "mime_type": "application/pdf", "filename": "a.pdf"}},
            said(media=(media("document", "application/pdf", filename="a.pdf"),)),
            id="document",
        ),
        pytest.param(
            {"type": "sticker", "sticker": {"id": "77", "mime_type": "image/webp", "animated": True}},
            said("sticker", media=(media("sticker", "image/webp"),)),
            id="sticker",
        ),
        pytest.param(
            {"type": "location", "location": {"latitude": -23.5, "longitude": "-46.5", "name": "Sé", "url": "x"}},
            said("location", body={"latitude": -23.5, "longitude": -46.5, "name": "Sé"}),
            id="location, one degree as a text",
        ),
        pytest.param(
            {"type": "location", "location": {"latitude": "north"}},
            said("unsupported", body={"type": "location"}),
            id="location that is none",
        ),
        pytest.param(
            {
                "type": "contacts",
                "contacts": [
                    {"name": {"formatted_name": "Bia"}, "phones": [{"phone": "+1 555"}, {"wa_id": "1556"}]},
                    {"name": {"first_name": "Caio", "last_name": "Sá"}},
                ],
            },
            said(
                "contacts",
                body={"contacts": [{"name": "Bia", "phones": ["+1 555", "1556"]}, {"name": "Caio Sá", "phones": []}]},
            ),
            id="contacts",
        ),
        pytest.param(
            {
                "type": "interactive",
                "interactive": {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}},
            },
            said("button_reply", "Yes", body={"id": "y", "title": "Yes"}),
            id="pressed button",
        ),
        pytest.param(
            {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "One"}}},
            said("button_reply", "One", body={"id": "1", "title": "One"}),
            id="chosen row",
        ),
        pytest.param(
            {"type": "button", "button": {"payload": "p", "text": "Sure"}},
            said("button_reply", "Sure", body={"id": "p", "title": "Sure"}),
            id="quick reply of a template",
        ),
        pytest.param(
            {
                "type": "interactive",
                "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent", "response_json": '{"a":1}'}},
            },
            said("unsupported", "Sent", body={"type": "nfm_reply", "response": '{"a":1}'}),
            id="completed form",
        ),
        pytest.param(
            {"type": "interactive"}, said("unsupported", body={"type": "interactive"}), id="interactive without content"
        ),
        pytest.param(
            {"type": "order", "order": {"text": "", "product_items": [{"product_retailer_id": "SODA", "quantity": 2}]}},
            said("unsupported", "SODA × 2", body={"type": "order"}),
            id="order",
        ),
        pytest.param(
            {"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown"}]},
            said("unsupported", "Message type unknown (131051)", body={"type": "unsupported"}),
            id="unsupported",
        ),
        pytest.param(
            {"type": "unsupported", "unsupported": {"type": "poll"}},
            said("unsupported", body={"type": "poll"}),
            id="unsupported with its type",
        ),
        pytest.param(
            {"type": "hologram", "hologram": {"title": "Me"}},
            said("unsupported", "Me", body={"type": "hologram"}),
            id="a new kind",
        ),
        pytest.param(
            {
                "type": "edit",
                "edit": {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "v2"}}},
            },
            said(content="v2", target_id="wamid.1"),
            id="edited",
        ),
        pytest.param(
            {"type": "revoke", "revoke": {"original_message_id": "wamid.1"}},
            said(happening=Happening.IGNORED, detail="revoke", target_id="wamid.1"),
            id="deleted by the person",
        ),
        pytest.param(
            {"type": "text", "text": {"body": "all"}, "group_id": "g"},
            said(happening=Happening.IGNORED, detail="message of a group"),
            id="group message",
        ),
        pytest.param(
            {"type": "request_welcome"}, said(happening=Happening.IGNORED, detail="request_welcome"), id="welcome"
        ),
        pytest.param(
            {"type": "reaction", "reaction": {"message_id": "wamid.OUT", "emoji": "👍"}},
            said("reaction", happening=Happening.REACTION, target_id="wamid.OUT", body={"emoji": "👍"}),
            id="reaction",
        ),
        pytest.param(
            {"type": "reaction", "reaction": {"message_id": "wamid.OUT"}},
            said("reaction", happening=Happening.REACTION, target_id="wamid.OUT", body={"emoji": ""}),
            id="reaction taken back",
        ),
    ],
)
def test_each_kind_of_message(fields: dict[str, object], expected: InboundEvent) -> None:
    assert message(**fields) == expected
    assert message(**fields).body == expected.body


@pytest.mark.parametrize(
    ("timestamp", "expected_ms"),
    [
        (AT, AT_MS),
        (1749416383, AT_MS),
        ("1749416383123", AT_MS + 123),
        (AT_MS * 1000, AT_MS),
        ("soon", NOW_MS),
        (None, NOW_MS),
    ],
)
def test_times_come_in_seconds_in_milliseconds_or_not(timestamp: object, expected_ms: int) -> None:
    assert message(type="text", text={"body": "x"}, timestamp=timestamp).at_ms == expected_ms


@pytest.mark.parametrize(
    ("fields", "contacts", "person"),
    [
        pytest.param({"from": "5511999990000"}, [], Person("+5511999990000"), id="no contacts"),
        pytest.param(
            {"from": "5511999990000"}, [{"wa_id": "5511999990000"}], Person("+5511999990000"), id="no profile"
        ),
        pytest.param(
            {"from_user_id": "BR.15"},
            [{"profile": {"name": "Ana", "username": "ana"}, "user_id": "BR.15"}],
            Person("", "BR.15", "@ana", "Ana"),
            id="no number",
        ),
        pytest.param({}, [{"user_id": "BR.15"}], Person("", "BR.15"), id="in contacts alone"),
        pytest.param({"from": "BR.15"}, [], Person("", "BR.15"), id="an id in place of the number"),
        pytest.param(
            {"from": "5511888880000"},
            [{"wa_id": "5511999990000", "user_id": "BR.15"}, {"wa_id": "5511888880000", "user_id": "BR.16"}],
            Person("+5511888880000", "BR.16"),
            id="one of several contacts",
        ),
        pytest.param(
            {"from": "5511888880000"},
            [{"wa_id": "5511999990000", "user_id": "BR.15"}],
            Person("+5511888880000"),
            id="somebody else's contact",
        ),
    ],
)
def test_who_wrote(fields: dict[str, object], contacts: list[object], person: Person) -> None:
    written = {"id": "wamid.IN", "timestamp": AT, "type": "text", "text": {"body": "oi"}, **fields}
    [event] = parsed(change(contacts=contacts, messages=[written]))
    assert (event.happening, event.person) == (Happening.MESSAGE, person)


def test_a_message_of_nobody_is_kept_as_unknown() -> None:
    [event] = parsed(change(messages=[{"id": "wamid.IN", "type": "text", "text": {"body": "oi"}}]))
    assert event.happening == Happening.UNKNOWN
    assert '"body":"oi"' in event.detail
