"""Conversations: begin one, list one's own, look at one."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from domain.conversations import MAX_MEMBERS
from domain.errors import AlreadyExists, NotAllowed, NotFound, Unavailable
from domain.ids import uuid7
from web.answers import json_answer
from web.bodies import body_as, query_as
from web.conversation_list import Summary, listed_of
from web.conversation_schemas import CreateConversation, ListConversations
from web.dependencies import DEPENDENCIES, Dependencies
from web.documents import conversation_document
from web.participants import require_users
from web.problems import FieldErrors
from web.tokens import Caller

CATCH_UP_SECONDS = 1.0


async def create_conversation(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/conversations``: 201; 200 if the caller made the very same one before; 409 if the id is taken."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(CreateConversation, request)
    participants = sorted({caller.user_id, *wanted.participants})
    if len(participants) > MAX_MEMBERS:
        raise FieldErrors([("participants", f"at most {MAX_MEMBERS} may take part, you among them")])
    await require_users(deps, "participants", wanted.participants, caller.user_id)
    now_ms = deps.clock_ms()
    conversation_id = wanted.conversation_id or uuid7(now_ms, deps.randomness(10))
    created = await deps.conversations.create(
        conversation_id, participants, now_ms, created_by=caller.user_id, name=wanted.name
    )
    conversation = await deps.conversations.get(conversation_id)
    if conversation is None:
        raise Unavailable("the conversation was created and cannot be read yet; try again")
    if not created and (conversation.created_by, conversation.participants, conversation.name) != (
        caller.user_id,
        participants,
        wanted.name,
    ):
        raise AlreadyExists("this conversation_id is taken; choose another, or leave it out")
    summary = await deps.lists.summary(conversation)
    location = f"/v1/conversations/{quote(conversation_id, safe='')}"
    return json_answer(_document(summary), 201 if created else 200, {"Location": location})


async def list_conversations(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/conversations``: those the caller takes part in, what happened last first."""
    deps = request.app[DEPENDENCIES]
    wanted = query_as(ListConversations, request)
    await _catch_up(deps)
    cursor = None if wanted.cursor is None else listed_of(wanted.cursor)
    page, next_cursor = await deps.lists.page(
        caller.user_id, cursor=cursor, offset=wanted.offset, limit=wanted.limit
    )
    document = {
        "conversations": [_document(summary) for summary in page],
        "pagination": {
            "limit": wanted.limit,
            "offset": wanted.offset,
            "returned": len(page),
            "has_more": next_cursor is not None,
            "next_cursor": next_cursor,
        },
    }
    return json_answer(document)


async def show_conversation(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/conversations/{conversation_id}``: for those who take part."""
    deps = request.app[DEPENDENCIES]
    conversation_id = request.match_info["conversation_id"]
    conversation = await deps.conversations.get(conversation_id)
    if conversation is None:
        raise NotFound("there is no such conversation")
    if conversation.member(caller.user_id) is None:
        raise NotAllowed("you take no part in this conversation")
    await _catch_up(deps)
    return json_answer(_document(await deps.lists.summary(conversation)))


async def _catch_up(deps: Dependencies) -> None:
    """What was acknowledged before this request counts, whichever process took it."""
    if not await deps.follower.catch_up(CATCH_UP_SECONDS) and not deps.follower.has_caught_up:
        raise Unavailable("the latest messages cannot be read yet; try again")


def _document(summary: Summary) -> dict[str, object]:
    return conversation_document(summary.conversation, summary.last, summary.message_count)
