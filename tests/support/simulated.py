"""A running simulator, and a receiver of its webhooks, both real HTTP servers on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from simulator.accounts import DEFAULTS, BusinessAccount
from simulator.chaos import Chaos
from simulator.server import Simulator
from support.waiting import until

AT_ONCE: dict[str, object] = {
    "latency_seconds": [0, 0],
    "delivered_seconds": [0, 0],
    "read_seconds": [0, 0],
    "answer_seconds": [0, 0],
}
WHATSAPP, INSTAGRAM, TELEGRAM = DEFAULTS
MARIA = "5511999990000"


@dataclass
class Received:
    """A webhook as it came in."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found

    def is_signed_with(self, secret: str) -> bool:
        expected = hmac.new(secret.encode(), self.raw, hashlib.sha256).hexdigest()
        return self.headers.get("X-Hub-Signature-256") == f"sha256={expected}"


@dataclass
class Receiver:
    """Takes webhooks; answers the next ones with ``statuses``, then with 200."""

    webhooks: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/webhooks/{rest:.*}", self._take)
        app.router.add_get("/webhooks/{rest:.*}", self._verify)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.webhooks.append(Received(request.path, dict(request.headers), raw))
        return web.Response(status=status)

    async def _verify(self, request: web.Request) -> web.Response:
        if request.query.get("hub.verify_token") != WHATSAPP.verify_token:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])

    def changes(self) -> list[dict[str, Any]]:
        """Return the values of all changes, of WhatsApp's webhooks."""
        return [
            change["value"]
            for webhook in self.webhooks
            for entry in webhook.document["entry"]
            for change in entry.get("changes", [])
        ]

    def statuses_seen(self) -> list[str]:
        return [status["status"] for value in self.changes() for status in value.get("statuses", [])]

    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.changes() for message in value.get("messages", [])]

    def messaging(self) -> list[dict[str, Any]]:
        """Return the elements of Instagram's webhooks."""
        found = []
        for webhook in self.webhooks:
            for entry in webhook.document.get("entry", []):
                found += entry.get("messaging", [])
        return found


class SimulatedWorld:
    """The simulator (``url``), its client and the receiver of its webhooks."""

    def __init__(
        self, simulator: Simulator, client: TestClient[web.Request, web.Application], receiver: Receiver
    ) -> None:
        self.simulator = simulator
        self.client = client
        self.receiver = receiver
        self.url = str(client.make_url("")).rstrip("/")

    async def whatsapp(self, *, code: int = 200, account: BusinessAccount = WHATSAPP, **document: object) -> Any:
        """Send on WhatsApp; return the answer's JSON."""
        document = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": MARIA, **document}
        path = f"/graph/v26.0/{account.number_id}/messages"
        return await self.call("POST", path, code, account.token, json={k: v for k, v in document.items() if v})

    async def instagram(self, igsid: str, *, code: int = 200, id: str = "me", **document: object) -> Any:
        """Send on Instagram; return the answer's JSON."""
        body = {"recipient": {"id": igsid}, **document}
        return await self.call("POST", f"/graph/v25.0/{id}/messages", code, INSTAGRAM.token, json=body)

    async def call(self, method: str, path: str, status: int = 200, token: str = "", **more: Any) -> Any:
        """Call the simulator; assert the status and return the answer's JSON."""
        path = path.removeprefix(self.url)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.client.request(method, path, headers=headers, **more) as answer:
            text = await answer.text()
            assert answer.status == status, (answer.status, text)
            return json.loads(text)

    async def get(self, path: str, status: int = 200) -> Any:
        return await self.call("GET", path, status)

    async def post(self, path: str, status: int = 200, **document: object) -> Any:
        return await self.call("POST", path, status, json=document)

    async def screen(self, phone: str = MARIA) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get(f"/phones/{phone}/messages?limit=1000"))["messages"]
        return found

    async def until_statuses(self, *expected: str) -> None:
        await until(lambda: self.receiver.statuses_seen() == list(expected))


@asynccontextmanager
async def simulated(
    accounts: Iterable[BusinessAccount] = DEFAULTS, with_callbacks: bool = True, **chaos: object
) -> AsyncIterator[SimulatedWorld]:
    """Run a simulator with this chaos, friendly and quick by default."""
    receiver = Receiver()
    receiving = TestServer(receiver.app())
    await receiving.start_server()
    base = str(receiving.make_url("/webhooks")) if with_callbacks else ""
    simulator = Simulator(Chaos().changed({**AT_ONCE, **chaos}), accounts, base)
    client = TestClient(TestServer(simulator.app()), timeout=aiohttp.ClientTimeout(total=10))
    await client.start_server()
    simulator.public_url = str(client.make_url("")).rstrip("/")
    try:
        yield SimulatedWorld(simulator, client, receiver)
    finally:
        await client.close()
        await receiving.close()
