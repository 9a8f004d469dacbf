"""The routes of the Graph API: the id in the path tells whose call it is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulator import calls
from simulator.accounts import INSTAGRAM, WHATSAPP, Accounts
from simulator.calls import CutOff
from simulator.graph import answers
from simulator.graph.errors import GraphError
from simulator.instagram.calls import InstagramCalls
from simulator.whatsapp.calls import WhatsAppCalls
from simulator.whatsapp.history import History

_VERSION = re.compile(r"v[0-9]+\.[0-9]+")
Handler = Callable[[web.Request], Awaitable[web.Response]]


class GraphRoutes:
    """Adds the routes of both channels of Meta to an application."""

    def __init__(
        self, accounts: Accounts, whatsapp: WhatsAppCalls, history: History, instagram: InstagramCalls
    ) -> None:
        self._accounts = accounts
        self._whatsapp = whatsapp
        self._history = history
        self._instagram = instagram

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        at_version = "/graph/{version}"
        app.router.add_post(f"{at_version}/{{id}}/messages", in_form(self._messages))
        app.router.add_post(f"{at_version}/{{id}}/media", in_form(self._upload))
        app.router.add_get(f"{at_version}/{{id}}/message_history", in_form(self._message_history))
        app.router.add_get(f"{at_version}/{{id}}/subscribed_apps", in_form(self._subscribed_apps))
        app.router.add_get(f"{at_version}/{{id}}", in_form(self._object))
        app.router.add_delete(f"{at_version}/{{id}}", in_form(self._object))
        app.router.add_get("/media/{id}", in_form(self._whatsapp.download))
        app.router.add_route("*", "/graph/{rest:.*}", in_form(_unknown))

    async def _messages(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if id == "me" or self._accounts.of_id(INSTAGRAM, id) is not None:
            return await self._instagram.messages(request, id)
        return await self._whatsapp.messages(request, id)

    async def _upload(self, request: web.Request) -> web.Response:
        return await self._whatsapp.upload(request, request.match_info["id"])

    async def _message_history(self, request: web.Request) -> web.Response:
        return await self._history.message_history(request, request.match_info["id"])

    async def _object(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if request.method == "GET" and self._instagram.is_profile(id):
            return await self._instagram.profile(request, id)
        if request.method == "GET" and self._accounts.of_id(WHATSAPP, id) is not None:
            return self._whatsapp.number(request, id)
        return await self._whatsapp.media(request, id)

    async def _subscribed_apps(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        return self._instagram.subscribed_apps(request) if id == "me" else self._whatsapp.subscribed_apps(request, id)


async def _unknown(request: web.Request) -> web.Response:
    raise GraphError(100, "Unsupported request - method type: " + request.method.lower())


def in_form(handler: Handler) -> Handler:
    """Return the handler with its errors in Meta's form, and connections that are cut."""

    async def handle(request: web.Request) -> web.Response:
        version = request.match_info.get("version")
        try:
            if version is not None and not _VERSION.fullmatch(version):
                raise GraphError(2500, f"Unknown path components: /{version:.40}", status=400)
            return await handler(request)
        except GraphError as error:
            channel = INSTAGRAM if request.match_info.get("id") == "me" else WHATSAPP
            return answers.error_response(channel, error)
        except CutOff:
            return calls.cut(request)

    return handle
