"""Groups: conversations with members chosen by admins."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from aiohttp import web

from domain.addresses import normal_address
from domain.conversations import (
    MAX_MEMBERS,
    Conversation,
    Member,
    is_address,
    require_admin,
    with_admin,
    with_member,
    without_member,
)
from domain.direct import is_direct
from domain.errors import NotAllowed, NotFound, Unavailable
from domain.ids import uuid7
from domain.usernames import names_user
from web.bootstrap import DEPENDENCIES, Dependencies
from web.contract.conversation_requests import AddMember, CreateGroup, participant_id
from web.contract.response_bodies import group_document
from web.conversations.usernames import no_such
from web.errors import FieldErrors
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import json_response

# Each attempt is a read and a lightweight transaction; one of several concurrent changes always succeeds.
CHANGE_ATTEMPTS = 10
_PAUSE_SECONDS = 0.05


async def create_group(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/groups``: 201; the caller is the first admin. ``members`` is their number here."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(CreateGroup, request)
    named = await deps.usernames.resolved("initial_members", wanted.initial_members)
    members = sorted({caller.user_id, *named})
    if len(members) > MAX_MEMBERS:
        raise FieldErrors([("initial_members", f"a group has at most {MAX_MEMBERS} members, including you")])
    await deps.existing_users.require("initial_members", named, caller.user_id)
    now_ms = deps.clock_ms()
    group_id = uuid7(now_ms, deps.randomness(10))
    await deps.conversations.create(
        group_id,
        members,
        now_ms,
        created_by=caller.user_id,
        name=wanted.name,
        description=wanted.description,
        is_group=True,
    )
    made = Conversation(
        group_id,
        now_ms,
        tuple(Member(one, now_ms, one == caller.user_id) for one in members),
        caller.user_id,
        wanted.name,
        wanted.description,
        is_group=True,
    )
    document = {**await _document(deps, made), "members": len(members)}
    return json_response(document, 201, {"Location": f"/v1/groups/{group_id}"})


async def show_group(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/groups/{group_id}``: for its members."""
    deps = request.app[DEPENDENCIES]
    group = await _group(deps, request.match_info["group_id"], caller)
    return json_response(await _document(deps, group))


async def add_member(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/groups/{group_id}/members``: by an admin; 409 if already a member, or the group is full."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(AddMember, request)
    # a caller without the right to add members does not learn whether a user exists
    before = await _group(deps, request.match_info["group_id"], caller)
    require_admin(before, caller.user_id)
    (user_id,) = await deps.usernames.resolved("user_id", [wanted.user_id])
    with_member(before, caller.user_id, user_id, 0)
    await deps.existing_users.require("user_id", [user_id], caller.user_id)
    now_ms = deps.clock_ms()
    return await _changed(request, caller, lambda group: with_member(group, caller.user_id, user_id, now_ms))


async def remove_member(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/groups/{group_id}/members/{user_id}``: by an admin, or by oneself; 409 for the last admin."""
    named = await _named(request)
    return await _changed(
        request, caller, lambda group: without_member(group, caller.user_id, _on_record(named, group))
    )


async def make_admin(request: web.Request, caller: Caller) -> web.Response:
    """``PUT /v1/groups/{group_id}/admins/{user_id}``: by an admin; the same again changes nothing."""
    named = await _named(request)
    return await _changed(request, caller, lambda group: with_admin(group, caller.user_id, _on_record(named, group)))


async def _document(deps: Dependencies, group: Conversation) -> dict[str, Any]:
    return group_document(group, await deps.usernames.names_of((*group.participants, group.created_by or "")))


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
    user_id = (await request.app[DEPENDENCIES].usernames.ids_of([named])).get(named)
    if user_id is None:
        raise NotFound(no_such(named))
    return user_id


def _on_record(named: str, group: Conversation) -> str:
    """Return the member ``named`` as the group has it: an older release may have written another form of an address."""
    if group.member(named) is not None:
        return named
    return next((member for member in group.participants if normal_address(member) == named), named)


async def _group(deps: Dependencies, group_id: str, caller: Caller) -> Conversation:
    """Return the group. Raises ``NotFound``, ``NotAllowed`` for a caller outside."""
    group = await deps.conversations.get(group_id)
    if group is None or is_direct(group_id):
        raise NotFound("there is no such group")
    if group.member(caller.user_id) is None:
        raise NotAllowed("you are not a participant of this conversation")
    if not group.is_group:
        raise NotFound("this conversation is no group")
    return group


async def _changed(
    request: web.Request, caller: Caller, decide: Callable[[Conversation], Conversation]
) -> web.Response:
    """Answer with the group as ``decide`` makes it of the group as it is; again, should it have changed meanwhile."""
    deps, group_id = request.app[DEPENDENCIES], request.match_info["group_id"]
    for _ in range(CHANGE_ATTEMPTS):
        before = await _group(deps, group_id, caller)
        after = decide(before)
        try:
            if after is before or await deps.conversations.change(before, after):
                return json_response(await _document(deps, after))
        finally:  # even without an answer from the store it may have been changed
            deps.live.participants.forget(group_id)
            for gone in set(before.participants) - set(after.participants):
                deps.memberships.forget(group_id, gone)
        await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS))
    raise Unavailable("concurrent changes of this group; retry", 1)
