"""WhatsApp's calls over HTTP: messages, read marks, media, the history of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import BodyPartReader, web

from simulator import calls
from simulator.accounts import WHATSAPP, Accounts, BusinessAccount
from simulator.books import Counted
from simulator.calls import Calls
from simulator.graph import answers
from simulator.graph.access import account_of, json_object, owner_of_token
from simulator.graph.errors import GraphError
from simulator.media import CAPS, MediaStore
from simulator.network import Network, now_ms
from simulator.phones import BookIsFull, Person, wa_id_of
from simulator.whatsapp.templates import header_media
from simulator.whatsapp.validation import Call, ReadMark, read_call

_TYPES = {"image": ("image/jpeg", "image/png"), "video": ("video/mp4", "video/3gpp"), "sticker": ("image/webp",)}


class WhatsAppCalls:
    """The handlers of one server."""

    def __init__(self, accounts: Accounts, network: Network, calls: Calls, media: MediaStore) -> None:
        self._accounts = accounts
        self._network = network
        self._calls = calls
        self._media = media
        self._attempts = Counted()  # of messages to people who throttle

    def number(self, request: web.Request, number_id: str) -> web.Response:
        """``GET /{phone_number_id}``."""
        account = account_of(self._accounts, WHATSAPP, number_id, request)
        about = {"display_phone_number": account.display_number, "quality_rating": "GREEN"}
        return web.json_response({"id": account.number_id, **about})

    def subscribed_apps(self, request: web.Request, waba_id: str) -> web.Response:
        """``GET /{waba_id}/subscribed_apps``: the app, if the account's webhooks have somewhere to go."""
        account = owner_of_token(self._accounts, WHATSAPP, request)
        if account.waba_id != waba_id:
            raise GraphError(100, f"Unsupported request. Object with ID '{waba_id:.40}' does not exist", 33)
        app = {"whatsapp_business_api_data": {"id": "1", "name": "Chat4All"}}
        return web.json_response({"data": [app] if account.key in self._accounts.callbacks else []})

    async def messages(self, request: web.Request, number_id: str) -> web.Response:
        """``POST /{phone_number_id}/messages``."""
        account = account_of(self._accounts, WHATSAPP, number_id, request)
        document = await json_object(request)
        call = read_call(document)
        if isinstance(call, ReadMark):
            return await self._mark(account, call)
        person = self._recipient(account, call)
        self._check_media(account, call)
        token = calls.token_of(call.message.token, person.id, document)
        self._check_person(account, person, call, token)
        chaos = self._calls.chaos
        late_code = self._late_failure(account, person, call)

        def take(early: bool) -> Any:
            if late_code:
                return self._network.fail(account, person, call.message, late_code)
            return self._network.take(account, person, call.message, early)

        outcome = await self._calls.carry_out(account, token, take)
        return answers.response(WHATSAPP, outcome, chaos, _answer(call, person, outcome.taken))

    def _recipient(self, account: BusinessAccount, call: Call) -> Person:
        """Return the person; somebody unknown gets a phone."""
        phones = self._network.phones
        if call.to == account.display_number:
            raise GraphError(131021, "Recipient and sender phone numbers are the same")
        if call.to and phones.has_left(call.to):
            raise GraphError(131026, "The number is not on WhatsApp any more.")
        if call.user_id and call.needs_number:
            raise GraphError(131062, "This kind of template needs a phone number.")
        found = phones.of_number(call.to) if call.to else phones.of_user_id(call.user_id)
        try:
            return found or phones.make(number=call.to, user_id=call.user_id)
        except BookIsFull:
            raise GraphError(131016, "The simulator has no more room for phones.") from None

    def _check_media(self, account: BusinessAccount, call: Call) -> None:
        content = call.message.content
        kind, media_id = header_media(content.data) if call.is_template else (content.kind, content.media_id)
        if not media_id:
            return
        file = self._media.found(media_id)
        if file is None or file.key != account.key:
            raise GraphError(100, f"Param {kind}['id'] is not a valid whatsapp business account media attachment ID")

    def _check_person(self, account: BusinessAccount, person: Person, call: Call, token: str) -> None:
        if person.refuses:
            raise GraphError(person.refuses, "The person's phone refuses all messages.")
        if person.throttles and self._attempts.next(account.key, token) <= person.throttles:
            raise GraphError(131056, "Too many messages to this person in a short time.")
        if call.is_marketing and person.has_left_marketing:
            raise GraphError(131050, "The person stopped marketing messages.")

    def _late_failure(self, account: BusinessAccount, person: Person, call: Call) -> int:
        """Return the code with which the message fails later, as WhatsApp does it; 0: it does not."""
        if not call.is_template and not person.window_is_open(account.key, now_ms()):
            return 131047
        content = call.message.content
        file = self._media.found(content.media_id) if content.media_id else None
        if file is None:
            return 0
        allowed = _TYPES.get(content.kind)
        if len(file.content) > CAPS[content.kind] or (allowed and file.mime_type not in allowed):
            return 131053
        return 0

    async def _mark(self, account: BusinessAccount, mark: ReadMark) -> web.Response:
        outage = await self._calls.outage(account)
        if outage is not None:
            return answers.failure(WHATSAPP, outage, self._calls.chaos)
        shown = self._network.mark_by_account(account, mark.message_id, mark.is_typing)
        if shown is None:
            raise GraphError(131009, "Param message_id is not a message of this phone number")
        return web.json_response({"success": True})

    async def upload(self, request: web.Request, number_id: str) -> web.Response:
        """``POST /{phone_number_id}/media``: a form with ``messaging_product``, ``type`` and ``file``."""
        account = account_of(self._accounts, WHATSAPP, number_id, request)
        outage = await self._calls.outage(account)
        if not request.content_type.startswith("multipart/"):
            raise GraphError(100, "The parameter file is required.")
        fields: dict[str, str] = {}
        content, name, mime_type = b"", "", ""
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                continue
            if part.name == "file":
                name, mime_type = part.filename or "", part.headers.get("Content-Type", "")
                content = await _bounded(part)
            else:
                fields[part.name] = (await part.read())[:200].decode("utf-8", "replace")
        if outage is not None:
            return answers.failure(WHATSAPP, outage, self._calls.chaos)
        if fields.get("messaging_product") != "whatsapp":
            raise GraphError(100, "The parameter messaging_product is required.")
        if not name and not content:
            raise GraphError(100, "The parameter file is required.")
        mime_type = (fields.get("type") or mime_type).partition(";")[0].strip()
        if "/" not in mime_type:
            raise GraphError(100, "Param file must be a file with one of the supported types")
        if not content:
            raise GraphError(131053, "The file is empty.")
        file = self._media.add(account.key, content, mime_type, name)
        return web.json_response({"id": file.id})

    async def media(self, request: web.Request, media_id: str) -> web.Response:
        """``GET·DELETE /{media_id}``: where a file may be fetched, or its end."""
        file = self._media.found(media_id)
        if file is None:
            raise GraphError(100, f"Unsupported request. Object with ID '{media_id:.40}' does not exist", 33)
        owner = self._accounts.named(*file.key)
        assert owner is not None
        account = account_of(self._accounts, owner.channel, owner.number_id, request)
        outage = await self._calls.outage(account)
        if outage is not None:
            return answers.failure(WHATSAPP, outage, self._calls.chaos)
        if request.method == "DELETE":
            self._media.remove(media_id)
            return web.json_response({"success": True})
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "url": f"{request.url.origin()}/media/{file.id}",
                "mime_type": file.mime_type,
                "sha256": file.sha256,
                "file_size": str(len(file.content)),
                "id": file.id,
            }
        )

    async def download(self, request: web.Request) -> web.Response:
        """The url of a file, with the token of its account."""
        file = self._media.found(request.match_info["id"])
        if file is None:
            return web.Response(status=404)
        owner = self._accounts.named(*file.key)
        assert owner is not None
        account_of(self._accounts, owner.channel, owner.number_id, request)
        return web.Response(body=file.content, content_type=file.mime_type)


async def _bounded(part: BodyPartReader) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        content += chunk
        if len(content) > CAPS["document"]:
            raise GraphError(131053, f"The file is larger than {CAPS['document']:,} bytes.")
    return bytes(content)


def _answer(call: Call, person: Person, taken: Any) -> Mapping[str, Any]:
    contact = {"input": call.to or call.user_id}
    if call.to:
        contact["wa_id"] = wa_id_of(person.number)
    else:
        contact["user_id"] = person.user_id
    message = {"id": taken.provider_id if taken is not None else ""}
    if call.is_template:
        message["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}
