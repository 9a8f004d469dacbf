"""Conversations: begin one, list one's own, look at one."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web

from domain.conversations import MAX_MEMBERS, Conversation
from domain.errors import AlreadyExists, Unavailable
from domain.ids import uuid7
from web.bootstrap import DEPENDENCIES, Dependencies
from web.contract.conversation_requests import CreateConversation, ListConversations
from web.contract.response_bodies import conversation_document
from web.conversations.listing import LIST_CURSOR, Summary
from web.conversations.memberships import outside, unknown_conversation
from web.errors import FieldErrors
from web.http.bodies import body_as, query_as
from web.http.caller import Caller
from web.http.responses import json_response


async def create_conversation(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/conversations``: 201; 200 if the caller made the very same one before, or the direct one is there;
    409 if the id is taken."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(CreateConversation, request)
    if wanted.recipient_id is not None:
        return await _direct(deps, wanted.recipient_id, caller)
    named = await deps.usernames.resolved("participants", wanted.participants)
    participants = sorted({caller.user_id, *named})
    if len(participants) > MAX_MEMBERS:
        raise FieldErrors([("participants", f"a conversation has at most {MAX_MEMBERS} participants, including you")])
    await deps.existing_users.require("participants", named, caller.user_id)
    now_ms = deps.clock_ms()
    conversation_id = wanted.conversation_id or uuid7(now_ms, deps.randomness(10))
    created = await deps.conversations.create(
        conversation_id, participants, now_ms, created_by=caller.user_id, name=wanted.name
    )
    conversation = await deps.conversations.get(conversation_id)
    if conversation is None:
        raise Unavailable("the conversation was created but cannot be read yet; retry")
    if not created and (conversation.created_by, conversation.participants, conversation.name) != (
        caller.user_id,
        participants,
        wanted.name,
    ):
        raise AlreadyExists("this conversation_id is taken; choose another or omit it")
    return await _begun(deps, conversation, is_new=created)


async def _direct(deps: Dependencies, recipient_id: str, caller: Caller) -> web.Response:
    """Answer with the direct conversation of the caller and the recipient."""
    conversation, is_new = await deps.existing_users.find_or_create_direct(recipient_id, caller.user_id)
    return await _begun(deps, conversation, is_new=is_new)


async def _begun(deps: Dependencies, conversation: Conversation, *, is_new: bool) -> web.Response:
    (document,) = await _documents(deps, [await deps.lists.summary(conversation)])
    location = f"/v1/conversations/{quote(conversation.conversation_id, safe='')}"
    return json_response(document, 201 if is_new else 200, {"Location": location})


async def list_conversations(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/conversations``: the caller's conversations, the latest activity first."""
    deps = request.app[DEPENDENCIES]
    wanted = query_as(ListConversations, request)
    await deps.history.require_latest()
    cursor = None if wanted.cursor is None else LIST_CURSOR.decode(wanted.cursor)
    page, next_cursor = await deps.lists.page(caller.user_id, cursor=cursor, offset=wanted.offset, limit=wanted.limit)
    document = {
        "conversations": await _documents(deps, page),
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
    deps = request.app[DEPENDENCIES]
    conversation_id = request.match_info["conversation_id"]
    conversation = await deps.conversations.get(conversation_id)
    if conversation is None:
        raise unknown_conversation(conversation_id)
    if conversation.member(caller.user_id) is None:
        raise outside(conversation_id)
    await deps.history.require_latest()
    await deps.history.require_all_messages([conversation_id])
    summary = await deps.lists.summary(conversation)
    await deps.history.require_all_messages([conversation_id])
    (document,) = await _documents(deps, [summary])
    return json_response(document)


async def _documents(deps: Dependencies, summaries: Sequence[Summary]) -> list[dict[str, object]]:
    """Return the documents of the conversations with their participants' names."""
    shown = [(summary.conversation, summary) for summary in summaries]
    named = (one for conversation, _ in shown for one in (*conversation.participants, conversation.created_by or ""))
    names = await deps.usernames.names_of(named)
    return [conversation_document(one, summary.last, summary.message_count, names) for one, summary in shown]
