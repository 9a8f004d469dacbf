"""One bot on Telegram.

Options of the account: ``base_url`` (https://api.telegram.org), ``updates`` (``webhook`` or ``polling``),
``storage_chat`` (the number of a chat of ours, to which files are uploaded before they are sent), ``connect_seconds``,
``call_seconds``. Secrets: ``token``, and ``secret_token`` for webhooks.

Telegram has no upload without a message. With ``storage_chat`` a file is sent there first, silently, and to people by
its id, so a large one takes its time before the attempt begins. Without it the bytes go with the message, and the id
is remembered for the next one. A link for Telegram to fetch would need a store of files that the internet reaches.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

import orjson

from channels.driver import Driver, Secret
from channels.http import Answer, HttpClient
from channels.http.client import HTTP_OPTIONS
from channels.parts import send_parts
from channels.payloads import number, part, payload_of, text
from channels.telegram import account_checks
from channels.telegram.errors import Migrated, file_id_of, outcome_of
from channels.telegram.messages import FILES, Call, calls_of, chat_of, moved, name_of, provider_id_of
from channels.telegram.polling import POLL_SECONDS, polled_of, request_of
from domain.accounts import Account
from domain.attachments import MediaKind
from domain.errors import DeliveryFailed, MalformedRecord, Unavailable
from domain.inbound import Media
from domain.outcomes import NotNow, Refused, SendOutcome, Sent, Unknown
from domain.ports import AccountFault, Attachment, ConnectorCapabilities, Polled, Receipt
from domain.records import DeliveryRequested

log = logging.getLogger(__name__)

BASE_URL = "https://api.telegram.org"
WEBHOOK, POLLING = "webhook", "polling"
HANDLE_DAYS = 30  # a file's id has no announced end; one that is refused is replaced by the bytes [?]
MOST_FILES = 10_000  # ids that are remembered
MOST_POLLED_BYTES = 16 * 1024 * 1024  # of 100 updates
_TOKEN = re.compile(r"[A-Za-z0-9:_-]{3,200}")
_CHAT = re.compile(r"-?[0-9]{1,16}")


class TelegramConnector:
    """Raises ``ValueError`` for an unusable option or token."""

    channel = "telegram"

    def __init__(self, options: Mapping[str, str], token: str, calls_at_once: int = 1_000) -> None:
        if not _TOKEN.fullmatch(token):
            raise ValueError("the token is not one of Telegram's, such as 123456:ABC-DEF")
        if (updates := options.get("updates", WEBHOOK)) not in (WEBHOOK, POLLING):
            raise ValueError(f"option updates is {updates!r}, expected {WEBHOOK} or {POLLING}")
        self._storage_chat = options.get("storage_chat", "")
        if self._storage_chat and not _CHAT.fullmatch(self._storage_chat):
            raise ValueError(f"option storage_chat is {self._storage_chat!r}, expected a chat's number")
        self.capabilities = ConnectorCapabilities(
            echoes_token=False,
            receipts=frozenset(),
            reports_sends=True,
            handle_days=HANDLE_DAYS if self._storage_chat else 0,
        )
        self.is_polled = updates == POLLING
        url = options.get("base_url", BASE_URL).rstrip("/")
        self._files_url = f"{url}/file/bot{token}"
        self._http = HttpClient(f"{url}/bot{token}", options, secrets=(token,), calls_at_once=calls_at_once)
        self._file_ids: OrderedDict[tuple[str, MediaKind], str] = OrderedDict()

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        chat_id = chat_of(request)
        if isinstance(chat_id, Refused):
            return chat_id
        try:
            calls = calls_of(request, attachment, chat_id)
        except MalformedRecord as error:
            return Refused("invalid-content", str(error))
        if isinstance(calls, Refused):
            return calls
        return await send_parts(calls, lambda call: self._send(call, attachment))

    async def upload(self, attachment: Attachment) -> str:
        """Return Telegram's id of the file, empty if the bytes go with the message."""
        kind = attachment.plan.kind
        if known := self._file_ids.get((attachment.metadata.checksum, kind)):
            return known
        if not self._storage_chat:
            async for _ in attachment.read():  # so that a corrupt file is found before the attempt begins
                pass
            return ""
        method, parameter = FILES[kind]
        call = Call(method, {"chat_id": int(self._storage_chat), "disable_notification": True}, parameter)
        outcome = await self._send(call, attachment)
        match outcome:
            case Sent():
                return self._file_ids.get((attachment.metadata.checksum, kind), "")
            case Refused(code, detail):
                raise DeliveryFailed(code, detail)
        raise Unavailable(f"Telegram did not take the file: {outcome.detail}")

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        return Unknown("Telegram cannot be asked about a message")

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return none: Telegram reports no receipts, and this process promises none."""
        return ()

    async def fetch(self, media: Media, most_bytes: int) -> AsyncIterator[bytes]:
        answered = await self._http.ask("POST", "getFile", json={"file_id": media.id})
        if not isinstance(answered, Answer):
            raise Unavailable(f"Telegram was not asked for the file: {answered.detail}")
        path = text(part(payload_of(answered.body), "result"), "file_path")
        if not path:
            match outcome_of(answered.status, answered.body, 0):
                case Refused(_, detail):  # over 20 MB: "file is too big"
                    detail = self._http.redacted(detail)
                    raise DeliveryFailed("file-missing", f"Telegram does not give the file: {detail}")
                case _:
                    raise Unavailable(f"Telegram did not name the file's path (status {answered.status})")
        async for chunk in self._http.download(f"{self._files_url}/{quote(path)}", most_bytes, media.sha256):
            yield chunk

    async def mark_read(self, provider_id: str, is_typing: bool) -> None:
        """Show that an answer is being written; a bot has no read marks."""
        name = name_of(provider_id)
        if name is not None and is_typing:
            await self._courtesy("sendChatAction", {"chat_id": name.chat_id, "action": "typing"})

    async def acknowledge(self, provider_id: str) -> None:
        """End the waiting of a pressed button: it shows a clock until it is answered."""
        name = name_of(provider_id)
        if name is not None and name.word == "callback":
            await self._courtesy("answerCallbackQuery", {"callback_query_id": name.detail})

    async def poll(self, offset: int) -> Polled:
        answered = await self._http.ask(
            "POST", "getUpdates", seconds=POLL_SECONDS + 15.0, most_bytes=MOST_POLLED_BYTES, json=request_of(offset)
        )
        if not isinstance(answered, Answer):
            raise Unavailable(answered.detail, 0)
        try:
            return polled_of(answered.status, answered.body)
        except Unavailable as error:
            raise Unavailable(self._http.redacted(str(error)), error.retry_after_seconds) from None

    async def check(self) -> Sequence[AccountFault]:
        """Ask for the bot's name and its webhook."""
        return await account_checks.check(self._http, is_polled=self.is_polled)

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        await self._http.close()

    async def _send(self, call: Call, attachment: Attachment | None) -> SendOutcome:
        """Make the call; once more for a group that moved, or for a file whose id is no longer known."""
        outcome = await self._made(call, attachment)
        if isinstance(outcome, Migrated):
            call = moved(call, outcome.chat_id)
            outcome = await self._made(call, attachment)
        if isinstance(outcome, Refused) and attachment is not None and (again := self._with_bytes(call, attachment)):
            outcome = await self._made(again, attachment)
        if isinstance(outcome, Migrated):
            return Refused("bad-request", f"the group moved twice, at last to {outcome.chat_id}")
        return outcome

    async def _made(self, call: Call, attachment: Attachment | None) -> SendOutcome | Migrated:
        chat_id, has_bytes = number(call.parameters, "chat_id"), bool(call.file and attachment is not None)
        if has_bytes and attachment is not None:
            fields, filename = _form(call.parameters), attachment.metadata.filename
            try:
                answered = await self._http.upload(call.method, fields, attachment, call.file, filename)
            except DeliveryFailed as error:
                return Refused(error.reason, str(error))
            except Unavailable as error:
                return NotNow(str(error))  # the body was incomplete, so Telegram has no message
        else:
            answered = await self._http.ask("POST", call.method, json=call.parameters)
        if not isinstance(answered, Answer):
            return answered
        outcome = outcome_of(answered.status, answered.body, chat_id)
        if isinstance(outcome, Migrated):
            return outcome
        if call.method == "setMessageReaction" and payload_of(answered.body).get("result") is True:
            name = provider_id_of(chat_id, number(call.parameters, "message_id"), "reaction")
            return Sent(name, time.time_ns() // 1_000_000, str(chat_id), answered.exchange)
        if has_bytes and attachment is not None and isinstance(outcome, Sent):
            self._remember(attachment, file_id_of(answered.body, call.file))
        if not isinstance(outcome, Sent):
            outcome = replace(outcome, detail=self._http.redacted(outcome.detail))
        return replace(outcome, exchange=answered.exchange)

    def _with_bytes(self, call: Call, attachment: Attachment) -> Call | None:
        """Return the call with the file's bytes if it named the file by its id, and forget the id."""
        _, parameter = FILES.get(attachment.plan.kind, ("", ""))
        if call.file or parameter not in call.parameters:
            return None
        self._file_ids.pop((attachment.metadata.checksum, attachment.plan.kind), None)
        return Call(
            call.method, {name: value for name, value in call.parameters.items() if name != parameter}, parameter
        )

    def _remember(self, attachment: Attachment, file_id: str) -> None:
        if not file_id:
            return
        self._file_ids[attachment.metadata.checksum, attachment.plan.kind] = file_id
        while len(self._file_ids) > MOST_FILES:
            self._file_ids.popitem(last=False)

    async def _courtesy(self, method: str, parameters: Mapping[str, object]) -> None:
        answered = await self._http.ask("POST", method, json=parameters)
        if not isinstance(answered, Answer):
            log.info("[Telegram] %s was not answered: %s", method, answered.detail)
        elif answered.status != 200:
            log.info("[Telegram] %s was refused: %s", method, answered.exchange.answer[:200])


def _form(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return parameters as fields of a form: what is no text is JSON there."""
    return {name: each if isinstance(each, str) else orjson.dumps(each).decode() for name, each in parameters.items()}


def _connect(account: Account, secret: Secret) -> TelegramConnector:
    return TelegramConnector(account.options, secret("token"), account.in_flight)


DRIVER = Driver(
    "telegram",
    _connect,
    HTTP_OPTIONS | {"base_url", "updates", "storage_chat"},
    frozenset({"token", "secret_token"}),
    frozenset({"telegram"}),
)
