"""The Python client of the HTTP API: what `chat4all send` uses, and whoever writes a program against it.

async with Client("http://127.0.0.1:8080", token=token) as client:
    accepted = await client.send("whatsapp:+5511999999999", "hello", "conversation-1")
    async for change in client.follow(accepted.message_id, timeout_seconds=30):
        print(change.status, change.at)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from domain.status import Status

REQUEST_SECONDS = 10.0
POLL_SECONDS = 0.1
# the fields of a message in which each word's time is told
_TIMES = {
    Status.ACCEPTED: "accepted_at",
    Status.SENT: "sent_at",
    Status.DELIVERED: "delivered_at",
    Status.READ: "read_at",
    Status.FAILED: "failed_at",
}


class Unreachable(Exception):
    """Nothing answers at the API's address, or it has no use of what it depends on; try again later."""


class Refused(Exception):
    """The API answered with a problem. ``str(error)`` is its detail, ``status`` its HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a message: it is durable."""

    message_id: str
    conversation_id: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A message reached ``status``. ``detail``: why, for FAILED."""

    status: Status
    at: datetime
    detail: str = ""


class Client:
    """One connection pool to one API. Each request takes at most ``request_seconds``.

    Every method raises ``Unreachable`` or ``Refused``.
    """

    def __init__(self, url: str, token: str = "", request_seconds: float = REQUEST_SECONDS) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._timeout = aiohttp.ClientTimeout(total=request_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def register(self, username: str, password: str) -> str:
        """Make an account and return its user id."""
        made = await self._call("POST", "/auth/register", {"username": username, "password": password})
        return str(made["user_id"])

    async def login(self, username: str, password: str) -> None:
        """Get a token, which later requests carry."""
        answer = await self._call("POST", "/auth/login", {"username": username, "password": password})
        self.token = str(answer["access_token"])

    async def send(self, recipient: str, content: str, conversation_id: str) -> Accepted:
        """Send a message and return once it is durable."""
        body = {"conversation_id": conversation_id, "recipient_id": recipient, "content": content}
        made = await self._call("POST", "/v1/messages", body)
        return Accepted(made["message_id"], made["conversation_id"], datetime.fromisoformat(made["accepted_at"]))

    async def message(self, message_id: str) -> dict[str, Any]:
        """Return the message as the API tells it."""
        return await self._call("GET", f"/v1/messages/{quote(message_id, safe='')}")

    async def is_ready(self) -> bool:
        """Return whether the API and what it depends on answer."""
        try:
            await self._call("GET", "/health/ready")
        except (Unreachable, Refused):
            return False
        return True

    async def follow(
        self, message_id: str, until: Status = Status.READ, timeout_seconds: float = 30.0
    ) -> AsyncIterator[Change]:
        """Yield each change of the message, in order, up to ``until`` or FAILED or the end of the time."""
        known: set[Status] = set()
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            for change in changes_of(await self.message(message_id)):
                if change.status not in known:
                    known.add(change.status)
                    yield change
            if has_reached(known, until) or Status.FAILED in known or asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        assert self._session is not None, "use `async with Client(…)`"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            async with self._session.request(method, self.url + path, json=body, headers=headers) as answer:
                document = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
            raise Unreachable(f"no answer from {self.url}: {reason}") from error
        except ValueError:
            raise Unreachable(f"{self.url} is not a Chat4All API: {method} {path} answered without JSON") from None
        if not isinstance(document, dict):
            raise Unreachable(f"{self.url} is not a Chat4All API: {method} {path} answered with other JSON")
        if answer.status == 503:
            raise Unreachable(f"{self.url} cannot serve this now: {document.get('detail', 'unavailable')}")
        if answer.status >= 400:
            raise Refused(answer.status, str(document.get("detail", answer.reason)))
        return document


def has_reached(known: Iterable[Status], until: Status) -> bool:
    """Return whether one of the words is ``until`` or implies it."""
    order = (Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ)
    implying = order[order.index(until) :] if until in order else (until,)
    return any(status in implying for status in known)


def changes_of(message: dict[str, Any]) -> list[Change]:
    """Return what has become of a message, in order of its status words."""
    times = [(status, message.get(field)) for status, field in _TIMES.items()]
    reason = (message.get("failure") or {}).get("detail") or ""
    return [
        Change(status, datetime.fromisoformat(at), reason if status is Status.FAILED else "")
        for status, at in times
        if at
    ]
