"""Telegram, out: each kind of message as calls of the Bot API, and each answer as an outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest

from channels.telegram.errors import Migrated, file_id_of, outcome_of
from channels.telegram.messages import Call, MessageName, calls_of, chat_of, moved, name_of
from domain.attachments import MediaKind, MediaPlan
from domain.files import FileMetadata
from domain.kinds import INTERACTIVE, LOCATION, REACTION, TEMPLATE
from domain.outcomes import NotNow, Refusal, Refused, Scope, Sent, Unknown
from domain.ports import Attachment
from domain.records import DeliveryRequested

REQUEST = DeliveryRequested("m-1", "c-1", "u", "telegram:123", "hi", None, 1, 0)
QUOTE = {"message_id": 41, "allow_sending_without_reply": True}
BUTTONS = {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]}
ROWS = [{"id": "p", "title": "Pizza", "description": "with cheese"}, {"id": "s", "title": "Soup"}]
LIST = {"kind": "list", "button": "Choose", "sections": [{"title": "Food", "rows": ROWS}]}
PLACE = {"latitude": -23.5, "longitude": -46.6}


def message(**fields: object) -> DeliveryRequested:
    return replace(REQUEST, **fields)  # type: ignore[arg-type]


async def _nothing() -> AsyncIterator[bytes]:
    yield b"data"


def attached(kind: MediaKind, caption: str = "", *texts: str, handle: str = "") -> Attachment:
    metadata = FileMetadata("a.bin", 4, "application/pdf", f"sha256:{'0' * 64}", "c-1/f-1")
    return Attachment(MediaPlan(kind, caption, texts), metadata, "https://files.example/a", _nothing, handle)


def keyboard(*rows: tuple[str, str]) -> dict[str, object]:
    return {"inline_keyboard": [[{"text": title, "callback_data": data}] for data, title in rows]}


@pytest.mark.parametrize(
    ("request_", "attachment", "expected"),
    [
        pytest.param(message(), None, [Call("sendMessage", {"chat_id": 123, "text": "hi"})], id="text"),
        pytest.param(
            message(target_id="123:41"),
            None,
            [Call("sendMessage", {"chat_id": 123, "text": "hi", "reply_parameters": QUOTE})],
            id="a reply",
        ),
        pytest.param(
            message(target_id="123:41 callback 77"),
            None,
            [Call("sendMessage", {"chat_id": 123, "text": "hi", "reply_parameters": QUOTE})],
            id="a reply to a pressed button",
        ),
        pytest.param(
            message(target_id="9:41"),
            None,
            [Call("sendMessage", {"chat_id": 123, "text": "hi"})],
            id="a reply to a message of another chat quotes nothing",
        ),
        pytest.param(
            message(kind=INTERACTIVE, content="Well?", body=BUTTONS),
            None,
            [
                Call(
                    "sendMessage",
                    {"chat_id": 123, "text": "Well?", "reply_markup": keyboard(("y", "Yes"), ("n", "No"))},
                )
            ],
            id="buttons",
        ),
        pytest.param(
            message(kind=INTERACTIVE, content="Hungry?", body=LIST),
            None,
            [
                Call(
                    "sendMessage",
                    {
                        "chat_id": 123,
                        "text": "Hungry?\nPizza: with cheese",
                        "reply_markup": keyboard(("p", "Pizza"), ("s", "Soup")),
                    },
                )
            ],
            id="a list",
        ),
        pytest.param(
            message(
                kind=INTERACTIVE, content="Look", body={"kind": "link", "title": "Open", "url": "https://a.example"}
            ),
            None,
            [
                Call(
                    "sendMessage",
                    {
                        "chat_id": 123,
                        "text": "Look",
                        "reply_markup": {"inline_keyboard": [[{"text": "Open", "url": "https://a.example"}]]},
                    },
                )
            ],
            id="a link",
        ),
        pytest.param(
            message(kind=LOCATION, content="", body=PLACE),
            None,
            [Call("sendLocation", {"chat_id": 123, **PLACE})],
            id="point",
        ),
        pytest.param(
            message(kind=LOCATION, content="", body={**PLACE, "name": "Here", "address": "Street 1"}),
            None,
            [Call("sendVenue", {"chat_id": 123, **PLACE, "title": "Here", "address": "Street 1"})],
            id="venue",
        ),
        pytest.param(
            message(kind=LOCATION, content="", body={**PLACE, "name": "Here"}),
            None,
            [
                Call("sendLocation", {"chat_id": 123, **PLACE}),
                Call("sendMessage", {"chat_id": 123, "text": "Here"}),
            ],
            id="a place without an address has its name as a text",
        ),
        pytest.param(
            message(kind=REACTION, content="", body={"message_id": "m", "emoji": "👍"}, target_id="123:41"),
            None,
            [
                Call(
                    "setMessageReaction",
                    {"chat_id": 123, "message_id": 41, "reaction": [{"type": "emoji", "emoji": "👍"}]},
                )
            ],
            id="a reaction",
        ),
        pytest.param(
            message(kind=REACTION, content="", body={"message_id": "m", "emoji": ""}, target_id="123:41"),
            None,
            [Call("setMessageReaction", {"chat_id": 123, "message_id": 41, "reaction": []})],
            id="a reaction taken back",
        ),
        pytest.param(
            message(),
            attached(MediaKind.IMAGE, "look"),
            [Call("sendPhoto", {"chat_id": 123, "caption": "look"}, "photo")],
            id="an image with its bytes",
        ),
        pytest.param(
            message(),
            attached(MediaKind.AUDIO),
            [Call("sendAudio", {"chat_id": 123}, "audio")],
            id="audio",
        ),
        pytest.param(
            message(),
            attached(MediaKind.VIDEO, handle="BAAC-video"),
            [Call("sendVideo", {"chat_id": 123, "video": "BAAC-video"})],
            id="a video that Telegram has",
        ),
        pytest.param(
            message(target_id="123:41"),
            attached(MediaKind.DOCUMENT, "", "one", "two"),
            [
                Call("sendDocument", {"chat_id": 123, "reply_parameters": QUOTE}, "document"),
                Call("sendMessage", {"chat_id": 123, "text": "one"}),
                Call("sendMessage", {"chat_id": 123, "text": "two"}),
            ],
            id="a document with a long text",
        ),
        pytest.param(
            message(target_id="123:41"),
            attached(MediaKind.LINK, "", "a.bin https://files.example/a"),
            [
                Call(
                    "sendMessage",
                    {"chat_id": 123, "text": "a.bin https://files.example/a", "reply_parameters": QUOTE},
                )
            ],
            id="a file over the cap as a link",
        ),
    ],
)
def test_a_message_has_its_calls(
    request_: DeliveryRequested, attachment: Attachment | None, expected: list[Call]
) -> None:
    calls = calls_of(request_, attachment, 123)
    assert not isinstance(calls, Refused)
    assert list(calls) == expected


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (message(kind=TEMPLATE, body={"name": "order"}), "kind-unsupported"),
        (message(kind=REACTION, body={"message_id": "m", "emoji": "👍"}), "unknown-target"),
        (message(kind=REACTION, body={"message_id": "m", "emoji": "👍"}, target_id="wamid.1"), "unknown-target"),
        (
            message(kind=INTERACTIVE, body={"kind": "buttons", "buttons": [{"id": "x" * 65, "title": "t"}]}),
            "button-id-too-long",
        ),
        (
            message(kind=INTERACTIVE, body={"kind": "buttons", "buttons": [{"id": "", "title": "no id"}]}),
            "button-id-too-long",
        ),
    ],
)
def test_what_telegram_cannot_do_is_refused_with_a_reason(request_: DeliveryRequested, code: str) -> None:
    refused = calls_of(request_, None, 123)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert refused.detail


def test_descriptions_that_make_the_text_too_long_are_left_out() -> None:
    (call,) = calls_of(message(kind=INTERACTIVE, content="x" * 4_090, body=LIST), None, 123)  # type: ignore[misc]
    assert call.parameters["text"] == "x" * 4_090


@pytest.mark.parametrize(
    ("address", "to", "chat"),
    [
        ("telegram:123", "", 123),
        ("telegram:-1001234567890", "", -1001234567890),
        ("telegram:@maria", "456", 456),
        ("telegram:123", "-100456", -100456),
    ],
)
def test_the_chat_is_the_resolved_number_else_that_of_the_address(address: str, to: str, chat: int) -> None:
    assert chat_of(message(recipient_id=address, to=to)) == chat


@pytest.mark.parametrize("address", ["telegram:@maria", "telegram:99999999999999999999"])
def test_an_unresolved_handle_is_refused_and_told_what_to_do(address: str) -> None:
    refused = chat_of(message(recipient_id=address))
    assert isinstance(refused, Refused)
    assert refused.code == "unknown-recipient"
    assert "write to the bot first" in refused.detail


def test_a_call_moves_to_the_groups_new_chat_without_its_quotation() -> None:
    call = Call("sendPhoto", {"chat_id": -1, "caption": "c", "reply_parameters": QUOTE}, "photo")
    assert moved(call, -100) == Call("sendPhoto", {"chat_id": -100, "caption": "c"}, "photo")


@pytest.mark.parametrize(
    ("provider_id", "expected"),
    [
        ("123:41", MessageName(123, 41)),
        ("-100:7 callback 99", MessageName(-100, 7, "callback", "99")),
        ("123:41 reaction", MessageName(123, 41, "reaction")),
        ("wamid.HBg", None),
        ("", None),
        ("123:", None),
    ],
)
def test_a_providers_id_names_chat_and_message(provider_id: str, expected: MessageName | None) -> None:
    assert name_of(provider_id) == expected


SENT = {"message_id": 41, "chat": {"id": 123}, "date": 1454119029, "text": "hi"}


def error(code: int, description: str = "so it is", **parameters: object) -> bytes:
    return orjson.dumps({"ok": False, "error_code": code, "description": description, "parameters": parameters})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(200, orjson.dumps({"ok": True, "result": SENT}), Sent("123:41", 1454119029000, "123"), id="sent"),
        pytest.param(
            429,
            error(429, retry_after=5),
            NotNow("so it is (429)", 5.0, Scope.ACCOUNT, is_throttling=True),
            id="throttled",
        ),
        pytest.param(
            429,
            error(429),
            NotNow("so it is (429)", None, Scope.ACCOUNT, is_throttling=True),
            id="throttled without a time",
        ),
        pytest.param(
            429,
            error(429, retry_after=10**9),
            NotNow("so it is (429)", 86_400.0, Scope.ACCOUNT, is_throttling=True),
            id="throttled for longer than a day",
        ),
        pytest.param(
            403, error(403), Refused("blocked", "so it is (403)", Refusal.OPTED_OUT), id="blocked by the person"
        ),
        pytest.param(
            400,
            error(400, "Bad Request: chat not found"),
            Refused("bad-request", "Bad Request: chat not found (400)"),
            id="no such chat",
        ),
        pytest.param(400, error(400, migrate_to_chat_id=-1009), Migrated(-1009), id="the group became a supergroup"),
        pytest.param(413, error(413), Refused("file-too-large", "so it is (413)"), id="the file is too large"),
        pytest.param(418, error(418), Refused("refused", "so it is (418)"), id="another 4xx"),
        pytest.param(409, error(409), NotNow("so it is (409)", None, Scope.ACCOUNT), id="conflict"),
        pytest.param(500, error(500), Unknown("so it is (500)"), id="a 5xx in the Bot API's form"),
        pytest.param(408, error(408), Unknown("so it is (408)"), id="a 408 in the Bot API's form"),
        pytest.param(
            200,
            b'{"ok":true,"result":{}}',
            Unknown('an answer without the message: \'{"ok":true,"result":{}}\''),
            id="no id",
        ),
        pytest.param(200, b"", Unknown("status 200: ''"), id="empty"),
        pytest.param(200, b'{"ok":tr', Unknown("status 200: '{\"ok\":tr'"), id="cut"),
        pytest.param(502, b"<html>Bad Gateway", Unknown("status 502: '<html>Bad Gateway'"), id="a proxy's page"),
        pytest.param(400, b"nothing", Unknown("status 400: 'nothing'"), id="a proxy's 400"),
        pytest.param(200, b'{"ok":false}', Unknown("status 200: '{\"ok\":false}'"), id="no error code"),
    ],
)
def test_an_answer_has_its_outcome(status: int, body: bytes, expected: object) -> None:
    assert outcome_of(status, body, 123) == expected


@pytest.mark.parametrize(("status", "body"), [(401, error(401)), (404, error(404)), (404, b"<html>"), (401, b"")])
def test_a_lost_token_is_the_accounts_fault(status: int, body: bytes) -> None:
    outcome = outcome_of(status, body, 123)
    assert isinstance(outcome, Refused)
    assert outcome.kind is Refusal.AUTHENTICATION
    assert "token" in outcome.detail


def test_a_throttled_group_holds_up_no_other_chat() -> None:
    outcome = outcome_of(429, error(429, retry_after=30), -100)
    assert outcome == NotNow("so it is (429)", 30.0, Scope.PAIR, is_throttling=True)


@pytest.mark.parametrize(
    ("parameter", "result", "file_id"),
    [
        ("photo", {"photo": [{"file_id": "small"}, {"file_id": "large"}]}, "large"),
        ("document", {"document": {"file_id": "d"}}, "d"),
        ("video", {"document": {"file_id": "d"}}, ""),
        ("video", True, ""),
    ],
)
def test_the_files_id_is_found_in_the_answer(parameter: str, result: object, file_id: str) -> None:
    assert file_id_of(orjson.dumps({"ok": True, "result": result}), parameter) == file_id
