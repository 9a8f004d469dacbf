"""A lean HTTP/1.1 client: keep-alive connections, ready-made request bytes, one request at a time on each.

A general client costs 0.3 ms a request and more, on the same two cores as the measured system. This client has only
the features of a load generator. Answers must carry ``Content-Length``, as those of our API do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 30.0


class Answer(NamedTuple):
    """``status`` 0: the connection broke, or no answer came in time, so nobody knows what became of the request."""

    status: int
    body: bytes
    head: bytes = b""

    def json(self) -> Any:
        return orjson.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the value of the header ``name`` (case-insensitive)."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.decode("latin-1").lower() == name.lower():
                return value.decode("latin-1").strip()
        return None


NO_ANSWER = Answer(0, b"")
OnAnswer = Callable[[Answer], None]


def request_bytes(
    method: str, path: str, body: bytes | None = None, token: str = "", headers: dict[str, str] | None = None
) -> bytes:
    """Return the whole request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


class Connection(asyncio.Protocol):
    """One connection. ``ask`` calls ``on_answer`` exactly once, later; the connection may be dead then."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._on_answer: OnAnswer | None = None
        self._received = b""
        self.is_open = False

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Raises ``OSError`` if nobody listens, or does not answer within ``CONNECT_SECONDS``."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(cls, host, port)
        except TimeoutError:
            raise OSError(f"{host}:{port} did not accept in {CONNECT_SECONDS:g} s") from None
        return connection

    def ask(self, request: bytes, on_answer: OnAnswer) -> None:
        """Send ``request``; the answer before must have come."""
        assert self._on_answer is None
        self._on_answer = on_answer
        if self.is_open:
            self._transport.write(request)
        else:
            asyncio.get_running_loop().call_soon(self._answer, NO_ANSWER)

    def close(self) -> None:
        """Close the connection; a pending response becomes ``NO_ANSWER``."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._answer(NO_ANSWER)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            self._received = received
            return
        head = received[:end]
        whole = end + 4 + _content_length(head)
        if len(received) < whole:
            self._received = received
            return
        self._received = b""
        self._answer(Answer(int(head[9:12]), received[end + 4 : whole], head))

    def _answer(self, answer: Answer) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer(answer)


def _content_length(head: bytes) -> int:
    at = head.find(b"Content-Length: ")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + 16 : end if end >= 0 else None])


class Client:
    """Single requests, awaited: for everything that is not the load itself."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        self._host, self._port = host, port
        self.token = token

    async def ask(
        self, method: str, path: str, document: Any = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        """Return the answer; ``NO_ANSWER`` if the API cannot be reached or is silent for ``REQUEST_SECONDS``."""
        body = document if isinstance(document, bytes | None) else orjson.dumps(document)
        try:
            connection = await Connection.open(self._host, self._port)
        except OSError:
            return NO_ANSWER
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            connection.ask(request_bytes(method, path, body, self.token, headers), _setter(answered))
            async with asyncio.timeout(REQUEST_SECONDS):
                return await answered
        except TimeoutError:
            return NO_ANSWER
        finally:
            connection.close()


def _setter(future: asyncio.Future[Answer]) -> OnAnswer:
    def take(answer: Answer) -> None:
        if not future.done():
            future.set_result(answer)

    return take
