"""WhatsApp, out: each kind of content as the call that sends it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from channels.whatsapp.messages import Call, calls_of, read_mark
from domain.attachments import MediaKind, MediaPlan
from domain.correlation import token_of
from domain.errors import MalformedRecord
from domain.files import FileMetadata
from domain.outcomes import Refused
from domain.ports import Attachment
from domain.records import DeliveryRequested

REQUEST = DeliveryRequested("m-1", "c-1", "u", "whatsapp:+5511999990000", "hi", None, 1, 0)
ENVELOPE = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "5511999990000"}
TOKEN = "c-1\x1fm-1"


def attachment(kind: MediaKind, caption: str = "", *texts: str, handle: str = "") -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield b"x"

    metadata = FileMetadata("a b.pdf", 1, "application/pdf", "sha256:0", "k")
    return Attachment(MediaPlan(kind, caption, texts), metadata, "https://files/1", read, handle)


def sent(file: Attachment | None = None, **changes: object) -> list[Call]:
    """Return the calls without their envelope and token, which each first call must have."""
    calls = calls_of(replace(REQUEST, **changes), file)
    assert not isinstance(calls, Refused), calls
    assert calls[0]["biz_opaque_callback_data"] == TOKEN
    assert [call["biz_opaque_callback_data"] for call in calls[1:]] == [
        f"{TOKEN}\x1f{part}" for part in range(2, len(calls) + 1)
    ]
    assert all({**call, **ENVELOPE} == call for call in calls)
    left_out = {*ENVELOPE, "biz_opaque_callback_data"}
    return [{name: value for name, value in call.items() if name not in left_out} for call in calls]


def template(**parameters: object) -> dict[str, object]:
    return {"name": "order", "language": "pt_BR", "parameters": parameters}


def as_template(*components: object) -> list[Call]:
    made: dict[str, object] = {"name": "order", "language": {"policy": "deterministic", "code": "pt_BR"}}
    if components:
        made["components"] = [*components]
    return [{"type": "template", "template": made}]


BUTTONS = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]}
MENU = {
    "kind": "list",
    "button": "Open",
    "sections": [
        {"title": "A", "rows": [{"id": "1", "title": "One", "description": "first"}, {"id": "2", "title": "Two"}]}
    ],
}
LINK = {"kind": "link", "title": "Go", "url": "https://example.org"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [{"type": "text", "text": {"body": "hi", "preview_url": False}}], id="text"),
        pytest.param(
            {"content": "see https://x.org"},
            [{"type": "text", "text": {"body": "see https://x.org", "preview_url": True}}],
            id="text with a link",
        ),
        pytest.param(
            {"target_id": "wamid.1", "reply_to": "m-0"},
            [{"type": "text", "text": {"body": "hi", "preview_url": False}, "context": {"message_id": "wamid.1"}}],
            id="reply",
        ),
        pytest.param({"kind": "template", "body": template()}, as_template(), id="template"),
        pytest.param(
            {"kind": "template", "body": template(body=["x", "y"])},
            as_template({"type": "body", "parameters": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}),
            id="template by position",
        ),
        pytest.param(
            {"kind": "template", "body": template(body={"day": "x"})},
            as_template({"type": "body", "parameters": [{"type": "text", "parameter_name": "day", "text": "x"}]}),
            id="template by name",
        ),
        pytest.param(
            {"kind": "template", "body": template(header=["h"], buttons={"1": "tail"})},
            as_template(
                {"type": "header", "parameters": [{"type": "text", "text": "h"}]},
                {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "tail"}]},
            ),
            id="template with header and button",
        ),
        pytest.param(
            {"kind": "interactive", "body": BUTTONS},
            [
                {
                    "type": "interactive",
                    "interactive": {
                        "type": "button",
                        "body": {"text": "hi"},
                        "action": {
                            "buttons": [
                                {"type": "reply", "reply": {"id": "y", "title": "Yes"}},
                                {"type": "reply", "reply": {"id": "n", "title": "No"}},
                            ]
                        },
                    },
                }
            ],
            id="buttons",
        ),
        pytest.param(
            {"kind": "interactive", "body": MENU, "content": " "},
            [
                {
                    "type": "interactive",
                    "interactive": {
                        "type": "list",
                        "body": {"text": "Open"},
                        "action": {
                            "button": "Open",
                            "sections": [
                                {
                                    "title": "A",
                                    "rows": [
                                        {"id": "1", "title": "One", "description": "first"},
                                        {"id": "2", "title": "Two"},
                                    ],
                                }
                            ],
                        },
                    },
                }
            ],
            id="list without a text",
        ),
        pytest.param(
            {"kind": "interactive", "body": LINK},
            [
                {
                    "type": "interactive",
                    "interactive": {
                        "type": "cta_url",
                        "body": {"text": "hi"},
                        "action": {
                            "name": "cta_url",
                            "parameters": {"display_text": "Go", "url": "https://example.org"},
                        },
                    },
                }
            ],
            id="link",
        ),
        pytest.param(
            {"kind": "location", "body": {"latitude": -23.5, "longitude": -46.25, "name": "Sé"}, "content": "here"},
            [
                {
                    "type": "location",
                    "location": {"latitude": "-23.5000000", "longitude": "-46.2500000", "name": "Sé"},
                },
                {"type": "text", "text": {"body": "here", "preview_url": False}},
            ],
            id="location with a text",
        ),
        pytest.param(
            {"kind": "reaction", "body": {"message_id": "m", "emoji": "👍"}, "target_id": "wamid.1"},
            [{"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}],
            id="reaction",
        ),
        pytest.param(
            {"kind": "reaction", "body": {"message_id": "m", "emoji": ""}, "target_id": "wamid.1"},
            [{"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": ""}}],
            id="reaction taken back",
        ),
    ],
)
def test_each_kind(changes: dict[str, Any], expected: list[Call]) -> None:
    assert sent(**changes) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(
            attachment(MediaKind.IMAGE, "look", handle="77"),
            [{"type": "image", "image": {"id": "77", "caption": "look"}}],
            id="image by id",
        ),
        pytest.param(
            attachment(MediaKind.VIDEO), [{"type": "video", "video": {"link": "https://files/1"}}], id="video by link"
        ),
        pytest.param(
            attachment(MediaKind.AUDIO, "", "words", handle="77"),
            [
                {"type": "audio", "audio": {"id": "77"}},
                {"type": "text", "text": {"body": "words", "preview_url": False}},
            ],
            id="audio has no caption",
        ),
        pytest.param(
            attachment(MediaKind.DOCUMENT, handle="77"),
            [{"type": "document", "document": {"id": "77", "filename": "a b.pdf"}}],
            id="document with its name",
        ),
        pytest.param(
            attachment(MediaKind.LINK, "", "one https://f", "two"),
            [
                {"type": "text", "text": {"body": "one https://f", "preview_url": True}},
                {"type": "text", "text": {"body": "two", "preview_url": False}},
            ],
            id="over the cap",
        ),
    ],
)
def test_each_form_of_a_file(file: Attachment, expected: list[Call]) -> None:
    assert sent(file) == expected


def test_a_template_takes_a_file_as_its_header() -> None:
    [call] = sent(attachment(MediaKind.IMAGE, handle="77"), kind="template", body=template(body=["x"]))
    made: Any = call["template"]
    assert made["components"][0] == {"type": "header", "parameters": [{"type": "image", "image": {"id": "77"}}]}


def test_a_document_as_header_keeps_its_name_and_a_song_is_none() -> None:
    [call] = sent(attachment(MediaKind.DOCUMENT, handle="77"), kind="template", body=template())
    [component] = call["template"]["components"]  # type: ignore[index]
    assert component["parameters"][0]["document"]["filename"]
    with pytest.raises(MalformedRecord, match="header of a template"):
        sent(attachment(MediaKind.AUDIO, handle="77"), kind="template", body=template())


@pytest.mark.parametrize(
    ("address", "to", "expected"),
    [
        ("whatsapp:+5511999990000", "", {"to": "5511999990000"}),
        ("whatsapp:BR.1502576394655843", "", {"recipient": "BR.1502576394655843"}),
        ("whatsapp:+5511999990000", "US.ENT.118157992128868", {"recipient": "US.ENT.118157992128868"}),
        ("whatsapp:BR.1502576394655843", "+551199990000", {"to": "551199990000"}),
    ],
)
def test_the_recipient_is_a_number_or_a_business_scoped_id(address: str, to: str, expected: Call) -> None:
    calls = calls_of(replace(REQUEST, recipient_id=address, to=to), None)
    assert not isinstance(calls, Refused)
    assert {name: value for name, value in calls[0].items() if name in ("to", "recipient")} == expected


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipient_id": "whatsapp:@maria"}, "unknown-recipient"),
        ({"kind": "reaction", "body": {"message_id": "m", "emoji": "👍"}}, "unknown-target"),
    ],
)
def test_what_cannot_be_sent_is_refused(changes: dict[str, Any], code: str) -> None:
    found = calls_of(replace(REQUEST, **changes), None)
    assert isinstance(found, Refused)
    assert found.code == code


def test_a_body_of_another_form_is_malformed() -> None:
    with pytest.raises(MalformedRecord):
        calls_of(replace(REQUEST, kind="interactive", body={"kind": "carousel"}), None)


def test_a_token_over_the_limit_is_left_out() -> None:
    long = replace(REQUEST, conversation_id="c" * 600)
    assert len(token_of(long)) > 512
    calls = calls_of(long, None)
    assert not isinstance(calls, Refused)
    assert "biz_opaque_callback_data" not in calls[0]


def test_a_read_mark_may_show_that_we_are_typing() -> None:
    mark = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    assert read_mark("wamid.1", False) == mark
    assert read_mark("wamid.1", True) == {**mark, "typing_indicator": {"type": "text"}}
