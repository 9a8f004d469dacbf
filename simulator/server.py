"""The simulator as one aiohttp application: its parts, made and wired in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from aiohttp import web

from simulator.accounts import DEFAULTS, INSTAGRAM, WHATSAPP, Accounts, BusinessAccount
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
from simulator.posting import Poster
from simulator.timer import Timer
from simulator.whatsapp.calls import WhatsAppCalls
from simulator.whatsapp.history import History
from simulator.whatsapp.webhooks import WhatsApp

MAX_BODY_BYTES = 4 << 20  # of a JSON body; forms are read by parts, each with its own bound


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
        whatsapp = WhatsApp(self.media, self.books.life)
        instagram = Instagram(self.media, self.books.life, lambda id: f"{self.public_url}/cdn/{id}")
        self.poster = Poster(self.accounts, {WHATSAPP: whatsapp, INSTAGRAM: instagram}, lambda: self.calls.in_force)
        channels: Mapping[str, Channel] = {WHATSAPP: whatsapp, INSTAGRAM: instagram}
        self.network = Network(
            self.accounts,
            self.phones,
            self.books,
            self._timer,
            channels,
            lambda: self.calls.chaos,
            self.poster.post,
        )
        add_peculiar_people(self.phones)

    def app(self) -> web.Application:
        """Return the application; it reports while it runs."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        whatsapp = WhatsAppCalls(self.accounts, self.network, self.calls, self.media)
        history = History(self.accounts, self.books, self.calls)
        instagram = InstagramCalls(self.accounts, self.network, self.calls)
        GraphRoutes(self.accounts, whatsapp, history, instagram).add_to(app)
        people = People(self.network)
        state = State(self.accounts, self.phones, self.books, self.calls, self.poster, self.media, self._timer)
        control.add_to(app, people, Acts(people, self.network, self.media), state)
        app.router.add_get("/cdn/{id}", self._file)
        app.cleanup_ctx.append(self._running)
        return app

    async def _file(self, request: web.Request) -> web.Response:
        """A file by its link, without a token, as Instagram gives them out."""
        file = self.media.found(request.match_info["id"])
        if file is None:
            return web.Response(status=404)
        return web.Response(body=file.content, content_type=file.mime_type)

    async def _running(self, app: web.Application) -> AsyncIterator[None]:
        yield
        self._timer.close()
        await self.poster.close()
