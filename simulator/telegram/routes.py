"""The routes of the Bot API: ``/bot{token}/{method}`` and ``/file/bot{token}/{path}``."""

from __future__ import annotations

from aiohttp import web

from simulator import calls
from simulator.accounts import TELEGRAM, Accounts, BusinessAccount
from simulator.calls import Calls, CutOff
from simulator.media import MediaStore
from simulator.telegram.errors import TelegramError, failure, unauthorized
from simulator.telegram.methods import Methods
from simulator.telegram.parameters import parameters_of


class TelegramRoutes:
    """Adds the routes to an application."""

    def __init__(self, accounts: Accounts, calls: Calls, media: MediaStore, methods: Methods) -> None:
        self._accounts = accounts
        self._calls = calls
        self._media = media
        self._methods = methods

    def add_to(self, app: web.Application) -> None:
        """Add the routes; a call is a GET or a POST."""
        for method in ("GET", "POST"):
            app.router.add_route(method, "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        try:
            account = self._account(request)
            method = self._methods.by_name.get(request.match_info["method"].lower())
            if method is None:
                raise TelegramError(404, "Not Found")
            parameters = await parameters_of(request)
            name = request.match_info["method"].lower()
            if not name.startswith("send") and name != "setmessagereaction":
                outage = await self._calls.outage(account)
                if outage is not None:
                    return failure(outage, self._calls.chaos)
            return await method(account, parameters)
        except TelegramError as error:
            return error.response()
        except CutOff:
            return calls.cut(request)

    async def _file(self, request: web.Request) -> web.Response:
        try:
            account = self._account(request)
        except TelegramError as error:
            return error.response()
        name = request.match_info["path"].rpartition("/")[2].partition(".")[0]
        file = self._media.found(name)
        if file is None or file.key != account.key:
            return TelegramError(404, "Not Found").response()
        return web.Response(body=file.content, content_type="application/octet-stream")

    def _account(self, request: web.Request) -> BusinessAccount:
        account = self._accounts.of_token(TELEGRAM, request.match_info["token"])
        if account is None:
            raise unauthorized()
        return account
