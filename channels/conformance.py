"""The duties of every connector: tests that a connector's own test class inherits, with pytest and pytest-asyncio.

    class TestPigeon(ConnectorConformance):
        address = "pigeon:@maria"
        replies = {
            TAKEN: Reply(200, {"id": "1"}),
            THROTTLED: Reply(429, {"error": "slow down"}),
            REFUSED: Reply(400, {"error": "no"}),
            UNAUTHORIZED: Reply(401, {"error": "who are you?"}),
        }

        def connect(self, url: str, secret: str) -> Connector:
            return PigeonConnector({"url": url}, secret)

Each test runs the connector against a server on loopback that gives one of ``replies``, or misbehaves.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

from aiohttp import web
from aiohttp.test_utils import TestServer

from domain.attachments import MediaKind, MediaPlan
from domain.errors import DeliveryFailed, FileStoreUnavailable, Unavailable
from domain.files import FileMetadata
from domain.kinds import OUTBOUND_KINDS
from domain.outcomes import MOST_TEXT, NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown, bounded
from domain.ports import Attachment, Connector
from domain.records import DeliveryRequested

SECRET = "123456:marked-SECRET_of-the-conformance-kit"
SECONDS = 5.0  # the longest time for one call here
TAKEN, THROTTLED, REFUSED, UNAUTHORIZED = "taken", "throttled", "refused", "unauthorized"
BODIES: Mapping[str, Mapping[str, object]] = {
    "template": {"name": "order", "language": "en", "parameters": {}},
    "interactive": {"kind": "buttons", "buttons": [{"id": "y", "title": "Yes"}]},
    "location": {"latitude": 1.5, "longitude": -2.5, "name": "Here"},
    "reaction": {"message_id": "m-0", "emoji": "👍"},
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer: ``body`` is JSON, or text as it stands."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)

    def response(self) -> web.Response:
        """Return the answer as the server gives it."""
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


class _Texts(logging.Handler):
    """Keeps the texts of all log records, with their exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "aiohttp.access":  # of the server here
            return
        self.texts.append(self.format(record))


class ConnectorConformance:
    """The tests. ``address``: to which messages go. ``replies``: the provider's answer for each behaviour; without
    ``THROTTLED`` it never throttles."""

    address: ClassVar[str]
    replies: ClassVar[Mapping[str, Reply]]

    def connect(self, url: str, secret: str) -> Connector:
        """Return a connector to the provider at ``url``, with this secret."""
        raise NotImplementedError

    def reply_to(self, request: web.Request, behaviour: str) -> Reply:
        """Return the answer to a request; to be overridden if it depends on the request."""
        return self.replies[behaviour]

    @property
    def request(self) -> DeliveryRequested:
        """A message to ``address``."""
        return DeliveryRequested("m-1", "c-1", "u", self.address, "hi", None, 1, 0, to="")

    @asynccontextmanager
    async def running(self, behaviour: str | Reply | None) -> AsyncIterator[Connector]:
        """Run a server with one behaviour; ``None``: it cuts each connection after it has read the request."""

        async def handle(request: web.Request) -> web.StreamResponse:
            await request.read()
            if behaviour is None:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            reply = self.reply_to(request, behaviour) if isinstance(behaviour, str) else behaviour
            if "{echo}" in str(reply.body):
                said = f"{request.method} {request.path_qs} {dict(request.headers)}"
                reply = replace(reply, body=str(reply.body).replace("{echo}", said))
            return reply.response()

        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", handle)
        async with TestServer(app) as server:
            connector = self.connect(str(server.make_url("")).rstrip("/"), SECRET)
            try:
                yield connector
            finally:
                await connector.close()

    async def sent(self, behaviour: str | Reply | None) -> SendOutcome:
        """Return the outcome of one message."""
        async with self.running(behaviour) as connector:
            return await send(connector, self.request)

    async def test_a_taken_message_is_sent_under_the_providers_id(self) -> None:
        outcome = await self.sent(TAKEN)
        assert isinstance(outcome, Sent), outcome
        assert outcome.provider_id
        assert outcome.at_ms > 0, "a time in epoch milliseconds"
        assert outcome.exchange is None or outcome.exchange.status == self.replies[TAKEN].status

    async def test_a_throttled_message_waits(self) -> None:
        if THROTTLED not in self.replies:
            return
        outcome = await self.sent(THROTTLED)
        assert isinstance(outcome, NotNow), outcome
        assert outcome.is_throttling, "more than the channel takes, so the account slows down"
        assert outcome.scope in (Scope.ACCOUNT, Scope.PAIR)

    async def test_a_refused_message_fails_with_a_word_and_a_sentence(self) -> None:
        outcome = await self.sent(REFUSED)
        assert isinstance(outcome, Refused), outcome
        assert outcome.kind is not Refusal.AUTHENTICATION
        assert outcome.code
        assert " " not in outcome.code, "a stable word"
        assert outcome.detail

    async def test_a_refused_credential_is_no_fault_of_the_message(self) -> None:
        outcome = await self.sent(UNAUTHORIZED)
        assert isinstance(outcome, Refused), outcome
        assert outcome.kind is Refusal.AUTHENTICATION

    async def test_an_answer_without_meaning_leaves_the_outcome_open(self) -> None:
        for status, body in ((200, "<html>hello</html>"), (200, "{"), (200, []), (500, "<html>"), (502, ""), (307, "")):
            outcome = await self.sent(Reply(status, body))
            assert isinstance(outcome, Unknown), (status, body, outcome)

    async def test_a_cut_connection_leaves_the_outcome_open(self) -> None:
        assert isinstance(outcome := await self.sent(None), Unknown), outcome

    async def test_without_a_connection_nothing_was_sent(self) -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))  # and does not listen
            connector = self.connect(f"http://127.0.0.1:{deaf.getsockname()[1]}", SECRET)
            outcome = await send(connector, self.request)
            await connector.close()
        assert isinstance(outcome, NotNow), outcome
        assert outcome.scope is Scope.ACCOUNT

    async def test_a_long_answer_is_within_the_bounds_of_records(self) -> None:
        outcome = await self.sent(Reply(400, "x" * 1_000_000))
        assert len(getattr(outcome, "detail", "")) <= MOST_TEXT
        assert bounded(outcome) == outcome

    async def test_many_calls_at_once_have_each_its_own_outcome(self) -> None:
        async with self.running(TAKEN) as connector:
            requests = [replace(self.request, message_id=f"m-{n}", conversation_id=f"c-{n}") for n in range(20)]
            outcomes = await asyncio.gather(*(send(connector, request) for request in requests))
        assert all(isinstance(outcome, Sent) for outcome in outcomes)

    async def test_a_cancelled_call_and_a_closed_connector_leave_it_usable(self) -> None:
        async with self.running(TAKEN) as connector:
            call = asyncio.create_task(connector.send(self.request, 1))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert isinstance(await send(connector, self.request), Sent)
            await connector.close()
            await connector.close()
            assert isinstance(await send(connector, self.request), Sent)

    async def test_each_kind_has_an_outcome_and_none_raises(self) -> None:
        async with self.running(TAKEN) as connector:
            for kind in sorted(OUTBOUND_KINDS):
                request = replace(self.request, kind=kind, body=BODIES.get(kind, {}))
                assert isinstance(await send(connector, request), Sent | Refused), kind
            for kind in BODIES:
                outcome = await send(connector, replace(self.request, kind=kind, body={"novelty": 1}))
                assert isinstance(outcome, Refused), (kind, "a body of another form is refused")

    async def test_a_file_that_cannot_be_read_is_no_fault_of_the_channel(self) -> None:
        for error in (DeliveryFailed("file-corrupt", "it is corrupt"), FileStoreUnavailable("away")):
            async with self.running(TAKEN) as connector:
                [raised] = await asyncio.gather(connector.upload(file_of(error)), return_exceptions=True)
                assert raised is error, "upload reads the file, so that a corrupt one is never sent"

    async def test_an_outage_during_an_upload_is_one_of_the_channel(self) -> None:
        async with self.running(Reply(500, "<html>")) as connector:
            [raised] = await asyncio.gather(connector.upload(file_of()), return_exceptions=True)
            assert isinstance(raised, str | Unavailable), "a handle if nothing was uploaded yet"

    async def test_capabilities_say_what_the_connector_does(self) -> None:
        async with self.running(TAKEN) as connector:
            capabilities = connector.capabilities
            assert connector.channel == self.address.partition(":")[0]
            assert not capabilities.repeatable, "no provider recognises a message that comes again"
            assert capabilities.handle_days >= 0
            assert not connector.promised_receipts(self.request, Sent("1", 1)), "receipts come from the provider"
            outcome = await connector.look_up(self.request, 1)
            assert capabilities.can_look_up or isinstance(outcome, Unknown)

    async def test_the_secret_is_in_no_outcome_and_in_no_log(self) -> None:
        texts = _Texts()
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(texts)
        root.setLevel(logging.DEBUG)
        try:
            for status in (200, 400, 401, 429, 500):
                outcome = await self.sent(Reply(status, "you said {echo}"))
                texts.texts.append(repr(outcome))
            for behaviour in (TAKEN, REFUSED, UNAUTHORIZED, None):
                texts.texts.append(repr(await self.sent(behaviour)))
            async with self.running(Reply(400, "you said {echo}")) as connector:
                [raised] = await asyncio.gather(connector.upload(file_of()), return_exceptions=True)
                texts.texts += [repr(connector), repr(raised)]
        finally:
            root.removeHandler(texts)
            root.setLevel(level)
        for text in texts.texts:
            for part in (SECRET, SECRET.partition(":")[2]):
                assert part not in text, text[:300]


async def send(connector: Connector, request: DeliveryRequested, file: Attachment | None = None) -> SendOutcome:
    """Return the outcome of one call, which must end in time."""
    async with asyncio.timeout(SECONDS):
        return await connector.send(request, 1, file)


def file_of(error: Exception | None = None) -> Attachment:
    """Return an image of two chunks, before whose last one ``error`` is raised."""

    async def read() -> AsyncIterator[bytes]:
        yield b"x" * 1_000
        if error is not None:
            raise error
        yield b"y"

    metadata = FileMetadata("a.png", 1_001, "image/png", f"sha256:{'0' * 64}", "k")
    return Attachment(MediaPlan(MediaKind.IMAGE, "look"), metadata, "https://files.example.org/1", read)
