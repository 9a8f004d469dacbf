"""``GET /{phone_number_id}/message_history``: what became of messages, and of their webhooks."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from simulator.accounts import WHATSAPP, Accounts, BusinessAccount
from simulator.books import Books
from simulator.calls import Calls
from simulator.graph import answers
from simulator.graph.access import account_of
from simulator.graph.errors import GraphError
from simulator.messages import Taken

MOST, DEFAULT = 100, 25
_KNOWN = ("SENT", "DELIVERED", "READ", "FAILED", "DELETED")


class History:
    """The handler of one server."""

    def __init__(self, accounts: Accounts, books: Books, calls: Calls) -> None:
        self._accounts = accounts
        self._books = books
        self._calls = calls

    async def message_history(self, request: web.Request, number_id: str) -> web.Response:
        """Return one message's history, or a page of the account's, the newest message first."""
        account = account_of(self._accounts, WHATSAPP, number_id, request)
        outage = await self._calls.outage(account)
        if outage is not None:
            return answers.failure(WHATSAPP, outage, self._calls.chaos)
        has_events = "events" in request.query.get("fields", "")
        message_id = request.query.get("message_id")
        if message_id is not None:
            taken = self._books.found(account.key, message_id)
            if taken is None:
                raise GraphError(100, "The requested message_id was not found in the message history", status=422)
            return web.json_response({"data": [_entry(taken, has_events)]})
        return web.json_response(self._page(account, request, has_events))

    def _page(self, account: BusinessAccount, request: web.Request, has_events: bool) -> dict[str, Any]:
        text = request.query.get("limit", str(DEFAULT))
        limit = int(text) if text.isdecimal() and len(text) < 5 else 0
        if not 1 <= limit <= MOST:
            raise GraphError(100, f"Param limit must be 1 to {MOST}")
        after = _number(request.query.get("after", ""))
        found: list[Taken] = []
        for taken in reversed(self._books.taken.values()):
            if taken.account == account.key and (not after or taken.number < after):
                found.append(taken)
                if len(found) > limit:
                    break
        more = len(found) > limit
        found = found[:limit]
        page: dict[str, Any] = {"data": [_entry(taken, has_events) for taken in found]}
        if found:
            cursors = {"before": _cursor(found[0].number), "after": _cursor(found[-1].number)}
            page["paging"] = {"cursors": cursors}
            if more:
                page["paging"]["next"] = str(request.url.update_query(after=cursors["after"]))
        return page


def _entry(taken: Taken, has_events: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": f"{10**15 + taken.number}", "message_id": taken.provider_id}
    if has_events:
        entry["events"] = {"data": [_event(event) for event in taken.events if event.status in _KNOWN]}
    return entry


def _event(event: Any) -> dict[str, Any]:
    document = {
        "id": event.id,
        "delivery_status": event.status,
        "timestamp": event.at_ms // 1000,
        "webhook_update_state": event.webhook,
    }
    if event.code:
        document["error_description"] = f"({event.code})"
    return document


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def _number(cursor: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor.encode())) if cursor else 0
    except ValueError:
        raise GraphError(100, "Param after is no cursor") from None
