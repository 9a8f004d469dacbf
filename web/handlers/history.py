"""A conversation's messages, page by page."""

from __future__ import annotations

import asyncio

from aiohttp import web

from domain.errors import Unavailable
from domain.ports import LogPosition, StoredMessage
from web.bootstrap import DEPENDENCIES, Dependencies
from web.contract.requests import ListMessages
from web.contract.response_bodies import message_document, parties_of
from web.history.merge import HISTORY_CURSOR, merge_page
from web.history.recent import Recent
from web.http.bodies import query_as
from web.http.caller import Caller
from web.http.responses import json_response

CATCH_UP_SECONDS = 1.0
_STEP = 500
_TRIES = 3


async def list_messages(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/messages?conversation_id=`` and ``GET /v1/conversations/{conversation_id}/messages``."""
    deps = request.app[DEPENDENCIES]
    wanted = query_as(ListMessages, request, request.match_info)
    await deps.memberships.check(wanted.conversation_id, caller.user_id)
    # what was acknowledged before this request belongs in the answer, whichever process took it
    if not await deps.tailer.catch_up(CATCH_UP_SECONDS) and not deps.tailer.has_caught_up:
        # once caught up, both views miss nothing up to the moment Kafka went away; before that, they may
        raise Unavailable("the latest messages cannot be read yet; retry")
    page = await _whole_page(deps, wanted)
    shown, has_more = page[: wanted.limit], len(page) > wanted.limit
    names = await deps.usernames.names_of(party for found in shown for party in parties_of(found))
    document = {
        "conversation_id": wanted.conversation_id,
        "messages": [message_document(found, names) for found in shown],
        "pagination": {
            "limit": wanted.limit,
            "offset": wanted.offset,
            "returned": len(shown),
            "has_more": has_more,
            "next_cursor": HISTORY_CURSOR.encode(shown[-1].place) if has_more else None,
        },
    }
    return json_response(document)


async def _whole_page(deps: Dependencies, wanted: ListMessages) -> list[StoredMessage]:
    """Return the page and, if there is one, the message after it.

    Raises ``Unavailable`` if messages of the page were evicted from memory and are not mirrored yet.
    """
    for _ in range(_TRIES):
        # before the page is read, and after: meanwhile the mirror may have written what was not found
        gap = await deps.mirrored.gap(wanted.conversation_id)
        page = await _page(deps, wanted)
        start, stop = _span(wanted, page)
        if gap is not None and gap.touches(start, stop):
            break
        gap = deps.mirrored.known_gap(wanted.conversation_id)
        if gap is None or not gap.touches(start, stop):
            return page
    raise Unavailable("some of these messages are not in the history yet; retry")


def _span(wanted: ListMessages, page: list[StoredMessage]) -> tuple[int, int | None]:
    """Return the places covered by a page: the first, and the one after the last (``None``: to the end)."""
    edge = None if wanted.cursor is None else HISTORY_CURSOR.decode(wanted.cursor).position
    is_whole = len(page) <= wanted.limit
    if wanted.order == "desc":
        return 0 if is_whole else page[-1].place.position, edge
    return 0 if edge is None else edge + 1, None if is_whole else page[-1].place.position + 1


async def _page(deps: Dependencies, wanted: ListMessages) -> list[StoredMessage]:
    """Return the page and, if there is one, the message after it."""
    after = None if wanted.cursor is None else HISTORY_CURSOR.decode(wanted.cursor)
    to_skip = wanted.offset
    while to_skip > 0:
        skipped = await _both_views(deps, wanted, after, min(to_skip, _STEP))
        if not skipped:
            return []
        to_skip -= len(skipped)
        after = skipped[-1].place
    return await _both_views(deps, wanted, after, wanted.limit + 1)


async def _both_views(
    deps: Dependencies, wanted: ListMessages, after: LogPosition | None, limit: int
) -> list[StoredMessage]:
    descending = wanted.order == "desc"
    stored = await deps.reader.list(wanted.conversation_id, after=after, limit=limit, descending=descending)
    known = {row.message.message_id: row for row in stored}
    while True:
        recent = deps.recent.page(wanted.conversation_id, after=after, limit=limit, descending=descending)
        unsettled = [entry for entry in recent if not entry.is_settled]
        if not unsettled:
            break
        await asyncio.gather(*(_settle(deps, entry, known) for entry in unsettled))
    return await merge_page(stored, recent, deps.recent.get, limit=limit, descending=descending)


async def _settle(deps: Dependencies, entry: Recent, known: dict[str, StoredMessage]) -> None:
    """See whether a message with an idempotency key was in the log before the cache begins; asked once a message."""
    message = entry.message
    if message is not None:
        stored = known.get(message.message_id) or await deps.reader.get(message.message_id)
        if stored is not None and stored.message.conversation_id == message.conversation_id:
            deps.recent.move_up(message.message_id, stored.place)
    entry.is_settled = True
