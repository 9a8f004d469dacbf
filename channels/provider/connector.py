"""The connector of the driver ``provider``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from channels.driver import Driver, Secret
from channels.http import Answer, HttpClient
from channels.http.client import HTTP_OPTIONS
from channels.provider.answers import found_of, outcome_of
from domain.accounts import Account
from domain.attachments import MediaKind
from domain.errors import DeliveryFailed, Unavailable
from domain.outcomes import NotNow, Refused, SendOutcome, Sent, Unknown
from domain.ports import Attachment, ConnectorCapabilities, Receipt
from domain.records import DeliveryRequested, delivery_key
from domain.status import Status

LOOK_UP_SECONDS = 10.0
_YES = ("yes", "true", "1")


class ProviderConnector:
    """One account on one channel. The provider is not repeatable: a second call is a second message.

    Raises ``ValueError`` for an unusable option.
    """

    def __init__(self, channel: str, account: str, options: Mapping[str, str], calls_at_once: int = 1_000) -> None:
        self.channel = channel
        self.capabilities = ConnectorCapabilities(
            repeatable=False,
            echoes_token=True,
            receipts=frozenset({Status.DELIVERED, Status.READ}),
            can_look_up=options.get("look_up", "").lower() in _YES,
        )
        url = options.get("url", "")
        if not url:
            raise ValueError("option url is needed")
        self._http = HttpClient(f"{url.rstrip('/')}/v1/{channel}/{account}", options, calls_at_once=calls_at_once)

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        document = {
            "token": delivery_key(request),
            "conversation": request.conversation_id,
            "address": request.recipient_id,
            "text": _text(request, attachment),
            "attempt": attempt,
            "media": _media(attachment),
        }
        answered = await self._http.ask("POST", "messages", json=document)
        if not isinstance(answered, Answer):
            return answered
        outcome = _outcome_of(answered)
        if isinstance(outcome, Sent) and outcome.at_ms <= 0:
            outcome = replace(outcome, at_ms=_now_ms())
        return replace(outcome, exchange=answered.exchange)

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        """Return ``Sent`` if the provider has the message, ``NotNow`` if it has not, else ``Unknown``."""
        token = {"token": delivery_key(request)}
        answered = await self._http.ask("GET", "messages", seconds=LOOK_UP_SECONDS, params=token)
        if not isinstance(answered, Answer):
            return Unknown(answered.detail, answered.exchange)
        return replace(found_of(answered.status, answered.body), exchange=answered.exchange)

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return none: the provider reports its receipts itself."""
        return ()

    async def upload(self, attachment: Attachment) -> str:
        answered = await self._http.upload("media", None, attachment)
        outcome = _outcome_of(answered) if isinstance(answered, Answer) else answered
        match outcome:
            case Sent(handle, _):
                return handle
            case Refused(code, detail, _):
                raise DeliveryFailed(code, detail)
            case NotNow(detail) | Unknown(detail):
                raise Unavailable(f"the channel did not take the file: {detail}")

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        await self._http.close()


def _outcome_of(answer: Answer) -> SendOutcome:
    return outcome_of(answer.status, answer.body, answer.retry_after, _now_ms())


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


def _connect(account: Account, secret: Secret) -> ProviderConnector:
    return ProviderConnector(account.channel, account.name, account.options, account.in_flight)


DRIVER = Driver("provider", _connect, HTTP_OPTIONS | {"url", "look_up"})
