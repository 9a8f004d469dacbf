"""The methods of the Bot API."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from channels.simulated.chaos.decisions import Answer
from simulator import calls
from simulator.accounts import BusinessAccount
from simulator.calls import Calls
from simulator.media import File, MediaStore
from simulator.messages import Content, Message, Shown, Taken
from simulator.network import Network, now_ms
from simulator.phones import Person
from simulator.posting import UNKNOWN_FIELDS
from simulator.telegram import content
from simulator.telegram.errors import bad_request, blocked, failure
from simulator.telegram.parameters import Parameters
from simulator.telegram.updates import Updates
from simulator.telegram.webhooks import Telegram, bot_of

MOST_DOWNLOAD_BYTES = 20 * 1_000_000  # of getFile, checked 2026-11-27
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4", "audio/ogg": "oga"}
Method = Callable[[BusinessAccount, Parameters], Awaitable[web.Response]]


class Methods:
    """The handlers of one server, by the name of their method in lower case."""

    def __init__(self, network: Network, calls: Calls, media: MediaStore, telegram: Telegram, updates: Updates) -> None:
        self._network = network
        self._calls = calls
        self._media = media
        self._telegram = telegram
        self._updates = updates
        self.by_name: Mapping[str, Method] = {
            "getme": self.get_me,
            "sendmessage": self.send_message,
            "sendlocation": self.send_location,
            **{name.lower(): self._sender(name) for name in content.FILES},
            "setmessagereaction": self.set_message_reaction,
            "getfile": self.get_file,
            "setwebhook": self.set_webhook,
            "deletewebhook": self.delete_webhook,
            "getwebhookinfo": self.get_webhook_info,
            "getupdates": self.get_updates,
            "answercallbackquery": self.answer_callback_query,
            "sendchataction": self.send_chat_action,
        }

    async def get_me(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        more = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
        return _result({**bot_of(account), **more})

    async def send_message(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        return await self._send(account, parameters, content.text_of(parameters))

    async def send_location(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        return await self._send(account, parameters, content.location_of(parameters))

    def _sender(self, method: str) -> Method:
        async def send(account: BusinessAccount, parameters: Parameters) -> web.Response:
            def keep(raw: bytes, mime_type: str, name: str) -> File:
                return self._media.add(account.key, raw, mime_type, name, f"BQAC{secrets.token_urlsafe(24)}")

            self._person(account, parameters)  # before a file is kept
            found = content.file_of(method, parameters, self._known(account), keep)
            return await self._send(account, parameters, found)

        return send

    def _known(self, account: BusinessAccount) -> Callable[[str], File | None]:
        def known(id: str) -> File | None:
            file = self._media.found(id)
            return file if file is not None and file.key == account.key else None

        return known

    async def _send(self, account: BusinessAccount, parameters: Parameters, what: Content) -> web.Response:
        person = self._person(account, parameters)
        message = Message(what, "", self._reply_to(person, parameters))
        token = calls.token_of("", person.id, what, message.reply_to)

        def described(taken: Taken) -> Any:
            shown = Shown(0, account.key, taken.provider_id, what, taken.at_ms, reply_to=message.reply_to)
            document = self._telegram.message(account, person, shown)
            target = person.found(message.reply_to) if message.reply_to else None
            if target is not None:
                document["reply_to_message"] = self._telegram.message(account, person, target)
            return document

        return await self._carried_out(account, person, message, token, described)

    async def _carried_out(
        self,
        account: BusinessAccount,
        person: Person,
        message: Message,
        token: str,
        described: Callable[[Taken], Any],
    ) -> web.Response:
        chaos = self._calls.chaos
        outcome = await self._calls.carry_out(
            account, token, lambda early: self._network.take(account, person, message, early)
        )
        if outcome.decision.answer is not Answer.TAKEN or outcome.taken is None:
            return failure(outcome.decision, chaos, outcome.has_new_code)
        return _result(described(outcome.taken), outcome.has_unknown_fields)

    def _person(self, account: BusinessAccount, parameters: Parameters) -> Person:
        """Return the person of ``chat_id``: somebody who wrote to the bot. Raises ``TelegramError``."""
        text = parameters.text("chat_id")
        if not text:
            raise bad_request("chat_id is empty")
        chat_id = int(text) if text.removeprefix("-").isdecimal() and len(text) < 20 else 0
        person = self._network.phones.of_chat(chat_id)
        if person is None or account.key not in person.wrote_ms:
            raise bad_request("chat not found")
        if account.key in person.blocked:
            raise blocked()
        return person

    def _reply_to(self, person: Person, parameters: Parameters) -> str:
        reply = parameters.object("reply_parameters")
        if not reply:
            return ""
        provider_id = f"{person.chat_id}:{Parameters(reply).integer('message_id')}"
        if person.found(provider_id) is not None:
            return provider_id
        if Parameters(reply).flag("allow_sending_without_reply"):
            return ""
        raise bad_request("message to be replied not found")

    async def set_message_reaction(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        person = self._person(account, parameters)
        provider_id = f"{person.chat_id}:{parameters.integer('message_id')}"
        if person.found(provider_id) is None:
            raise bad_request("message to react not found")
        emoji = content.reaction_of(parameters)
        message = Message(Content("reaction", emoji, data={"message_id": provider_id}))
        token = calls.token_of("", person.id, provider_id, emoji)
        return await self._carried_out(account, person, message, token, lambda _: True)

    async def get_file(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        file = self._known(account)(parameters.text("file_id"))
        if file is None:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        if len(file.content) > MOST_DOWNLOAD_BYTES:
            raise bad_request("file is too big")
        extension = _EXTENSIONS.get(file.mime_type, file.name.rpartition(".")[2] or "bin")
        return _result(
            {
                "file_id": file.id,
                "file_unique_id": f"u{file.sha256[:14]}",
                "file_size": len(file.content),
                "file_path": f"files/{file.id}.{extension}",
            }
        )

    async def set_webhook(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        url, secret = parameters.text("url"), parameters.text("secret_token")
        if url and not url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if secret and not _SECRET.fullmatch(secret):
            raise bad_request("secret token contains unallowed characters")
        self._telegram.secrets[account.key] = secret
        drops = parameters.flag("drop_pending_updates")
        self._updates.set_webhook(account, url, parameters.json("allowed_updates"), drops)
        return _result(True, description="Webhook was set" if url else "Webhook was deleted")

    async def delete_webhook(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        self._updates.set_webhook(account, "", None, parameters.flag("drop_pending_updates"))
        return _result(True, description="Webhook was deleted")

    async def get_webhook_info(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        return _result(self._updates.info(account))

    async def get_updates(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        found = await self._updates.get(
            account,
            parameters.integer("offset", 0),
            parameters.integer("limit", 100),
            parameters.integer("timeout", 0),
            parameters.json("allowed_updates"),
        )
        return _result(found)

    async def answer_callback_query(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        if not parameters.text("callback_query_id").isdecimal():
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        return _result(True)

    async def send_chat_action(self, account: BusinessAccount, parameters: Parameters) -> web.Response:
        person = self._person(account, parameters)
        if not parameters.text("action"):
            raise bad_request("wrong parameter action in request")
        mine = [shown for shown in person.screen if shown.is_mine and shown.account == account.key]
        if mine:
            mine[-1].typing_ms = now_ms()
        return _result(True)


def _result(result: Any, has_unknown_fields: bool = False, description: str = "") -> web.Response:
    if has_unknown_fields and isinstance(result, dict):
        result = {**result, **UNKNOWN_FIELDS}
    body = {"ok": True, "result": result}
    return web.json_response({**body, "description": description} if description else body)
