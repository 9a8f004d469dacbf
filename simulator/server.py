"""The simulator as one aiohttp application: its parts, made and wired in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from aiohttp import web

from simulator import page
from simulator.accounts import DEFAULTS, INSTAGRAM, TELEGRAM, WHATSAPP, Accounts, BusinessAccount
from simulator.books import Books
from simulator.calls import Calls
from simulator.chaos import Chaos
from simulator.control import routes as control
from simulator.control.acts import Acts
from simulator.control.people import People
from simulator.control.state import State
from simulator.graph_routes import GraphRoutes
from simulator.instagram.calls import InstagramCalls
from simulator.instagram.webhooks import Instagram
from simulator.media import MediaStore
from simulator.network import Channel, Network
from simulator.peculiar import add_peculiar_people
from simulator.phones import PhoneBook
from simulator.posting import Form, Poster, Update
from simulator.pulse import Pulse
from simulator.telegram.methods import Methods
from simulator.telegram.routes import TelegramRoutes
from simulator.telegram.updates import Updates
from simulator.telegram.webhooks import Telegram
from simulator.timer import Timer
from simulator.whatsapp.calls import WhatsAppCalls
from simulator.whatsapp.history import History
from simulator.whatsapp.webhooks import WhatsApp

# what a bot asks for whose webhook is set from the beginning
ALL_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "message_reaction")
MAX_BODY_BYTES = 4 << 20  # of a JSON body; forms are read by parts, each with its own bound


class _Protocol(Channel, Form, Protocol):
    """A provider's protocol: reports, and the form of their webhooks."""


class Simulator:
    """One simulator. ``public_url``: its own address, for links to files; ``callback_base``: webhooks of an account go
    to ``{callback_base}/{channel}/{name}``; empty: nowhere, until a callback is set.

    Raises ``ValueError`` for too many accounts.
    """

    def __init__(
        self,
        chaos: Chaos | None = None,
        accounts: Iterable[BusinessAccount] = DEFAULTS,
        callback_base: str = "",
        public_url: str = "http://127.0.0.1:8090",
    ) -> None:
        self.public_url = public_url
        self.accounts = Accounts(accounts, callback_base)
        self.books = Books()
        self.phones = PhoneBook()
        self.media = MediaStore()
        self.calls = Calls(self.books, chaos or Chaos())
        self._timer = Timer()
        self.pulse = Pulse()
        whatsapp = WhatsApp(self.media, self.books.life)
        instagram = Instagram(self.media, self.books.life, lambda id: f"{self.public_url}/cdn/{id}")
        self._telegram = Telegram(self.media)
        channels: Mapping[str, _Protocol] = {WHATSAPP: whatsapp, INSTAGRAM: instagram, TELEGRAM: self._telegram}
        self.poster = Poster(self.accounts, channels, lambda: self.calls.in_force)
        self._updates = Updates(self.accounts, self.poster.post)
        self.network = Network(
            self.accounts,
            self.phones,
            self.books,
            self._timer,
            channels,
            lambda: self.calls.chaos,
            self._report,
            self.pulse.beat,
        )
        for account in self.accounts:
            if account.channel == TELEGRAM and account.secret_token and callback_base:
                self._telegram.secrets[account.key] = account.secret_token
                url = f"{callback_base.rstrip('/')}/{account.channel}/{account.name}"
                self._updates.set_webhook(account, url, ALL_UPDATES, False)
        add_peculiar_people(self.phones)

    def app(self) -> web.Application:
        """Return the application; it reports while it runs."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        whatsapp = WhatsAppCalls(self.accounts, self.network, self.calls, self.media)
        history = History(self.accounts, self.books, self.calls)
        instagram = InstagramCalls(self.accounts, self.network, self.calls)
        GraphRoutes(self.accounts, whatsapp, history, instagram).add_to(app)
        methods = Methods(self.network, self.calls, self.media, self._telegram, self._updates)
        TelegramRoutes(self.accounts, self.calls, self.media, methods).add_to(app)
        people = People(self.network)
        state = State(self.accounts, self.phones, self.books, self.calls, self.poster, self.media, self._timer)
        control.add_to(app, people, Acts(people, self.network, self.media), state, self.pulse)
        page.add_to(app)
        app.router.add_get("/cdn/{id}", self._file)
        app.cleanup_ctx.append(self._running)
        app.on_shutdown.append(self._end_streams)
        return app

    def _report(self, update: Update) -> None:
        (self._updates.add if update.account.channel == TELEGRAM else self.poster.post)(update)

    async def _file(self, request: web.Request) -> web.Response:
        """A file by its link, without a token, as Instagram gives them out."""
        file = self.media.found(request.match_info["id"])
        if file is None:
            return web.Response(status=404)
        return web.Response(body=file.content, content_type=file.mime_type)

    async def _end_streams(self, app: web.Application) -> None:
        self.pulse.close()

    async def _running(self, app: web.Application) -> AsyncIterator[None]:
        yield
        self._timer.close()
        await self.poster.close()
