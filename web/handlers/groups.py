"""Groups: conversations with members chosen by admins."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from domain.conversations import Conversation, is_address
from domain.errors import NotFound
from domain.usernames import names_user
from web.contract.conversation_requests import AddMember, CreateGroup, participant_id
from web.contract.response_bodies import group_document
from web.conversations.groups import GROUPS
from web.conversations.usernames import USERNAMES, no_such
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import json_response
from web.messages.contacts import ADDRESS_BOOK


async def create_group(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/groups``: 201; the caller is the first admin. ``members`` is their number here."""
    wanted = await body_as(CreateGroup, request)
    group = await request.app[GROUPS].create(
        caller.user_id, wanted.initial_members, name=wanted.name, description=wanted.description
    )
    document = {**await _document(request, group), "members": len(group.participants)}
    return json_response(document, 201, {"Location": f"/v1/groups/{group.conversation_id}"})


async def show_group(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/groups/{group_id}``: for its members."""
    group = await request.app[GROUPS].find(request.match_info["group_id"], caller.user_id)
    return json_response(await _document(request, group))


async def add_member(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/groups/{group_id}/members``: by an admin; 409 if already a member, or the group is full."""
    wanted = await body_as(AddMember, request)
    group = await request.app[GROUPS].add_member(request.match_info["group_id"], caller.user_id, wanted.user_id)
    return json_response(await _document(request, group))


async def remove_member(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/groups/{group_id}/members/{user_id}``: by an admin, or by oneself; 409 for the last admin."""
    named = await _named(request)
    group = await request.app[GROUPS].remove_member(request.match_info["group_id"], caller.user_id, named)
    return json_response(await _document(request, group))


async def make_admin(request: web.Request, caller: Caller) -> web.Response:
    """``PUT /v1/groups/{group_id}/admins/{user_id}``: by an admin; the same again changes nothing."""
    named = await _named(request)
    group = await request.app[GROUPS].make_admin(request.match_info["group_id"], caller.user_id, named)
    return json_response(await _document(request, group))


async def _document(request: web.Request, group: Conversation) -> dict[str, Any]:
    names = await request.app[USERNAMES].names_of((*group.participants, group.created_by or ""))
    return group_document(group, names, await request.app[ADDRESS_BOOK].people(group.participants))


async def _named(request: web.Request) -> str:
    """Return the member in the path. Raises ``NotFound`` for an impossible id and for an unknown username."""
    text = request.match_info["user_id"]
    try:
        named = participant_id(text)
    except ValueError:
        if is_address(text):
            return text  # an older release may have taken it
        raise NotFound("there is no such member") from None
    if not names_user(named):
        return named
    user_id = (await request.app[USERNAMES].ids_of([named])).get(named)
    if user_id is None:
        raise NotFound(no_such(named))
    return user_id
