"""``/chaos``, ``/counts``, ``/taken``, ``/written``, ``/accounts``: the misbehaviour and the counted truth."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
from aiohttp import web

from simulator import books, chaos
from simulator.accounts import Accounts, BusinessAccount
from simulator.books import MOST_PAGE, Books
from simulator.calls import Calls
from simulator.control.fields import BadRequest, body_of, text
from simulator.control.people import paging
from simulator.media import MediaStore
from simulator.phones import PhoneBook
from simulator.posting import Poster
from simulator.timer import Timer

log = logging.getLogger(__name__)

VERIFY_SECONDS = 10.0
_CHALLENGE = "1158201444"


class State:
    """The handlers of one server."""

    def __init__(
        self,
        accounts: Accounts,
        phones: PhoneBook,
        books: Books,
        calls: Calls,
        poster: Poster,
        media: MediaStore,
        timer: Timer,
    ) -> None:
        self._accounts = accounts
        self._phones = phones
        self._books = books
        self._calls = calls
        self._poster = poster
        self._media = media
        self._timer = timer

    async def show_chaos(self, request: web.Request) -> web.Response:
        """``GET /chaos``."""
        return web.json_response(self._calls.chaos.document())

    async def change_chaos(self, request: web.Request) -> web.Response:
        """``POST /chaos``: a JSON object changes some of it, or names a preset; windows count from now."""
        try:
            document = await request.json()
            if not isinstance(document, dict):
                raise BadRequest("expected a JSON object")
            self._calls.set_chaos(chaos.changed(self._calls.chaos, document))
        except ValueError as fault:  # not JSON, or an unusable chaos
            raise BadRequest(str(fault)) from None
        log.warning("the chaos is changed: %s", ", ".join(f"{name}={value}" for name, value in document.items()))
        return web.json_response(self._calls.chaos.document())

    async def counts(self, request: web.Request) -> web.Response:
        """``GET /counts``: what was received and reported, for each account."""
        accounts: dict[str, dict[str, dict[str, int]]] = {}
        for name, counted in (("answers", self._books.answers), ("webhooks", self._poster.counts)):
            for ((channel, account), word), number in sorted(counted.items()):
                accounts.setdefault(f"{channel}/{account}", {}).setdefault(name, {})[word] = number
        for word, rows in self._books.by_account.items():
            for (channel, account), number in sorted(rows.items()):
                accounts.setdefault(f"{channel}/{account}", {}).setdefault("messages", {})[word] = number
        taken, written = self._books.totals
        document = {
            "accounts": accounts,
            "taken": taken,
            "written": written,
            "phones": len(self._phones),
            "files": len(self._media),
            "webhooks_waiting": self._poster.waiting,
            "due_later": self._timer.waiting,
            "dropped_for_want_of_room": self._timer.dropped,
        }
        return web.json_response(document)

    async def taken(self, request: web.Request) -> web.Response:
        """``GET /taken?after=&limit=``: the messages that were really taken, in their order."""
        rows, following = books.page(self._books.taken, *paging(request, MOST_PAGE))
        return web.json_response({"taken": [row.document() for row in rows], "next": following})

    async def written(self, request: web.Request) -> web.Response:
        """``GET /written?after=&limit=``: what people wrote, reacted, pressed and told, in its order."""
        rows, following = books.page(self._books.written, *paging(request, MOST_PAGE))
        return web.json_response({"written": [row.document() for row in rows], "next": following})

    async def accounts(self, request: web.Request) -> web.Response:
        """``GET /accounts``: ids and callbacks; no token and no secret."""
        return web.json_response({"accounts": [self._described(account) for account in self._accounts]})

    async def set_callback(self, request: web.Request) -> web.Response:
        """``POST /accounts/{channel}/{name}/callback`` with ``url``: webhooks go there from now on; empty: nowhere."""
        account = self._account(request)
        url = text(await body_of(request, frozenset({"url"})), "url")
        if url and not url.startswith(("http://", "https://")):
            raise BadRequest("url: expected http://… or https://…")
        if url:
            self._accounts.callbacks[account.key] = url
        else:
            self._accounts.callbacks.pop(account.key, None)
        return web.json_response(self._described(account))

    async def verify(self, request: web.Request) -> web.Response:
        """``POST /accounts/{channel}/{name}/verify``: Meta's handshake with the callback."""
        account = self._account(request)
        url = self._accounts.callbacks.get(account.key)
        if not url:
            raise BadRequest("the account has no callback", 409)
        query = {"hub.mode": "subscribe", "hub.verify_token": account.verify_token, "hub.challenge": _CHALLENGE}
        timeout = aiohttp.ClientTimeout(total=VERIFY_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, params=query) as answer:
                said = (await answer.content.read(1_000)).decode("utf-8", "replace")
                is_verified = answer.status == 200 and said == _CHALLENGE
                return web.json_response({"is_verified": is_verified, "status": answer.status})
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return web.json_response({"is_verified": False, "status": 0, "error": f"{error!r:.200}"})

    def _account(self, request: web.Request) -> BusinessAccount:
        account = self._accounts.named(request.match_info["channel"], request.match_info["name"])
        if account is None:
            raise BadRequest("there is no such account", 404)
        return account

    def _described(self, account: BusinessAccount) -> dict[str, Any]:
        return {
            "channel": account.channel,
            "name": account.name,
            "id": account.number_id,
            "callback": self._accounts.callbacks.get(account.key),
        }
