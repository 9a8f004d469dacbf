"""The connector of the driver ``provider``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp

from channels.provider.answers import found_of, outcome_of
from domain.attachments import MediaKind
from domain.errors import DeliveryFailed, Unavailable
from domain.outcomes import NotNow, Refused, Scope, SendOutcome, Sent, Unknown
from domain.ports import Attachment, ConnectorCapabilities, Receipt
from domain.records import DeliveryRequested, delivery_key
from domain.status import Status

MAX_ANSWER_BYTES = 64 * 1024  # of an answer as much is read; an error page is cut
CONNECT_SECONDS = 3.0
CALL_SECONDS = 60.0  # the core's own bound is shorter
LOOK_UP_SECONDS = 10.0
_KEEPALIVE_SECONDS = 15.0  # shorter than a server's, so a call seldom meets a connection that the server just closed
_YES = ("yes", "true", "1")


class ProviderConnector:
    """One account on one channel. The provider is not repeatable: a second call is a second message.

    Raises ``ValueError`` for an unusable option.
    """

    def __init__(self, channel: str, account: str, options: Mapping[str, str], calls_at_once: int = 1_000) -> None:
        url = options.get("url", "").rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"account {account} of {channel}: option url is {url!r}, expected http://… or https://…")
        self.channel = channel
        self.capabilities = ConnectorCapabilities(
            repeatable=False,
            echoes_token=True,
            receipts=frozenset({Status.DELIVERED, Status.READ}),
            can_look_up=options.get("look_up", "").lower() in _YES,
        )
        self._base = f"{url}/v1/{channel}/{account}"
        self._connect_seconds = _seconds(channel, account, options.get("connect_seconds", str(CONNECT_SECONDS)))
        self._calls_at_once = calls_at_once
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        document = {
            "token": delivery_key(request),
            "conversation": request.conversation_id,
            "address": request.recipient_id,
            "text": _text(request, attachment),
            "attempt": attempt,
            "media": _media(attachment),
        }
        answered = await self._asked("POST", "messages", CALL_SECONDS, json=document)
        if not isinstance(answered, _Answer):
            return answered
        outcome = outcome_of(answered.status, answered.body, answered.retry_after, _now_ms())
        if isinstance(outcome, Sent) and outcome.at_ms <= 0:
            return Sent(outcome.provider_id, _now_ms())
        return outcome

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        """Return ``Sent`` if the provider has the message, ``NotNow`` if it has not, else ``Unknown``."""
        answered = await self._asked("GET", "messages", LOOK_UP_SECONDS, params={"token": delivery_key(request)})
        if not isinstance(answered, _Answer):
            return Unknown(answered.detail)
        return found_of(answered.status, answered.body)

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return none: the provider reports its receipts itself."""
        return ()

    async def upload(self, attachment: Attachment) -> str:
        headers = {"Content-Type": attachment.metadata.mimetype}
        faults: list[Exception] = []
        answered = await self._asked("POST", "media", None, data=_bytes_of(attachment, faults), headers=headers)
        for fault in faults:
            raise fault
        if isinstance(answered, _Answer):
            outcome = outcome_of(answered.status, answered.body, answered.retry_after, _now_ms())
        else:
            outcome = answered
        match outcome:
            case Sent(handle, _):
                return handle
            case Refused(code, detail, _):
                raise DeliveryFailed(code, detail)
            case NotNow(detail) | Unknown(detail):
                raise Unavailable(f"the channel did not take the file: {detail}")

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _asked(self, method: str, path: str, seconds: float | None, **more: Any) -> _Answer | NotNow | Unknown:
        """Ask; ``NotNow`` if no connection came about, ``Unknown`` if one broke after that."""
        if self._session is None:
            connections = aiohttp.TCPConnector(limit=self._calls_at_once, keepalive_timeout=_KEEPALIVE_SECONDS)
            self._session = aiohttp.ClientSession(connector=connections, auto_decompress=False)
        timeout = aiohttp.ClientTimeout(total=seconds, connect=self._connect_seconds)
        url = f"{self._base}/{path}"
        try:
            async with self._session.request(method, url, timeout=timeout, allow_redirects=False, **more) as answer:
                return _Answer(answer.status, await _read(answer), answer.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NotNow(f"no connection to the channel: {error or 'timed out'}", None, Scope.ACCOUNT)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Unknown(f"the channel did not answer: {error!r}")


def _seconds(channel: str, account: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= CALL_SECONDS:
        raise ValueError(f"account {account} of {channel}: option connect_seconds is {text!r}, expected 0 to 60")
    return seconds


class _Answer:
    __slots__ = ("body", "retry_after", "status")

    def __init__(self, status: int, body: bytes, retry_after: str | None) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body, cut after ``MAX_ANSWER_BYTES``."""
    body = b""
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) >= MAX_ANSWER_BYTES:
            answer.close()
            return body[:MAX_ANSWER_BYTES]
    return body


async def _bytes_of(attachment: Attachment, faults: list[Exception]) -> AsyncIterator[bytes]:
    """Yield the file's bytes. aiohttp wraps an error of theirs into its own, so it is kept in ``faults``, too."""
    try:
        async for chunk in attachment.read():
            yield chunk
    except (DeliveryFailed, Unavailable) as error:
        faults.append(error)
        raise


def _text(request: DeliveryRequested, attachment: Attachment | None) -> str:
    """Return the visible text; the provider has no limit, so the parts of a message with a file are one text."""
    if attachment is None:
        return request.content
    return "\n".join(part for part in (attachment.plan.caption, *attachment.plan.texts) if part)


def _media(attachment: Attachment | None) -> str:
    """Return how the file is named in the call: its handle, or its link."""
    if attachment is None:
        return ""
    return attachment.url if attachment.plan.kind is MediaKind.LINK else attachment.handle


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
