"""The connector of Telegram against a Bot API on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest
from aiohttp import web

from channels.telegram.connector import DRIVER, TelegramConnector
from domain.accounts import Account
from domain.attachments import MediaKind, MediaPlan
from domain.errors import DeliveryFailed, FileStoreUnavailable, Unavailable
from domain.files import FileMetadata
from domain.inbound import Media
from domain.kinds import INTERACTIVE, REACTION
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown
from domain.ports import Attachment
from domain.records import DeliveryRequested
from support.bot_api import TOKEN, BotApi, failed, result

REQUEST = DeliveryRequested("m-1", "c-1", "u", "telegram:123", "hi", None, 1, 0)
SENT = Sent("123:41", 1_454_119_029_000, "123")
DATA = b"the bytes of a file"


class World:
    def __init__(self, api: BotApi, connector: TelegramConnector) -> None:
        self.api = api
        self.connector = connector

    async def send(self, attachment: Attachment | None = None, **fields: object) -> SendOutcome:
        return await self.connector.send(replace(REQUEST, **fields), 1, attachment)  # type: ignore[arg-type]

    def methods(self) -> list[str]:
        return [call.method for call in self.api.calls]


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    api = BotApi()
    await api.server.start_server()
    yield api
    await api.server.close()


@pytest.fixture
async def world(api: BotApi) -> AsyncIterator[World]:
    connector = TelegramConnector({"base_url": api.url}, TOKEN)
    yield World(api, connector)
    await connector.close()


@pytest.fixture
async def stored(api: BotApi) -> AsyncIterator[World]:
    """A connector with a chat for uploads."""
    connector = TelegramConnector({"base_url": api.url, "storage_chat": "-1009"}, TOKEN)
    yield World(api, connector)
    await connector.close()


def attached(
    kind: MediaKind = MediaKind.DOCUMENT,
    *texts: str,
    caption: str = "",
    handle: str = "",
    fault: Exception | None = None,
    filename: str = 'olá "1".pdf',
) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield DATA[:5]
        if fault is not None:
            raise fault
        yield DATA[5:]

    metadata = FileMetadata(filename, len(DATA), "application/pdf", f"sha256:{sha256(DATA).hexdigest()}", "c-1/f-1")
    return Attachment(MediaPlan(kind, caption, texts), metadata, "https://files.example/a", read, handle)


async def test_a_text_is_sent_and_known_by_chat_and_number(world: World) -> None:
    outcome = await world.send()
    assert outcome == SENT
    assert isinstance(outcome, Sent)
    assert outcome.exchange is not None
    assert outcome.exchange.status == 200
    assert world.api.calls[0].parameters == {"chat_id": 123, "text": "hi"}


async def test_a_file_goes_with_its_bytes_its_name_and_its_caption(world: World) -> None:
    attachment = attached(caption="olá")
    assert await world.connector.upload(attachment) == ""
    assert await world.send(attachment, target_id="123:7") == SENT
    (call,) = world.api.calls
    assert call.method == "sendDocument"
    assert call.files == {"document": ("olá _1_.pdf", DATA)}
    assert call.parameters == {
        "chat_id": 123,
        "caption": "olá",
        "reply_parameters": {"message_id": 7, "allow_sending_without_reply": True},
    }


async def test_the_second_person_gets_the_file_by_its_id(world: World) -> None:
    await world.send(attached())
    handle = await world.connector.upload(attached())
    assert handle == "id-of-document-41"
    await world.send(attached(handle=handle), recipient_id="telegram:456")
    assert world.api.calls[1].parameters == {"chat_id": 456, "document": "id-of-document-41"}
    assert not world.api.calls[1].files


async def test_a_photos_id_is_that_of_its_largest_size(world: World) -> None:
    await world.send(attached(MediaKind.IMAGE))
    assert await world.connector.upload(attached(MediaKind.IMAGE)) == "id-of-photo-41"
    assert await world.connector.upload(attached(MediaKind.DOCUMENT)) == ""


async def test_a_file_whose_id_is_refused_goes_with_its_bytes(world: World) -> None:
    world.api.answer("sendDocument", failed(400, "Bad Request: wrong file identifier"))
    assert await world.send(attached(handle="old")) == SENT
    first, second = world.api.calls
    assert first.parameters["document"] == "old"
    assert second.files["document"][1] == DATA


async def test_with_a_chat_for_uploads_the_file_is_there_before_the_message(stored: World) -> None:
    handle = await stored.connector.upload(attached())
    (upload,) = stored.api.calls
    assert upload.parameters == {"chat_id": -1009, "disable_notification": True}
    assert upload.files["document"][1] == DATA
    assert handle == "id-of-document-41"
    assert stored.connector.capabilities.handle_days > 0
    await stored.send(attached(handle=handle))
    assert stored.api.calls[1].parameters == {"chat_id": 123, "document": handle}
    assert await stored.connector.upload(attached()) == handle
    assert len(stored.api.calls) == 2


async def test_an_upload_that_telegram_refuses_fails_and_one_in_an_outage_waits(stored: World) -> None:
    stored.api.answer("sendDocument", failed(413), failed(500), failed(429, retry_after=3))
    with pytest.raises(DeliveryFailed, match="413"):
        await stored.connector.upload(attached())
    for _ in range(2):
        with pytest.raises(Unavailable):
            await stored.connector.upload(attached())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (DeliveryFailed("file-corrupt", "not what was uploaded"), Refused("file-corrupt", "not what was uploaded")),
        (FileStoreUnavailable("away"), NotNow("away")),
    ],
)
async def test_a_file_that_cannot_be_read_to_its_end_was_not_sent(
    world: World, fault: Exception, expected: SendOutcome
) -> None:
    assert await world.send(attached(fault=fault)) == expected
    with pytest.raises(type(fault)):
        await world.connector.upload(attached(fault=fault))


async def test_the_texts_of_a_file_follow_it_and_the_message_is_known_by_the_file(world: World) -> None:
    assert await world.send(attached(MediaKind.DOCUMENT, "one", "two")) == replace(SENT, part_ids=("123:42", "123:43"))
    assert world.methods() == ["sendDocument", "sendMessage", "sendMessage"]


async def test_a_part_that_is_throttled_is_sent_a_little_later(world: World) -> None:
    world.api.answer("sendMessage", failed(429, retry_after=0), failed(429, retry_after=0))
    assert await world.send(attached(MediaKind.DOCUMENT, "one")) == replace(SENT, part_ids=("123:42",))
    assert world.methods() == ["sendDocument", "sendMessage", "sendMessage", "sendMessage"]


async def test_a_message_of_which_a_part_was_taken_is_not_begun_anew(world: World) -> None:
    world.api.answer("sendMessage", failed(429, retry_after=60))
    outcome = await world.send(attached(MediaKind.DOCUMENT, "one"))
    assert isinstance(outcome, Refused)
    assert outcome.code == "sent-in-part"
    assert "part 2 of 2" in outcome.detail


async def test_nothing_was_taken_if_the_first_part_was_not(world: World) -> None:
    world.api.answer("sendDocument", failed(429, retry_after=7))
    outcome = await world.send(attached(MediaKind.DOCUMENT, "one"))
    assert outcome == NotNow("so it is (429)", 7.0, Scope.ACCOUNT, is_throttling=True)
    assert world.methods() == ["sendDocument"]


async def test_a_group_that_moved_gets_the_message_at_its_new_number(world: World) -> None:
    world.api.answer("sendMessage", failed(400, migrate_to_chat_id=-1007))
    outcome = await world.send(recipient_id="telegram:-5", target_id="-5:3")
    assert outcome == Sent("-1007:41", 1_454_119_029_000, "-1007")
    assert [call.parameters["chat_id"] for call in world.api.calls] == [-5, -1007]
    assert "reply_parameters" not in world.api.calls[1].parameters


async def test_a_group_that_moves_in_a_circle_is_refused(world: World) -> None:
    world.api.answer("sendMessage", failed(400, migrate_to_chat_id=-7), failed(400, migrate_to_chat_id=-5))
    assert isinstance(await world.send(recipient_id="telegram:-5"), Refused)
    assert len(world.api.calls) == 2


async def test_a_reaction_is_answered_with_true(world: World) -> None:
    outcome = await world.send(kind=REACTION, body={"message_id": "m-0", "emoji": "❤️"}, target_id="123:9")
    assert isinstance(outcome, Sent)
    assert outcome.provider_id == "123:9 reaction"
    assert outcome.at_ms > 0
    assert world.api.calls[0].parameters["reaction"] == [{"type": "emoji", "emoji": "❤"}]


async def test_blocked_by_the_person_is_an_opt_out(world: World) -> None:
    world.api.answer("sendMessage", failed(403, "Forbidden: bot was blocked by the user"))
    outcome = await world.send()
    assert isinstance(outcome, Refused)
    assert outcome.kind is Refusal.OPTED_OUT


async def test_what_cannot_be_sent_makes_no_call(world: World) -> None:
    for fields in (
        {"recipient_id": "telegram:@maria"},
        {"kind": INTERACTIVE, "body": {"kind": "?"}},
        {"kind": "template"},
    ):
        assert isinstance(await world.send(**fields), Refused)
    assert not world.api.calls


async def test_an_answer_that_does_not_come_leaves_the_outcome_open(world: World) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    world.api.answer("sendMessage", cut)
    assert isinstance(await world.send(), Unknown)
    assert isinstance(await world.connector.look_up(REQUEST, 1), Unknown)
    assert not world.connector.promised_receipts(REQUEST, SENT)


async def test_the_token_is_in_no_outcome_and_in_no_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.CRITICAL, "aiohttp.access")  # that of the Bot API here
    echo = f"no such method: /bot{TOKEN}/sendMessage"
    world.api.answer("sendMessage", failed(404, echo), web.Response(status=502, text=echo))
    world.api.answer("sendChatAction", failed(404, echo))
    outcomes = [await world.send(), await world.send()]
    await world.connector.mark_read("123:1", is_typing=True)
    await world.api.server.close()
    outcomes.append(await world.send())
    shown = repr(outcomes) + repr([outcome.exchange for outcome in outcomes]) + caplog.text + repr(world.connector)
    assert TOKEN not in shown
    assert TOKEN.partition(":")[2] not in shown


async def test_typing_is_shown_and_a_pressed_button_is_answered(world: World) -> None:
    for provider_id in ("123:41 callback q7", "123:41", "wamid.1"):
        await world.connector.acknowledge(provider_id)
        await world.connector.mark_read(provider_id, is_typing=provider_id == "123:41")
    assert [(call.method, call.parameters) for call in world.api.calls] == [
        ("answerCallbackQuery", {"callback_query_id": "q7"}),
        ("sendChatAction", {"chat_id": 123, "action": "typing"}),
    ]


async def test_a_file_is_fetched_by_the_path_that_telegram_names(world: World) -> None:
    world.api.files["documents/a b.pdf"] = DATA
    world.api.answer("getFile", result({"file_id": "f", "file_path": "documents/a b.pdf"}))
    fetched = [chunk async for chunk in world.connector.fetch(Media(id="f"), 1_000)]
    assert b"".join(fetched) == DATA
    assert world.api.calls[0].parameters == {"file_id": "f"}


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (failed(400, "Bad Request: file is too big"), DeliveryFailed, "file-missing"),
        (failed(500), Unavailable, ""),
        (failed(429, retry_after=1), Unavailable, ""),
        (web.Response(status=200, text="<html>"), Unavailable, ""),
        (result({"file_id": "f", "file_path": "gone"}), DeliveryFailed, "file-missing"),
        (result({"file_id": "f", "file_path": "large"}), DeliveryFailed, "file-too-large"),
    ],
)
async def test_a_file_that_does_not_come_says_why(
    world: World, answer: web.Response, error: type[Exception], reason: str
) -> None:
    world.api.files["large"] = b"x" * 2_000
    world.api.answer("getFile", answer)
    with pytest.raises(error) as caught:
        async for _ in world.connector.fetch(Media(id="f"), 1_000):
            pass
    assert getattr(caught.value, "reason", "") == reason


async def test_updates_are_polled_with_all_kinds_and_from_the_offset(world: World) -> None:
    updates = [{"update_id": 7, "message": {"message_id": 1}}, {"update_id": 9, "poll": {}}]
    world.api.answer("getUpdates", result(updates), result([]))
    polled = await world.connector.poll(0)
    assert polled.updates == (b'{"update_id":7,"message":{"message_id":1}}', b'{"update_id":9,"poll":{}}')
    assert polled.next_offset == 10
    assert (await world.connector.poll(10)).next_offset == 0
    first, second = world.api.calls
    assert "offset" not in first.parameters
    assert second.parameters["offset"] == 10
    assert {"my_chat_member", "message_reaction", "callback_query"} <= set(second.parameters["allowed_updates"])


async def test_large_and_odd_updates_are_read(world: World) -> None:
    text = "x" * 100_000
    raw = f'{{"ok":true,"result":[{{"update_id":7,"a":"\\ud800"}},{{"update_id":8,"b":"{text}","n":{10**30}}}]}}'
    world.api.answer("getUpdates", web.Response(text=raw))
    polled = await world.connector.poll(0)
    assert polled.next_offset == 9
    assert polled.updates[0] == b'{"update_id": 7, "a": "\\ud800"}'
    assert len(polled.updates[1]) > 100_000


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (failed(409, "Conflict: can't use getUpdates method while webhook is active"), 0),
        (failed(429, retry_after=9), 9),
        (failed(401), 0),
        (web.Response(status=502, text="<html>"), 0),
        (web.Response(text="[]"), 0),
        (web.Response(text="[" * 100_000), 0),
    ],
)
async def test_a_poll_that_is_refused_says_how_long_to_wait(world: World, answer: web.Response, seconds: int) -> None:
    world.api.answer("getUpdates", answer)
    with pytest.raises(Unavailable) as caught:
        await world.connector.poll(0)
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("options", "token", "named"),
    [
        ({}, "with space", "token"),
        ({}, "a/../b", "token"),
        ({"updates": "push"}, TOKEN, "updates"),
        ({"storage_chat": "@mine"}, TOKEN, "storage_chat"),
        ({"base_url": "ftp://x"}, TOKEN, "url"),
        ({"call_seconds": "x"}, TOKEN, "call_seconds"),
    ],
)
def test_an_unusable_option_is_told_without_the_token(options: dict[str, str], token: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        TelegramConnector(options, token)
    assert token not in str(caught.value)


def test_the_driver_takes_the_token_from_the_accounts_secret() -> None:
    account = Account(channel="telegram", driver="telegram", options={"updates": "polling"})
    connector = DRIVER.connect(account, {"token": TOKEN}.__getitem__)
    assert isinstance(connector, TelegramConnector)
    assert connector.is_polled
    assert DRIVER.works_on("telegram")
    assert not DRIVER.works_on("whatsapp")
