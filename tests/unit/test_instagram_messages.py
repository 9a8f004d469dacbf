"""Instagram, out: each kind of message as calls, and each answer as an outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import orjson
import pytest

from channels.instagram.errors import is_done, outcome_of
from channels.instagram.messages import calls_of, igsid_of, tagged
from domain.attachments import MediaKind, MediaPlan
from domain.errors import MalformedRecord
from domain.files import FileMetadata
from domain.kinds import INTERACTIVE, LOCATION, REACTION, TEMPLATE
from domain.outcomes import NotNow, Refusal, Refused, Scope, Sent, Unknown
from domain.ports import Attachment
from domain.records import DeliveryRequested

REQUEST = DeliveryRequested("m-1", "c-1", "u", "instagram:17841400", "oi", None, 1, 0)
TO = {"recipient": {"id": "17841400"}}
RESPONSE = {**TO, "messaging_type": "RESPONSE"}
BUTTONS = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "Not just now, sorry!"}]}
LIST = {"kind": "list", "button": "B", "sections": [{"title": "", "rows": [{"id": "1", "title": "One"}]}]}
HEART = {"message_id": "m-0", "emoji": "❤️"}
NOW_MS = 1_764_000_000_000


def message(**fields: object) -> DeliveryRequested:
    return replace(REQUEST, **fields)  # type: ignore[arg-type]


async def _nothing() -> AsyncIterator[bytes]:
    yield b"data"


def attached(kind: MediaKind, *texts: str) -> Attachment:
    metadata = FileMetadata("a.bin", 4, "image/png", f"sha256:{'0' * 64}", "c-1/f-1")
    return Attachment(MediaPlan(kind, "", texts), metadata, "https://files.example/a?signature=1", _nothing)


@pytest.mark.parametrize(
    ("request_", "attachment", "expected"),
    [
        pytest.param(message(), None, [{**RESPONSE, "message": {"text": "oi"}}], id="text"),
        pytest.param(
            message(target_id="mid.1"),
            None,
            [{**RESPONSE, "message": {"text": "oi"}, "reply_to": {"mid": "mid.1"}}],
            id="a reply",
        ),
        pytest.param(
            message(kind=INTERACTIVE, content="Well?", body=BUTTONS),
            None,
            [
                {
                    **RESPONSE,
                    "message": {
                        "text": "Well?",
                        "quick_replies": [
                            {"content_type": "text", "title": "Yes", "payload": "y"},
                            {"content_type": "text", "title": "Not just now, sorry!", "payload": "n"},
                        ],
                    },
                }
            ],
            id="buttons are quick replies",
        ),
        pytest.param(
            message(),
            attached(MediaKind.IMAGE),
            [
                {
                    **RESPONSE,
                    "message": {
                        "attachment": {"type": "image", "payload": {"url": "https://files.example/a?signature=1"}}
                    },
                }
            ],
            id="an image by its link",
        ),
        pytest.param(
            message(target_id="mid.1"),
            attached(MediaKind.VIDEO, "one", "two"),
            [
                {
                    **RESPONSE,
                    "message": {
                        "attachment": {"type": "video", "payload": {"url": "https://files.example/a?signature=1"}}
                    },
                    "reply_to": {"mid": "mid.1"},
                },
                {**RESPONSE, "message": {"text": "one"}},
                {**RESPONSE, "message": {"text": "two"}},
            ],
            id="a video and its text",
        ),
        pytest.param(
            message(),
            attached(MediaKind.LINK, "a.pdf https://files.example/a"),
            [{**RESPONSE, "message": {"text": "a.pdf https://files.example/a"}}],
            id="a file of another type as a link",
        ),
        pytest.param(
            message(kind=REACTION, body=HEART, target_id="mid.1"),
            None,
            [{**TO, "sender_action": "react", "payload": {"message_id": "mid.1", "reaction": "love"}}],
            id="a reaction",
        ),
        pytest.param(
            message(kind=REACTION, body={**HEART, "emoji": ""}, target_id="mid.1"),
            None,
            [{**TO, "sender_action": "unreact", "payload": {"message_id": "mid.1"}}],
            id="a reaction taken back",
        ),
    ],
)
def test_a_message_has_its_calls(
    request_: DeliveryRequested, attachment: Attachment | None, expected: list[Mapping[str, object]]
) -> None:
    calls = calls_of(request_, attachment, "17841400")
    assert not isinstance(calls, Refused)
    assert list(calls) == expected


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (message(kind=TEMPLATE, body={"name": "x", "language": "y"}), "kind-unsupported"),
        (message(kind=LOCATION, body={"latitude": 1.0, "longitude": 2.0}), "kind-unsupported"),
        (message(kind=INTERACTIVE, body=LIST), "kind-unsupported"),
        (message(kind=REACTION, body={**HEART, "emoji": "🔥"}, target_id="mid.1"), "kind-unsupported"),
        (message(kind=REACTION, body=HEART), "unknown-target"),
    ],
)
def test_what_instagram_cannot_do_is_refused_with_a_reason(request_: DeliveryRequested, code: str) -> None:
    refused = calls_of(request_, None, "17841400")
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_a_body_of_another_form_is_malformed() -> None:
    with pytest.raises(MalformedRecord):
        calls_of(message(kind=INTERACTIVE, body={"kind": "buttons"}), None, "1")


@pytest.mark.parametrize(
    ("address", "to", "igsid"), [("instagram:17841400", "", "17841400"), ("instagram:@maria", "1784", "1784")]
)
def test_the_person_is_the_resolved_id_else_that_of_the_address(address: str, to: str, igsid: str) -> None:
    assert igsid_of(message(recipient_id=address, to=to)) == igsid


def test_an_unresolved_handle_is_refused_and_told_what_to_do() -> None:
    refused = igsid_of(message(recipient_id="instagram:@maria"))
    assert isinstance(refused, Refused)
    assert refused.code == "unknown-recipient"
    assert "write to the account first" in refused.detail


def test_the_words_of_a_human_agent_have_the_tag() -> None:
    assert tagged({**RESPONSE, "message": {"text": "oi"}}) == {
        **TO,
        "messaging_type": "MESSAGE_TAG",
        "tag": "HUMAN_AGENT",
        "message": {"text": "oi"},
    }


def error(code: int, subcode: int = 0, message: str = "so it is") -> bytes:
    fields: dict[str, object] = {"message": message, "type": "IGApiException", "code": code, "fbtrace_id": "A1"}
    return orjson.dumps({"error": {**fields, "error_subcode": subcode} if subcode else fields})


THROTTLED = NotNow("so it is (4)", None, Scope.ACCOUNT, is_throttling=True)


@pytest.mark.parametrize(
    ("status", "body", "retry_after", "expected"),
    [
        pytest.param(200, b'{"recipient_id":"1","message_id":"mid.1"}', None, Sent("mid.1", NOW_MS, "1"), id="sent"),
        pytest.param(400, error(4), None, THROTTLED, id="4: the app's limit"),
        pytest.param(403, error(613), "9", NotNow("so it is (613)", 9.0, Scope.ACCOUNT, True), id="613: calls"),
        pytest.param(
            400, error(80002), None, NotNow("so it is (80002)", None, Scope.ACCOUNT, True), id="80002: account"
        ),
        pytest.param(
            429, error(100), None, NotNow("so it is (100)", None, Scope.ACCOUNT, True), id="429 whatever code"
        ),
        pytest.param(
            403,
            error(10, 2534022),
            None,
            Refused("outside-window", "so it is (10/2534022)", Refusal.OUTSIDE_WINDOW),
            id="10/2534022: outside the window",
        ),
        pytest.param(
            400,
            error(10, 2018278),
            None,
            Refused("outside-window", "so it is (10/2018278)", Refusal.OUTSIDE_WINDOW),
            id="10/2018278: outside Messenger's window",
        ),
        pytest.param(
            403,
            error(10),
            None,
            Refused("unauthorized", "so it is (10)", Refusal.AUTHENTICATION),
            id="10: no permission",
        ),
        pytest.param(
            401, error(190, 463), None, Refused("unauthorized", "so it is (190/463)", Refusal.AUTHENTICATION), id="190"
        ),
        pytest.param(
            403, error(200), None, Refused("unauthorized", "so it is (200)", Refusal.AUTHENTICATION), id="200"
        ),
        pytest.param(
            403, error(200, 1545041), None, Refused("person-unavailable", "so it is (200/1545041)"), id="blocked"
        ),
        pytest.param(400, error(551), None, Refused("person-unavailable", "so it is (551)"), id="551: not there"),
        pytest.param(400, error(368), None, Refused("368", "so it is (368)", Refusal.POLICY), id="368: policy"),
        pytest.param(400, error(2), None, NotNow("so it is (2)"), id="2: transient"),
        pytest.param(500, error(2), None, Unknown("so it is (2)"), id="2 with a 500: it may have been taken"),
        pytest.param(503, error(2), None, NotNow("so it is (2)"), id="2 with a 503: nothing was served"),
        pytest.param(500, error(1200), None, NotNow("so it is (1200)"), id="1200 with a 500: it was not sent"),
        pytest.param(400, error(1200), None, NotNow("so it is (1200)"), id="1200: transient"),
        pytest.param(
            400, error(100, 2018001), None, Refused("100", "so it is (100/2018001)"), id="100: no such person"
        ),
        pytest.param(400, error(100, 2534025), None, Refused("100", "so it is (100/2534025)"), id="100: too long"),
        pytest.param(
            400, error(99_999), None, Refused("99999", "so it is (99999)"), id="a code of tomorrow with a 4xx"
        ),
        pytest.param(500, error(99_999), None, Unknown("so it is (99999)"), id="a code of tomorrow with a 5xx"),
        pytest.param(408, error(99_999), None, Unknown("so it is (99999)"), id="a code of tomorrow with a 408"),
        pytest.param(200, error(99_999), None, Unknown("so it is (99999)"), id="an error with a 200"),
        pytest.param(503, error(100), "5", NotNow("so it is (100)", 5.0, Scope.ACCOUNT), id="503 with a time"),
        pytest.param(
            503, b"busy", "5", NotNow("status 503: 'busy'", 5.0, Scope.ACCOUNT), id="503 of a proxy with a time"
        ),
        pytest.param(503, b"busy", None, Unknown("status 503: 'busy'"), id="503 of a proxy"),
        pytest.param(429, b"slow", None, NotNow("status 429: 'slow'", None, Scope.ACCOUNT, True), id="429 of a proxy"),
        pytest.param(
            401, b"", None, Refused("unauthorized", "status 401: ''", Refusal.AUTHENTICATION), id="401 without words"
        ),
        pytest.param(400, b"<html>", None, Unknown("status 400: '<html>'"), id="a proxy's page"),
        pytest.param(200, b"{}", None, Unknown("status 200: '{}'"), id="no id"),
        pytest.param(200, b'{"message_id":"mi', None, Unknown("""status 200: '{"message_id":"mi'"""), id="cut"),
        pytest.param(200, b'{"message_id":""}', None, Unknown("""status 200: '{"message_id":""}'"""), id="an empty id"),
        pytest.param(502, b"", None, Unknown("status 502: ''"), id="502"),
    ],
)
def test_an_answer_has_its_outcome(status: int, body: bytes, retry_after: str | None, expected: object) -> None:
    assert outcome_of(status, body, retry_after, NOW_MS) == expected


@pytest.mark.parametrize(
    ("status", "body", "done"),
    [
        (200, b'{"recipient_id":"1"}', True),
        (200, b'{"success":true}', True),
        (200, b"{}", False),
        (400, b'{"recipient_id":"1"}', False),
        (200, b"", False),
    ],
)
def test_a_reaction_is_done_when_instagram_says_so(status: int, body: bytes, done: bool) -> None:
    assert is_done(status, body) is done
