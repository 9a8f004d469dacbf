"""A conversation's messages, page by page."""

from __future__ import annotations

from aiohttp import web

from web.contract.message_requests import ListMessages
from web.contract.response_bodies import message_document, parties_of
from web.conversations.service import CONVERSATIONS
from web.conversations.usernames import USERNAMES
from web.history.cursor import HISTORY_CURSOR
from web.history.service import HISTORY
from web.http.app_keys import SETTINGS
from web.http.bodies import query_as
from web.http.caller import Caller
from web.http.responses import json_response


async def list_messages(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/messages?conversation_id=`` and ``GET /v1/conversations/{conversation_id}/messages``."""
    wanted = query_as(ListMessages, request, request.match_info)
    await request.app[CONVERSATIONS].require_participant(wanted.conversation_id, caller.user_id)
    after = None if wanted.cursor is None else HISTORY_CURSOR.decode(wanted.cursor)
    page = await request.app[HISTORY].page(
        wanted.conversation_id,
        after=after,
        offset=wanted.offset,
        limit=wanted.limit,
        descending=wanted.order == "desc",
    )
    shown = page.messages
    names = await request.app[USERNAMES].names_of(party for found in shown for party in parties_of(found))
    reactions = await request.app[HISTORY].reactions(
        wanted.conversation_id, [found.message.message_id for found in shown]
    )
    hours = request.app[SETTINGS].expires_hours
    document = {
        "conversation_id": wanted.conversation_id,
        "messages": [
            message_document(found, names, hours, reactions.get(found.message.message_id, ())) for found in shown
        ],
        "pagination": {
            "limit": wanted.limit,
            "offset": wanted.offset,
            "returned": len(shown),
            "has_more": page.has_more,
            "next_cursor": HISTORY_CURSOR.encode(shown[-1].position) if page.has_more else None,
        },
    }
    return json_response(document)
