"""Conversations: begin one, list one's own, look at one."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web

from web.contract.conversation_requests import CreateConversation, ListConversations
from web.contract.response_bodies import conversation_document
from web.conversations.listing import LIST_CURSOR, Summary
from web.conversations.service import CONVERSATIONS
from web.conversations.usernames import USERNAMES
from web.http.bodies import body_as, query_as
from web.http.caller import Caller
from web.http.responses import json_response
from web.messages.contacts import ADDRESS_BOOK


async def create_conversation(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/conversations``: 201; 200 if the caller made the very same one before, or the direct one is there;
    409 if the id is taken."""
    conversations = request.app[CONVERSATIONS]
    wanted = await body_as(CreateConversation, request)
    if wanted.recipient_id is not None:
        begun = await conversations.begin_direct(caller.user_id, wanted.recipient_id)
    else:
        begun = await conversations.begin(
            caller.user_id, wanted.participants, conversation_id=wanted.conversation_id, name=wanted.name
        )
    (document,) = await _documents(request, [begun.summary])
    location = f"/v1/conversations/{quote(begun.summary.conversation.conversation_id, safe='')}"
    return json_response(document, 201 if begun.is_new else 200, {"Location": location})


async def list_conversations(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/conversations``: the caller's conversations, the latest activity first."""
    wanted = query_as(ListConversations, request)
    cursor = None if wanted.cursor is None else LIST_CURSOR.decode(wanted.cursor)
    page, next_cursor = await request.app[CONVERSATIONS].page(
        caller.user_id, caller.username, cursor=cursor, offset=wanted.offset, limit=wanted.limit
    )
    document = {
        "conversations": await _documents(request, page),
        "pagination": {
            "limit": wanted.limit,
            "offset": wanted.offset,
            "returned": len(page),
            "has_more": next_cursor is not None,
            "next_cursor": next_cursor,
        },
    }
    return json_response(document)


async def show_conversation(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/conversations/{conversation_id}``: for its participants."""
    summary = await request.app[CONVERSATIONS].summary(request.match_info["conversation_id"], caller.user_id)
    (document,) = await _documents(request, [summary])
    return json_response(document)


async def _documents(request: web.Request, summaries: Sequence[Summary]) -> list[dict[str, object]]:
    """Return the documents of the conversations with their participants' names."""
    shown = [(summary.conversation, summary) for summary in summaries]
    named = (one for conversation, _ in shown for one in (*conversation.participants, conversation.created_by or ""))
    names = await request.app[USERNAMES].names_of(named)
    people = await request.app[ADDRESS_BOOK].people(
        one for conversation, _ in shown for one in conversation.participants
    )
    return [conversation_document(one, summary.last, summary.message_count, names, people) for one, summary in shown]
