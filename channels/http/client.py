"""One account's HTTP client. A call returns an answer or the outcome of having none, and raises for neither."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256 as sha256_of
from math import inf, isfinite
from types import SimpleNamespace
from typing import TypedDict, Unpack

import aiohttp

from channels.http.outgoing import traceparent
from channels.http.redaction import Redaction
from channels.http.uploads import FileBody, file_form
from domain.errors import DeliveryFailed, Unavailable
from domain.outcomes import MOST_ANSWER, Exchange, NotNow, Scope, Unknown, shortened
from domain.ports import Attachment

CHUNK_BYTES = 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024  # of an answer as much is read; an error page is cut
CONNECT_SECONDS = 3.0
CALL_SECONDS = 60.0  # the core's own bound is shorter
_KEEPALIVE_SECONDS = 15.0  # shorter than a server's, so a call seldom meets a connection that the server just closed

# identity: a small answer is not worth unpacking, and a packed one could grow without bound
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "chat4all"}

HTTP_OPTIONS = frozenset({"connect_seconds", "call_seconds"})  # of an account, in accounts.toml


class Body(TypedDict, total=False):
    """The content of a request, in aiohttp's words."""

    json: object
    params: Mapping[str, str]
    data: aiohttp.payload.Payload | bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer. ``body``: at most ``most_bytes`` of it."""

    status: int
    body: bytes
    retry_after: str | None
    exchange: Exchange


class HttpClient:
    """Calls of one account. ``headers`` go with each call to ``base``; ``secrets`` never leave in a text.

    ``options``: of the account; ``connect_seconds`` bounds the time for a connection (3), ``call_seconds`` a whole call
    (60). Raises ``ValueError`` if ``base`` is no HTTP URL or an option is out of range.
    """

    def __init__(
        self,
        base: str,
        options: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        calls_at_once: int = 1_000,
    ) -> None:
        self.redacted = Redaction(secrets)
        self.base = base.rstrip("/")
        if not self.base.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.redacted(self.base)!r}, expected http://… or https://…")
        self._headers = dict(headers or {})
        self._connect_seconds = _seconds(options, "connect_seconds", CONNECT_SECONDS)
        self._call_seconds = _seconds(options, "call_seconds", CALL_SECONDS)
        self._calls_at_once = calls_at_once
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        seconds: float = 0.0,
        most_bytes: int = MAX_ANSWER_BYTES,
        **body: Unpack[Body],
    ) -> Answer | NotNow | Unknown:
        """Call ``path`` below the base, within ``seconds`` (0: the account's, infinite: none). No redirect is followed.

        Of the answer ``most_bytes`` are read. Return ``NotNow`` if no connection came about, so nothing was sent;
        ``Unknown`` if it broke after that.
        """
        bound = seconds or self._call_seconds
        timeout = aiohttp.ClientTimeout(total=bound if isfinite(bound) else None, connect=self._connect_seconds)
        body["headers"] = {**self._headers, **body.get("headers", {})}
        if trace := traceparent.get():
            body["headers"] = {**body["headers"], "traceparent": trace}
        times = _Times()
        try:
            async with self._open().request(
                method, f"{self.base}/{path}", timeout=timeout, allow_redirects=False, trace_request_ctx=times, **body
            ) as answer:
                times.first_byte = time.monotonic()
                content = await _read(answer, most_bytes)
                exchange = times.exchange(answer.status, self._shown(content))
                return Answer(answer.status, content, answer.headers.get("Retry-After"), exchange)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return self._not_connected(error, times)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if not times.is_connected:
                return self._not_connected(error, times)
            detail = shortened(self.redacted(f"the channel did not answer: {error!r}"))
            return Unknown(detail, times.exchange(0, ""))

    async def upload(
        self,
        path: str,
        fields: Mapping[str, str] | None,
        attachment: Attachment,
        field: str = "file",
        filename: str = "",
    ) -> Answer | NotNow | Unknown:
        """POST the attachment: as the whole body, or with ``fields`` in a form, as its last one, named ``field``.

        ``filename``: its name in the form, for a channel that shows it; empty: a plain one. The caller bounds the time.
        Raises the errors of ``attachment.read``.
        """
        file = FileBody(attachment)
        data = file if fields is None else file_form(fields, file, field, filename)
        answered = await self.ask("POST", path, seconds=inf, data=data)
        if file.fault is not None:
            raise file.fault
        return answered

    async def download(
        self,
        url: str,
        most_bytes: int,
        sha256: str = "",
        headers: Mapping[str, str] | None = None,
        is_trusted: Callable[[str], bool] = lambda url: True,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes at ``url`` in chunks of at most 1 MiB. The caller bounds the time.

        ``headers`` are the only ones sent. ``sha256``: the expected hash, hexadecimal; empty: any. ``is_trusted``: of
        each URL asked, also one of a redirect. Raises ``DeliveryFailed`` (``file-missing``, ``file-too-large``,
        ``file-corrupt``), or ``Unavailable``.
        """

        async def guarded(request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            if not is_trusted(str(request.url)):
                raise DeliveryFailed("file-missing", f"no file is fetched from the host {request.url.host}")
            return await ask(request)

        timeout = aiohttp.ClientTimeout(total=None, connect=self._connect_seconds, sock_read=self._call_seconds)
        found, size_bytes = sha256_of(), 0
        try:
            async with self._open().get(
                url,
                timeout=timeout,
                headers=headers,
                max_redirects=3,
                middlewares=(guarded,),
                trace_request_ctx=_Times(),
            ) as answer:
                _check_download(answer, most_bytes)
                async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                    size_bytes += len(chunk)
                    if size_bytes > most_bytes:
                        raise DeliveryFailed("file-too-large", f"the file has more than {most_bytes} bytes")
                    found.update(chunk)
                    yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(shortened(self.redacted(f"the file did not come: {error!r}"))) from None
        if sha256 and found.hexdigest() != sha256.lower():
            raise DeliveryFailed("file-corrupt", "the file is not the announced one: its hash differs")

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connections = aiohttp.TCPConnector(limit=self._calls_at_once, keepalive_timeout=_KEEPALIVE_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connections,
                auto_decompress=False,
                headers=_HEADERS,
                trace_configs=[_trace_config()],
                cookie_jar=aiohttp.DummyCookieJar(),  # no provider's API has a session; a jar costs each call
            )
        return self._session

    def _not_connected(self, error: Exception, times: _Times) -> NotNow:
        detail = self.redacted(f"no connection to the channel: {error or 'timed out'}")
        return NotNow(shortened(detail), None, Scope.ACCOUNT, exchange=times.exchange(0, ""))

    def _shown(self, content: bytes) -> str:
        # redacted before it is cut: half a secret would not be recognised
        return self.redacted(content[: 8 * MOST_ANSWER].decode("utf-8", "replace"))[:MOST_ANSWER]


class _Times:
    """When the steps of one call happened; seconds of the monotonic clock, 0 if they did not."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.connecting = self.connected = self.first_byte = 0.0
        self.is_connected = False

    def exchange(self, status: int, answer: str) -> Exchange:
        return Exchange(
            status,
            answer,
            connect_ms=_milliseconds(self.connecting, self.connected),
            first_byte_ms=_milliseconds(self.begun, self.first_byte),
            duration_ms=_milliseconds(self.begun, time.monotonic()),
        )


def _milliseconds(begin: float, end: float) -> int:
    return round((end - begin) * 1000) if begin and end else -1


def _trace_config() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()

    async def connecting(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.connecting = time.monotonic()

    async def connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.connected = time.monotonic()
        context.trace_request_ctx.is_connected = True

    async def reused(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.is_connected = True

    config.on_connection_create_start.append(connecting)
    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(reused)
    return config


def _check_download(answer: aiohttp.ClientResponse, most_bytes: int) -> None:
    if answer.status in (400, 403, 404, 410):
        raise DeliveryFailed("file-missing", f"the channel does not have the file (any more): status {answer.status}")
    if answer.status != 200:
        raise Unavailable(f"the channel did not give the file: status {answer.status}")
    if (answer.content_length or 0) > most_bytes:
        raise DeliveryFailed("file-too-large", f"the file has {answer.content_length} bytes, at most {most_bytes}")


async def _read(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Return the body, cut after ``most_bytes``."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) >= most_bytes:
            answer.close()
            return bytes(body[:most_bytes])
    return bytes(body)


def _seconds(options: Mapping[str, str], name: str, default: float) -> float:
    text = options.get(name, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= CALL_SECONDS:
        raise ValueError(f"option {name} is {text!r}, expected more than 0, at most {CALL_SECONDS:g}")
    return seconds
