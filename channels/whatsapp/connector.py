"""One telephone number on WhatsApp's Cloud API.

Options of the account: ``phone_number_id`` (needed), ``waba_id``, ``base_url`` (https://graph.facebook.com/v26.0),
``connect_seconds``, ``call_seconds``. Secrets: ``token``, and ``app_secret`` and ``verify_token`` for webhooks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from channels.driver import Driver, Secret
from channels.http import Answer, HttpClient
from channels.http.client import HTTP_OPTIONS
from channels.meta import account_checks, versions
from channels.meta.webhooks import APP_SECRET
from channels.parts import send_parts
from channels.payloads import Payload, number, parts, payload_of, text
from channels.whatsapp.errors import EXCERPT, refusal_of
from channels.whatsapp.fields import STATUSES
from channels.whatsapp.messages import Call, calls_of, read_mark
from channels.whatsapp.webhooks import failure_of, time_of
from domain.accounts import Account
from domain.attachments import usual_type
from domain.errors import DeliveryFailed, MalformedRecord, Unavailable
from domain.inbound import Media
from domain.outcomes import Refusal, Refused, SendOutcome, Sent, Unknown
from domain.ports import AccountFault, Attachment, ConnectorCapabilities, Receipt
from domain.records import DeliveryRequested
from domain.status import Status

log = logging.getLogger(__name__)

BASE_URL = "https://graph.facebook.com/v26.0"
HANDLE_DAYS = 29  # an uploaded file is kept for 30
# where files are, besides the host of ``base_url``: the account's token is sent to no other
MEDIA_HOSTS = ("fbsbx.com", "facebook.com", "fbcdn.net", "whatsapp.net")

SentOf = Callable[[Payload], Sent | None]


class WhatsAppConnector:
    """Raises ``ValueError`` for an unusable option or token."""

    channel = "whatsapp"
    capabilities = ConnectorCapabilities(
        echoes_token=True,
        receipts=frozenset({Status.DELIVERED, Status.READ}),
        reports_sends=True,
        handle_days=HANDLE_DAYS,
    )

    def __init__(self, options: Mapping[str, str], token: str, calls_at_once: int = 1_000) -> None:
        self._number_id = options.get("phone_number_id", "")
        if not (self._number_id.isascii() and self._number_id.isdigit()):
            raise ValueError(f"option phone_number_id is {self._number_id!r}, expected digits (not the number itself)")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("the token holds characters that no token of Meta has")
        self._waba_id = options.get("waba_id", "")
        self._headers = {"Authorization": f"Bearer {token}"}
        base_url = options.get("base_url", BASE_URL)
        if warning := versions.ending(base_url, datetime.now(UTC).date()):
            log.warning("[WhatsApp] %s", warning)
        self._http = HttpClient(base_url, options, headers=self._headers, secrets=(token,), calls_at_once=calls_at_once)

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        try:
            calls = calls_of(request, attachment)
        except MalformedRecord as error:
            return Refused("invalid-content", str(error))
        if isinstance(calls, Refused):
            return calls
        if not calls:
            return Refused("invalid-content", "the message has neither a text nor a file")
        return await send_parts(calls, self._send)

    async def upload(self, attachment: Attachment) -> str:
        """Return WhatsApp's id of the file."""
        fields = {"messaging_product": "whatsapp", "type": usual_type(attachment.metadata.mimetype)}
        answered = await self._http.upload(f"{self._number_id}/media", fields, attachment)
        outcome = self._outcome_of(answered, _media_id) if isinstance(answered, Answer) else answered
        match outcome:
            case Sent(handle):
                return handle
            case Refused(code, detail, Refusal.PERMANENT):
                raise DeliveryFailed(code, detail)
        raise Unavailable(f"WhatsApp did not take the file: {outcome.detail}")

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        """Return ``Unknown``: WhatsApp can be asked only by its own id of a message, which an answer would name."""
        return Unknown("WhatsApp cannot be asked about a message whose id it has not told")

    async def history(self, provider_id: str) -> Sequence[Receipt]:
        query = {
            "message_id": provider_id,
            "fields": "id,message_id,events{delivery_status,timestamp,error_description}",
        }
        answered = await self._http.ask("GET", f"{self._number_id}/message_history", params=query)
        if not isinstance(answered, Answer):
            raise Unavailable(f"WhatsApp did not tell what became of the message: {answered.detail}")
        if answered.status in (404, 422):  # not there (any more)
            return ()
        if answered.status != 200:
            raise Unavailable(f"WhatsApp did not tell what became of the message (status {answered.status})")
        return tuple(_receipts(payload_of(answered.body), provider_id))

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return none: WhatsApp reports its receipts itself."""
        return ()

    async def fetch(self, media: Media, most_bytes: int) -> AsyncIterator[bytes]:
        query = {"phone_number_id": self._number_id}
        answered = await self._http.ask("GET", quote(media.id, safe=""), params=query)
        if not isinstance(answered, Answer):
            raise Unavailable(f"WhatsApp did not name the file's place: {answered.detail}")
        found = payload_of(answered.body)
        url, size_bytes = text(found, "url"), number(found, "file_size")
        if answered.status != 200 or not url:
            if isinstance(refused := self._outcome_of(answered, _media_id), Refused):
                raise DeliveryFailed("file-missing", f"WhatsApp does not have the file (any more): {refused.detail}")
            raise Unavailable(f"WhatsApp did not name the file's place (status {answered.status})")
        if size_bytes > most_bytes:
            raise DeliveryFailed("file-too-large", f"the file has {size_bytes} bytes, at most {most_bytes}")
        headers = self._headers if self.may_have_token(url) else None
        async for chunk in self._http.download(url, most_bytes, media.sha256 or text(found, "sha256"), headers):
            yield chunk

    async def mark_read(self, provider_id: str, is_typing: bool) -> None:
        mark = read_mark(provider_id, is_typing)
        answered = await self._http.ask("POST", f"{self._number_id}/messages", json=mark)
        if not isinstance(answered, Answer):
            log.info("[WhatsApp] a message was not marked as read: %s", answered.detail)
        elif answered.status != 200:
            log.info("[WhatsApp] a message was not marked as read: %s", answered.exchange.answer[:EXCERPT])

    async def check(self) -> Sequence[AccountFault]:
        """Ask for the number, and for the apps that are subscribed to its account if ``waba_id`` names that."""
        subscriptions = f"{quote(self._waba_id, safe='')}/subscribed_apps" if self._waba_id else ""
        return await account_checks.check(self._http, self._number_id, "id,display_phone_number", subscriptions)

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        await self._http.close()

    async def _send(self, call: Call) -> SendOutcome:
        answered = await self._http.ask("POST", f"{self._number_id}/messages", json=call)
        return self._outcome_of(answered, _message_id) if isinstance(answered, Answer) else answered

    def _outcome_of(self, answer: Answer, sent_of: SentOf) -> SendOutcome:
        if 200 <= answer.status < 300:
            outcome: SendOutcome | None = sent_of(payload_of(answer.body))
            if outcome is None:
                shown = self._http.redacted(answer.body.decode("utf-8", "replace"))[:EXCERPT]
                outcome = Unknown(f"status {answer.status} without an id: {shown!r}")
        else:
            outcome = refusal_of(answer.status, answer.body, answer.retry_after, _now_ms())
        if not isinstance(outcome, Sent):
            outcome = replace(outcome, detail=self._http.redacted(outcome.detail))
        return replace(outcome, exchange=answer.exchange)

    def may_have_token(self, url: str) -> bool:
        """Return whether the token may go to ``url``."""
        try:
            there, base = urlsplit(url), urlsplit(self._http.base)
        except ValueError:  # it is no URL
            return False
        if (there.scheme, there.netloc) == (base.scheme, base.netloc):
            return True
        host = there.hostname or ""
        return there.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in MEDIA_HOSTS)


def _message_id(document: Payload) -> Sent | None:
    """Return the outcome of an answer: its id, and how it names the recipient."""
    messages, contacts = parts(document, "messages"), parts(document, "contacts")
    if not messages or not (wamid := text(messages[0], "id")):
        return None
    contact = contacts[0] if contacts else {}
    number_there = text(contact, "wa_id")
    return Sent(wamid, _now_ms(), f"+{number_there}" if number_there else text(contact, "user_id"))


def _media_id(document: Payload) -> Sent | None:
    return Sent(text(document, "id"), _now_ms()) if text(document, "id") else None


def _receipts(document: Payload, provider_id: str) -> Sequence[Receipt]:
    found = []
    for entry in parts(document, "data"):
        events = entry.get("events")
        for event in parts(events, "data") if isinstance(events, dict) else ():
            status = STATUSES.get(text(event, "delivery_status").lower())
            if status is not None and text(entry, "message_id") == provider_id:
                found.append(Receipt(status, time_of(event, _now_ms()), *failure_of(status, event)))
    return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _connect(account: Account, secret: Secret) -> WhatsAppConnector:
    return WhatsAppConnector(account.options, secret("token"), account.in_flight)


DRIVER = Driver(
    "whatsapp",
    _connect,
    HTTP_OPTIONS | {"phone_number_id", "waba_id", "base_url"},
    frozenset({"token", APP_SECRET, "verify_token"}),
    frozenset({"whatsapp"}),
)
