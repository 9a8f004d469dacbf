"""The connector of Instagram against a Graph API on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.instagram.connector import BASE_URLS, DRIVER, InstagramConnector
from domain.accounts import Account
from domain.attachments import MediaKind, MediaPlan
from domain.errors import DeliveryFailed, FileStoreUnavailable, Unavailable
from domain.files import FileMetadata
from domain.inbound import Media, Person
from domain.kinds import REACTION
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown, cause_of
from domain.ports import Attachment
from domain.records import DeliveryRequested

TOKEN = "IGAA-secret_token_of_tests"
REQUEST = DeliveryRequested("m-1", "c-1", "u", "instagram:@maria", "oi", None, 1, 0, to="900")
DATA = b"the bytes of a file"


class GraphApi:
    """``calls``: (method, path, authorization, body); ``answers``: the next ones, else all goes well."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, Any]] = []
        self.answers: list[web.Response] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else dict(request.query)
        self.calls.append((request.method, request.path, request.headers.get("Authorization", ""), body))
        if self.answers:
            return self.answers.pop(0)
        if request.path.startswith("/media/"):
            return web.Response(body=DATA)
        if "sender_action" in body:
            return web.json_response({"recipient_id": body["recipient"]["id"]})
        return web.json_response({"recipient_id": "900", "message_id": f"mid.{len(self.calls)}"})


def failed(code: int, subcode: int = 0, status: int = 400, message: str = "so it is") -> web.Response:
    error = {"message": message, "type": "IGApiException", "code": code, "error_subcode": subcode}
    return web.json_response({"error": error}, status=status)


@pytest.fixture
async def api() -> AsyncIterator[GraphApi]:
    api = GraphApi()
    await api.server.start_server()
    yield api
    await api.server.close()


@pytest.fixture
async def connector(api: GraphApi) -> AsyncIterator[InstagramConnector]:
    connector = InstagramConnector({"base_url": f"{api.url}/v25.0"}, TOKEN)
    yield connector
    await connector.close()


async def send(connector: InstagramConnector, attachment: Attachment | None = None, **fields: object) -> SendOutcome:
    return await connector.send(replace(REQUEST, **fields), 1, attachment)  # type: ignore[arg-type]


def attached(kind: MediaKind, *texts: str, fault: Exception | None = None) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        if fault is not None:
            raise fault
        yield DATA

    metadata = FileMetadata("a.png", len(DATA), "image/png", f"sha256:{sha256(DATA).hexdigest()}", "c-1/f-1")
    return Attachment(MediaPlan(kind, "", texts), metadata, "https://files.example/a", read)


async def test_a_text_is_sent_with_the_token_in_a_header(connector: InstagramConnector, api: GraphApi) -> None:
    outcome = await send(connector)
    assert isinstance(outcome, Sent)
    assert (outcome.provider_id, outcome.to) == ("mid.1", "900")
    assert outcome.at_ms > 1_700_000_000_000
    assert outcome.exchange is not None
    assert outcome.exchange.status == 200
    body = {"recipient": {"id": "900"}, "messaging_type": "RESPONSE", "message": {"text": "oi"}}
    assert api.calls == [("POST", "/v25.0/me/messages", f"Bearer {TOKEN}", body)]


async def test_a_file_goes_by_its_link_and_its_texts_follow(connector: InstagramConnector, api: GraphApi) -> None:
    attachment = attached(MediaKind.IMAGE, "one", "two")
    assert await connector.upload(attachment) == ""
    outcome = await send(connector, attachment)
    assert isinstance(outcome, Sent)
    assert (outcome.provider_id, outcome.part_ids) == ("mid.1", ("mid.2", "mid.3"))
    sent = [call[3]["message"] for call in api.calls]
    url = {"url": "https://files.example/a"}
    assert sent == [{"attachment": {"type": "image", "payload": url}}, {"text": "one"}, {"text": "two"}]


@pytest.mark.parametrize("fault", [DeliveryFailed("file-corrupt", "x"), FileStoreUnavailable("away")])
async def test_a_file_that_cannot_be_read_is_not_sent_as_a_link(
    connector: InstagramConnector, fault: Exception
) -> None:
    with pytest.raises(type(fault)):
        await connector.upload(attached(MediaKind.IMAGE, fault=fault))


async def test_a_message_of_which_a_part_was_taken_is_not_begun_anew(
    connector: InstagramConnector, api: GraphApi
) -> None:
    api.answers = [web.json_response({"message_id": "mid.1"}), failed(100)]
    outcome = await send(connector, attached(MediaKind.IMAGE, "one"))
    assert isinstance(outcome, Refused)
    assert outcome.code == "sent-in-part"


async def test_what_stops_a_later_part_is_told_with_the_refusal(connector: InstagramConnector, api: GraphApi) -> None:
    """Once the account went on with a revoked token, because the message was merely "sent in part"."""
    api.answers = [web.json_response({"message_id": "mid.1"}), failed(190, 463, 401)]
    outcome = await send(connector, attached(MediaKind.IMAGE, "one"))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.kind) == ("sent-in-part", Refusal.PERMANENT)
    cause = cause_of(outcome)
    assert isinstance(cause, Refused)
    assert (cause.code, cause.kind) == ("unauthorized", Refusal.AUTHENTICATION)


async def test_a_reaction_is_carried_out(connector: InstagramConnector, api: GraphApi) -> None:
    outcome = await send(connector, kind=REACTION, body={"message_id": "m-0", "emoji": "❤️"}, target_id="mid.5")
    assert isinstance(outcome, Sent)
    assert outcome.provider_id == "mid.5 react"
    api.answers = [failed(100)]
    outcome = await send(connector, kind=REACTION, body={"message_id": "m-0", "emoji": ""}, target_id="mid.5")
    assert isinstance(outcome, Refused)


async def test_outside_the_window_a_persons_words_go_with_their_tag(api: GraphApi) -> None:
    connector = InstagramConnector({"base_url": api.url, "human_agent": "true"}, TOKEN)
    api.answers = [failed(10, 2534022, 403)]
    assert isinstance(await send(connector), Sent)
    first, second = (call[3] for call in api.calls)
    assert first["messaging_type"] == "RESPONSE"
    assert (second["messaging_type"], second["tag"]) == ("MESSAGE_TAG", "HUMAN_AGENT")
    api.answers = [failed(10, 2534022, 403), failed(10, 2534022, 403)]
    outcome = await send(connector)
    assert isinstance(outcome, Refused)
    assert outcome.kind is Refusal.OUTSIDE_WINDOW
    assert len(api.calls) == 4
    await connector.close()


async def test_without_the_option_nothing_goes_outside_the_window(connector: InstagramConnector, api: GraphApi) -> None:
    api.answers = [failed(10, 2534022, 403)]
    outcome = await send(connector)
    assert isinstance(outcome, Refused)
    assert outcome.kind is Refusal.OUTSIDE_WINDOW
    assert len(api.calls) == 1


async def test_a_throttled_account_waits_as_long_as_it_is_told(connector: InstagramConnector, api: GraphApi) -> None:
    answer = failed(613)
    answer.headers["Retry-After"] = "12"
    api.answers = [answer]
    assert await send(connector) == NotNow("so it is (613)", 12.0, Scope.ACCOUNT, is_throttling=True)


async def test_what_cannot_be_sent_makes_no_call(connector: InstagramConnector, api: GraphApi) -> None:
    for fields in ({"to": ""}, {"kind": "interactive", "body": {}}, {"kind": "template"}):
        assert isinstance(await send(connector, **fields), Refused)
    assert not api.calls
    assert isinstance(await connector.look_up(REQUEST, 1), Unknown)
    assert not connector.promised_receipts(REQUEST, Sent("mid.1", 1))


async def test_the_token_is_in_no_outcome_and_in_no_log(
    connector: InstagramConnector, api: GraphApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.answers = [
        failed(190, 463, 401, f"Error validating access token {TOKEN}"),
        web.Response(status=502, text=f"Bearer {TOKEN}"),
    ]
    outcomes = [await send(connector), await send(connector)]
    await api.server.close()
    outcomes.append(await send(connector))
    shown = repr(outcomes) + repr([outcome.exchange for outcome in outcomes]) + caplog.text + repr(connector)
    assert TOKEN not in shown
    assert isinstance(outcomes[2], NotNow | Unknown)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/v25.0/me/messages"),
        ({"login": "facebook"}, "/v25.0/me/messages"),
        ({"login": "unified", "ig_id": "1784"}, "/v25.0/1784/messages"),
        ({"ig_id": "1784"}, "/v25.0/1784/messages"),
    ],
)
async def test_each_set_up_has_its_path(api: GraphApi, options: dict[str, str], path: str) -> None:
    connector = InstagramConnector({"base_url": f"{api.url}/v25.0", **options}, TOKEN)
    await send(connector)
    assert api.calls[0][1] == path
    await connector.close()


def test_each_set_up_has_its_host() -> None:
    assert BASE_URLS == {
        "instagram": "https://graph.instagram.com/v25.0",
        "facebook": "https://graph.facebook.com/v25.0",
        "unified": "https://graph.facebook.com/v25.0",
    }


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"login": "x"}, "login"),
        ({"login": "unified"}, "ig_id"),
        ({"ig_id": "../1"}, "ig_id"),
        ({"base_url": "graph"}, "url"),
    ],
)
def test_an_unusable_option_is_told(options: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        InstagramConnector(options, TOKEN)


async def test_a_file_is_fetched_from_the_providers_hosts_alone(connector: InstagramConnector, api: GraphApi) -> None:
    chunks = [chunk async for chunk in connector.fetch(Media(url=f"{api.url}/media/1"), 1_000)]
    assert b"".join(chunks) == DATA
    assert api.calls[0][2] == ""  # the token stays here
    for url in (
        "http://169.254.169.254/latest",
        "https://evil.example/1",
        "https://fbcdn.net.evil.example/1",
        "http://scontent.fbcdn.net/1",
        "file:///etc/passwd",
        "https://[",
        "",
    ):
        with pytest.raises(DeliveryFailed, match="media_hosts"):
            async for _ in connector.fetch(Media(url=url), 1_000):
                pass
    assert len(api.calls) == 1


async def test_a_redirect_leads_to_the_providers_hosts_alone(connector: InstagramConnector, api: GraphApi) -> None:
    elsewhere = f"{api.url}/media/1".replace("127.0.0.1", "localhost")
    api.answers = [web.Response(status=302, headers={"Location": elsewhere})]
    with pytest.raises(DeliveryFailed, match="localhost"):
        async for _ in connector.fetch(Media(url=f"{api.url}/media/0"), 1_000):
            pass
    assert len(api.calls) == 1
    api.answers = [web.Response(status=302, headers={"Location": f"{api.url}/media/1"})]
    chunks = [chunk async for chunk in connector.fetch(Media(url=f"{api.url}/media/0"), 1_000)]
    assert b"".join(chunks) == DATA


async def test_a_profile_tells_the_handle(connector: InstagramConnector, api: GraphApi) -> None:
    api.answers = [
        web.json_response({"id": "900", "name": "Maria", "username": "Maria.S"}),
        failed(230),
        failed(2, status=500),
        failed(4, status=429),
    ]
    assert await connector.profile("900") == Person(user_id="900", handle="@maria.s", name="Maria")
    assert api.calls[0][:2] == ("GET", "/v25.0/900")
    assert await connector.profile("900") is None
    for _ in range(2):
        with pytest.raises(Unavailable):
            await connector.profile("900")
    assert await connector.profile("../me") is None
    assert len(api.calls) == 4


async def test_a_persons_messages_are_marked_as_seen(connector: InstagramConnector, api: GraphApi) -> None:
    api.answers = [web.json_response({"from": {"id": "900", "username": "maria"}, "id": "mid.1/="})]
    await connector.mark_read("mid.1/=", is_typing=True)
    assert [call[1] for call in api.calls] == ["/v25.0/mid.1/=", "/v25.0/me/messages", "/v25.0/me/messages"]
    assert [call[3].get("sender_action") for call in api.calls] == [None, "mark_seen", "typing_on"]
    api.answers = [failed(100)]
    await connector.mark_read("mid.2", is_typing=False)
    assert len(api.calls) == 4


def test_the_driver_takes_the_token_from_the_accounts_secret() -> None:
    account = Account(channel="instagram", driver="instagram")
    assert isinstance(DRIVER.connect(account, {"token": TOKEN}.__getitem__), InstagramConnector)
    assert DRIVER.works_on("instagram")
    assert not DRIVER.works_on("telegram")
