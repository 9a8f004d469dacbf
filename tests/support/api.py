"""The API against fakes: a running application whose Kafka and Cassandra are dicts with a switch."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import Any, Self

from aiohttp import ClientResponse, ClientSession, web
from click.testing import Result

from app.settings import Settings
from channels.manifest import WEBHOOKS
from domain.errors import LogUnavailable
from domain.ports import Admin, MirrorEntry, WebhookProtocol
from domain.signed_links import link_key
from fakes.contacts import MemoryContacts
from fakes.file_records import MemoryFileRecords
from fakes.file_store import MemoryFileStore
from fakes.identities import MemoryAdmins, MemoryIdentities, MemoryRefreshTokens
from fakes.lag import FakeLag
from fakes.message_log import NOW_MS, MemoryLog, MemoryTailer, SharedLogTailer
from fakes.record_log import MemoryRecordLog
from fakes.stores import MemoryConversations, MemoryMessages, MemoryUsers
from fakes.traces import MemoryTraces
from support.contract import Contract
from support.live_log import LiveLog
from support.values import NO_ACCOUNTS, changed
from web.bootstrap.adapters import Adapters
from web.bootstrap.services import Services
from web.history.recent import RecentMessages
from web.http.protocol import listen
from web.server import create_app

PASSWORD = "correct horse battery"


class Clock:
    """Epoch milliseconds that move when told."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class Api:
    """The running application, its fakes, and a client that shortens what tests do often."""

    def __init__(
        self,
        live_log: LiveLog | None = None,
        webhook_protocols: Mapping[str, WebhookProtocol] = WEBHOOKS,
        **settings: object,
    ) -> None:
        usual = Settings(
            ledger_url="",
            accounts=NO_ACCOUNTS,
            jwt_secret="s" * 48,
            argon2_time_cost=1,
            argon2_memory_kib=8,
            recent_messages=1_000,
            max_body_bytes=65_536,
        )
        self.settings = changed(usual, settings)
        self.webhook_protocols = webhook_protocols
        self.clock = Clock()
        self.log = MemoryLog()
        self.record_log = MemoryRecordLog(self.settings.partitions)
        self.lag = FakeLag()
        self.messages = MemoryMessages()
        self.users = MemoryUsers()
        self.admins = MemoryAdmins()
        self.identities = MemoryIdentities()
        self.refresh_tokens = MemoryRefreshTokens()
        self.contacts = MemoryContacts()
        self.conversations = MemoryConversations()
        self.files = MemoryFileRecords()
        self.traces = MemoryTraces()
        self.file_store = MemoryFileStore(key=link_key("s" * 48))
        self.recent = RecentMessages(self.settings.recent_messages)
        self.tailer = MemoryTailer(self.recent)
        self.live_log = live_log or LiveLog(self.settings.partitions)
        self.down: set[str] = set()
        self._names = itertools.count(1)
        self._make()

    def _make(self) -> None:
        adapters = Adapters(
            settings=self.settings,
            log=self.log,
            record_log=self.record_log,
            reader=self.messages,
            users=self.users,
            admins=self.admins,
            identities=self.identities,
            refresh_tokens=self.refresh_tokens,
            contacts=self.contacts,
            conversations=self.conversations,
            activity=self.messages,
            files=self.files,
            traces=self.traces,
            file_store=self.file_store,
            recent=self.recent,
            tailer=self.tailer,
            webhook_protocols=self.webhook_protocols,
            probes={"kafka": self._probe("kafka"), "cassandra": self._probe("cassandra")},
            clock_ms=self.clock,
            monotonic=lambda: self.clock.now_ms / 1000,
            open_log=self.live_log.open,
            lag=self.lag,
        )
        self.services = Services(adapters)
        self.live_log.follow(self.services.live.hub, self.recent)
        vars(self).pop("app", None)
        self.contract = Contract()
        self.port = 0
        self.session: ClientSession

    @cached_property
    def app(self) -> web.Application:
        """The application over the services, made when it is needed: that takes longer than all the rest."""
        app = create_app(self.services)
        app.on_response_prepare.append(self.contract.check)
        return app

    def beside(self, other: Api) -> Self:
        """Become another process of the same system: the same log and stores, a memory of its own."""
        for shared in (
            "log",
            "record_log",
            "messages",
            "users",
            "admins",
            "contacts",
            "conversations",
            "identities",
            "refresh_tokens",
            "live_log",
            "clock",
            "_names",
            "files",
            "traces",
            "file_store",
        ):
            setattr(self, shared, getattr(other, shared))
        self.tailer = SharedLogTailer(self.recent, log=self.log)
        self._make()
        return self

    def _probe(self, name: str) -> Any:
        async def probe() -> None:
            if name in self.down:
                raise LogUnavailable(f"{name} is switched off")

        return probe

    async def call(
        self,
        method: str,
        path: str,
        json: object = None,
        token: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        data: object = None,
        params: Mapping[str, str | int] | None = None,
        allow_redirects: bool = True,
    ) -> ClientResponse:
        """Return the answer, read to its end; a problem's promises are checked on the way."""
        request = self.session.request(
            method,
            path,
            json=json,
            headers={**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})},
            data=data,
            params=params,
            allow_redirects=allow_redirects,
        )
        async with request as answer:
            await answer.read()
        assert answer.headers["X-Request-Id"]
        if answer.status >= 400 and method != "HEAD" and "components" not in await answer.text():
            await self.check_problem(answer)
        return answer

    async def check_problem(self, answer: ClientResponse) -> None:
        assert answer.content_type == "application/problem+json"
        problem = await answer.json(content_type=None)
        assert problem["status"] == answer.status
        assert problem["error"] == problem["detail"] != ""
        assert {"type", "title", "instance"} <= set(problem)
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        if answer.status == 429:
            assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= set(answer.headers)
        if answer.status in (429, 503):
            assert int(answer.headers["Retry-After"]) > 0
        if answer.status == 405:
            assert answer.headers["Allow"]

    async def register(self, username: str | None = None, password: str = PASSWORD) -> str:
        """Return a new user's name."""
        username = username or f"user_{next(self._names)}"
        answer = await self.call("POST", "/users", {"username": username, "password": password})
        assert answer.status == 201
        return username

    async def login(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        """Return the answer to a login that works."""
        answer = await self.call("POST", "/auth/login", {"username": username, "password": password})
        assert answer.status == 200
        return dict(await answer.json())

    async def somebody(self) -> str:
        """Return the token of a new user."""
        return str((await self.login(await self.register()))["access_token"])

    async def admin(self, username: str | None = None) -> str:
        """Return the token of a new user with the role admin."""
        logged_in = await self.login(await self.register(username))
        await self.admins.grant(Admin(logged_in["user_id"], username or "admin", NOW_MS, "root"))
        return str(logged_in["access_token"])

    async def send(self, token: str, conversation_id: str = "c-1", content: str = "hi") -> dict[str, Any]:
        """Return the answer to a message that is accepted."""
        answer = await self.call("POST", "/v1/messages", self.message(conversation_id, content=content), token)
        assert answer.status == 202, await answer.text()
        return dict(await answer.json())

    @staticmethod
    def message(conversation_id: str = "c-1", **changes: object) -> dict[str, Any]:
        """Return the body of a good message with ``changes``; a change to ``...`` leaves the field out."""
        body = {
            "conversation_id": conversation_id,
            "recipient_id": "whatsapp:+5511999990000",
            "content": "hi",
            **changes,
        }
        return {name: value for name, value in body.items() if value is not ...}

    async def mirror(self) -> None:
        """Let the mirror catch up: what the log holds is in the store, and the cache is as good as new."""
        await self.messages.write(
            [MirrorEntry(m.message_id, m.conversation_id, position, m) for m, position, _ in self.log.records]
        )

    def forget_recent(self) -> None:
        """Empty the cache, as in a process that has just started."""
        self.recent.__init__(self.settings.recent_messages)  # type: ignore[misc]


@asynccontextmanager
async def running(api: Api) -> AsyncIterator[Api]:
    """The API, answering on a port. In the end: was every answer as the API's description says?"""
    runner = web.AppRunner(api.app, shutdown_timeout=1)
    await runner.setup()
    server = await listen(runner, "127.0.0.1", 0)
    api.port = server.sockets[0].getsockname()[1]
    async with ClientSession(f"http://127.0.0.1:{api.port}") as api.session:
        yield api
    server.close()
    await runner.cleanup()
    api.services.passwords.close()
    assert api.contract.breaches == [], api.contract.breaches


# starts an ``Api`` with settings of its own: ``async with start_api(max_body_bytes=10) as api``
StartApi = Callable[..., AbstractAsyncContextManager[Api]]
# runs a command of the CLI: ``result = await run("whoami", code=0)``
RunCommand = Callable[..., Awaitable[Result]]
