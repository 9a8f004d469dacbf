"""Instagram's calls over HTTP: messages, reactions, read marks, profiles."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator import calls
from simulator.accounts import INSTAGRAM, Accounts, BusinessAccount
from simulator.calls import Calls
from simulator.graph import answers
from simulator.graph.access import account_of, json_object, owner_of_token
from simulator.graph.errors import BLOCKED, NO_SUCH_USER, OUTSIDE_WINDOW, GraphError
from simulator.instagram.validation import Action, Call, read_call
from simulator.network import Network, now_ms
from simulator.phones import Person

FIELDS = ("messages", "messaging_seen", "message_reactions", "messaging_postbacks")  # of the webhooks it posts
HUMAN_WINDOW_MS = 7 * 24 * 3_600_000


class InstagramCalls:
    """The handlers of one server."""

    def __init__(self, accounts: Accounts, network: Network, calls: Calls) -> None:
        self._accounts = accounts
        self._network = network
        self._calls = calls

    def is_profile(self, id: str) -> bool:
        """Return whether this is the id of a person, or of an account."""
        return (
            id == "me"
            or self._accounts.of_id(INSTAGRAM, id) is not None
            or self._network.phones.of_igsid(id) is not None
        )

    async def profile(self, request: web.Request, id: str) -> web.Response:
        """``GET /{igsid}?fields=name,username``: the profile of a person who wrote."""
        account = owner_of_token(self._accounts, INSTAGRAM, request)
        if id in ("me", account.number_id):
            return web.json_response({"id": account.number_id, "username": account.username})
        person = self._network.phones.of_igsid(id)
        if person is None or account.key not in person.wrote_ms:
            raise GraphError(230, "User consent is required to access user profile", status=400)
        return web.json_response({"id": person.igsid, "name": person.name, "username": person.handle or person.id})

    def subscribed_apps(self, request: web.Request) -> web.Response:
        """``GET /me/subscribed_apps``: the app, if the account's webhooks have somewhere to go."""
        account = owner_of_token(self._accounts, INSTAGRAM, request)
        app = {"id": "1", "name": "Chat4All", "subscribed_fields": list(FIELDS)}
        return web.json_response({"data": [app] if account.key in self._accounts.callbacks else []})

    async def messages(self, request: web.Request, id: str) -> web.Response:
        """``POST /me/messages`` and ``POST /{ig_id}/messages``."""
        try:
            return await self._messages(request, id)
        except GraphError as error:
            return answers.error_response(INSTAGRAM, error)

    async def _messages(self, request: web.Request, id: str) -> web.Response:
        if id == "me":
            account = owner_of_token(self._accounts, INSTAGRAM, request)
        else:
            account = account_of(self._accounts, INSTAGRAM, id, request)
        document = await json_object(request)
        call = read_call(document)
        person = self._network.phones.of_igsid(call.igsid)
        if person is None or account.key not in person.wrote_ms:
            raise GraphError(100, "No matching user found", NO_SUCH_USER)
        if isinstance(call, Action):
            return await self._act(account, person, call)
        self._check(account, person, call)
        token = calls.token_of("", person.id, document)
        chaos = self._calls.chaos
        outcome = await self._calls.carry_out(
            account, token, lambda early: self._network.take(account, person, call.message, early)
        )
        mid = outcome.taken.provider_id if outcome.taken is not None else ""
        return answers.response(INSTAGRAM, outcome, chaos, {"recipient_id": person.igsid, "message_id": mid})

    def _check(self, account: BusinessAccount, person: Person, call: Call) -> None:
        if account.key in person.blocked:
            raise GraphError(551, "This person isn't available right now.", BLOCKED)
        now = now_ms()
        is_in_time = now - person.wrote_ms[account.key] < HUMAN_WINDOW_MS if call.is_human else False
        if not is_in_time and not person.window_is_open(account.key, now):
            raise GraphError(10, "This message is sent outside of allowed window.", OUTSIDE_WINDOW)
        reply_to = call.message.reply_to
        if reply_to and person.found(reply_to) is None:
            raise GraphError(100, "Param reply_to[mid] is no message of this conversation")

    async def _act(self, account: BusinessAccount, person: Person, action: Action) -> web.Response:
        outage = await self._calls.outage(account)
        if outage is not None:
            return answers.failure(INSTAGRAM, outage, self._calls.chaos)
        answer: dict[str, Any] = {"recipient_id": person.igsid}
        if action.mid:
            shown = person.found(action.mid)
            if shown is None:
                raise GraphError(100, "Param payload[message_id] is no message of this conversation")
            shown.reactions.pop("account", None)
            if action.emoji:
                shown.reactions["account"] = action.emoji
        elif action.kind == "mark_seen":
            for shown in person.screen:
                if shown.is_mine and shown.account == account.key:
                    shown.is_read = True
        return web.json_response(answer)
