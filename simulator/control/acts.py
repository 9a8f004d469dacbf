"""``POST /phones/{id}/…``: what a person does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from simulator.accounts import CHANNELS, TELEGRAM, WHATSAPP, BusinessAccount
from simulator.control import fields
from simulator.control.fields import BadRequest, body_of, digits, flag, text
from simulator.control.people import People, described, set_manners
from simulator.media import SAMPLES, MediaStore
from simulator.messages import Button, Content, Shown
from simulator.network import Network, now_ms
from simulator.phones import WINDOW_MS, AlreadyTaken, Person

MOST_CHARACTERS = 65_536
_WHERE = frozenset({"channel", "account"})
_MESSAGE = frozenset({"kind", "text", "file", "location", "contacts", "data"})
_FILE = frozenset({"content", "mime_type", "name"})


class Acts:
    """The handlers of one server."""

    def __init__(self, people: People, network: Network, media: MediaStore) -> None:
        self._people = people
        self._network = network
        self._media = media

    async def send(self, request: web.Request) -> web.Response:
        """Write to an account: by default a text to the first account of WhatsApp."""
        person = self._people.person(request)
        document = await body_of(request, _WHERE | _MESSAGE | {"reply_to"})
        account = self._account(document)
        target = self._named(person, text(document, "reply_to")) if "reply_to" in document else None
        return _shown(self._network.write(account, person, self._content(account, document), target))

    async def reply(self, request: web.Request) -> web.Response:
        """Write where a message came from, the last one by default; ``quote``: as an answer to that message."""
        person = self._people.person(request)
        document = await body_of(request, _MESSAGE | {"message_id", "quote"})
        target = self._target(person, document)
        account = self._account_of(target)
        is_quote = flag(document, "quote", "message_id" in document)
        content = self._content(account, document)
        return _shown(self._network.write(account, person, content, target if is_quote else None))

    async def react(self, request: web.Request) -> web.Response:
        """React to a message, the last one by default; an empty ``emoji`` takes the reaction back."""
        person = self._people.person(request)
        document = await body_of(request, frozenset({"message_id", "emoji"}))
        target = self._target(person, document)
        self._network.react(person, target, text(document, "emoji", "👍"))
        return _shown(target)

    async def press(self, request: web.Request) -> web.Response:
        """Press a button, by its id, its title or its number from 1."""
        person = self._people.person(request)
        document = await body_of(request, frozenset({"message_id", "button"}))
        with_buttons = [shown for shown in person.screen if shown.content.buttons]
        target = self._target(person, document, with_buttons)
        self._network.press(person, target, _button(target, text(document, "button", "1")))
        return _shown(target)

    async def read(self, request: web.Request) -> web.Response:
        """Read everything, or up to a message."""
        person = self._people.person(request)
        document = await body_of(request, frozenset({"message_id"}))
        up_to = self._named(person, text(document, "message_id")) if "message_id" in document else None
        return web.json_response({"read": self._network.read(person, up_to)})

    async def block(self, request: web.Request) -> web.Response:
        """Block an account; without a name all of the channel, without a channel all there are."""
        return await self._block(request, True)

    async def unblock(self, request: web.Request) -> web.Response:
        return await self._block(request, False)

    async def _block(self, request: web.Request, is_blocked: bool) -> web.Response:
        person = self._people.person(request)
        document = await body_of(request, _WHERE)
        channel, name = text(document, "channel"), text(document, "account")
        for account in self._network.accounts:
            if (channel and account.channel != channel) or (name and account.name != name):
                continue
            if is_blocked == (account.key in person.blocked):
                continue
            (person.blocked.add if is_blocked else person.blocked.discard)(account.key)
            # Telegram tells only bots that the person knows
            if account.channel != TELEGRAM or account.key in person.wrote_ms:
                self._network.tell(account, person, "block" if is_blocked else "unblock", {})
        return web.json_response(described(person))

    async def hide_number(self, request: web.Request) -> web.Response:
        """Hide the telephone number from businesses; ``{"hidden": false}`` shows it again."""
        person = self._people.person(request)
        document = await body_of(request, frozenset({"hidden"}))
        set_manners(person, {"hides_number": flag(document, "hidden", True)})
        return web.json_response(described(person))

    async def change_number(self, request: web.Request) -> web.Response:
        """Take another telephone number; WhatsApp tells the accounts that the person wrote to."""
        person = self._people.person(request)
        document = await body_of(request, frozenset({"number"}))
        new, old = digits(document, "number"), person.number
        if not new:
            raise BadRequest("number: expected a telephone number such as +5511999990000")
        try:
            self._network.phones.change_number(person, new)
        except AlreadyTaken:
            raise BadRequest("somebody has this number already", 409) from None
        for account in self._known(person):
            self._network.tell(account, person, "number_changed", {"old": old, "new": new})
        return web.json_response(described(person))

    async def opt_out(self, request: web.Request) -> web.Response:
        """Stop marketing messages; ``{"out": false}`` is the way back."""
        person = self._people.person(request)
        document = await body_of(request, frozenset({"out"}))
        person.has_left_marketing = flag(document, "out", True)
        for account in self._known(person):
            self._network.tell(account, person, "opt_out" if person.has_left_marketing else "opt_in", {})
        return web.json_response(described(person))

    async def go_offline(self, request: web.Request) -> web.Response:
        person = self._people.person(request)
        person.is_online = False
        return web.json_response(described(person))

    async def go_online(self, request: web.Request) -> web.Response:
        """Switch the phone on: what waited is delivered, in order."""
        person = self._people.person(request)
        self._network.go_online(person)
        return web.json_response(described(person))

    async def receipts(self, request: web.Request) -> web.Response:
        """Turn read receipts on or off."""
        person = self._people.person(request)
        person.receipts = flag(await body_of(request, frozenset({"on"})), "on", not person.receipts)
        return web.json_response(described(person))

    async def close_window(self, request: web.Request) -> web.Response:
        """Let 24 hours pass since the person's last message."""
        person = self._people.person(request)
        person.has_open_window = False
        passed_ms = now_ms() - WINDOW_MS - 1
        person.wrote_ms = {key: min(wrote_ms, passed_ms) for key, wrote_ms in person.wrote_ms.items()}
        return web.json_response(described(person))

    def _known(self, person: Person) -> list[BusinessAccount]:
        """Return the accounts on WhatsApp that the person exchanged messages with."""
        keys = {shown.account for shown in person.screen} | set(person.wrote_ms)
        return [each for each in self._network.accounts if each.channel == WHATSAPP and each.key in keys]

    def _account(self, document: Mapping[str, Any]) -> BusinessAccount:
        channel, name = text(document, "channel", WHATSAPP), text(document, "account")
        account = self._network.accounts.named(channel, name)
        if account is None:
            raise BadRequest(f"there is no account {name!r:.80} on {channel:.40}; channels: {', '.join(CHANNELS)}", 404)
        return account

    def _account_of(self, shown: Shown) -> BusinessAccount:
        account = self._network.accounts.named(*shown.account)
        assert account is not None
        return account

    def _named(self, person: Person, message_id: str) -> Shown:
        shown = person.found(message_id)
        if shown is None:
            raise BadRequest(f"this phone shows no message {message_id:.80}", 404)
        return shown

    def _target(self, person: Person, document: Mapping[str, Any], among: list[Shown] | None = None) -> Shown:
        """Return the named message, or the account's last one."""
        if "message_id" in document:
            return self._named(person, text(document, "message_id"))
        shown = next((s for s in reversed(person.screen if among is None else among) if not s.is_mine), None)
        if shown is None:
            raise BadRequest("this phone shows no such message yet", 409)
        return shown

    def _content(self, account: BusinessAccount, document: Mapping[str, Any]) -> Content:
        file = document.get("file")
        words = text(document, "text")
        if len(words) > MOST_CHARACTERS:
            raise BadRequest(f"text: at most {MOST_CHARACTERS:,} characters")
        kind = text(document, "kind", "document" if file is not None else "text")
        if kind in SAMPLES:
            return Content(kind, words, self._stored(account, kind, file))
        if kind == "text":
            if not words:
                raise BadRequest("text: expected some")
            return Content("text", words)
        if kind not in ("location", "contacts", "unsupported"):
            raise BadRequest(f"kind: expected text, location, contacts, unsupported or one of {', '.join(SAMPLES)}")
        data = document.get("data" if kind == "unsupported" else kind, {} if kind == "unsupported" else None)
        if kind == "contacts" and isinstance(data, list):
            data = {"contacts": data}
        if not isinstance(data, dict):
            raise BadRequest(f"{kind}: expected its object")
        return Content(kind, words, data=data)

    def _stored(self, account: BusinessAccount, kind: str, file: Any) -> str:
        """Keep the person's file, or a small one, and return its id."""
        content, mime_type, name = SAMPLES[kind]
        if file is not None:
            if not isinstance(file, dict) or not set(file) <= _FILE:
                raise BadRequest(f"file: expected an object with {', '.join(sorted(_FILE))}")
            content = fields.content(file, "content")
            mime_type, name = text(file, "mime_type", mime_type), text(file, "name", name)
        return self._media.add(account.key, content, mime_type, name).id


def _button(target: Shown, name: str) -> Button:
    buttons = [button for button in target.content.buttons if button.kind != "link"]
    for button in buttons:
        if name in (button.id, button.title):
            return button
    if name.isdecimal() and 1 <= int(name) <= len(buttons):
        return buttons[int(name) - 1]
    known = ", ".join(button.title for button in buttons) or "none"
    raise BadRequest(f"button: there is no {name!r:.60}; there are: {known}", 409)


def _shown(shown: Shown) -> web.Response:
    return web.json_response(shown.document())
