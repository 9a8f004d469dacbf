"""Linked identities: the caller's addresses on the channels."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from domain.addresses import parse_recipient
from domain.errors import InvalidInput
from domain.ports import Identity
from web.bootstrap import DEPENDENCIES
from web.contract.requests import LinkIdentity
from web.contract.response_bodies import identity_document
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import json_response


async def link_identity(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/users/identities``: 201, also for one linked already, by the caller or by others; 409 if another
    user has proven it, or at the limit.
    """
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(LinkIdentity, request)
    # nothing proves yet that the address is the caller's
    identity = Identity(caller.user_id, wanted.platform, wanted.value, False, deps.clock_ms())
    try:
        return json_response(identity_document(await deps.identities.link(identity), caller.username), 201)
    finally:  # even without an answer from the store it may be linked
        deps.recipient_resolver.forget(caller.user_id)


async def list_identities(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/users/identities``: all of the caller's, by platform and value."""
    linked = await request.app[DEPENDENCIES].identities.of_user(caller.user_id)
    identities = [identity_document(one, caller.username) for one in linked]
    return json_response({**_owner(caller), "identities": identities})


async def unlink_identity(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/users/identities/{platform}/{value}``: 200; 404 if the caller has no such identity."""
    platform, value = request.match_info["platform"].lower(), request.match_info["value"]
    with suppress(InvalidInput):  # it may have been linked under an older rule
        value = parse_recipient(f"{platform}:{value}").address
    deps = request.app[DEPENDENCIES]
    try:
        await deps.identities.unlink(caller.user_id, platform, value)
    finally:
        deps.recipient_resolver.forget(caller.user_id)
    return json_response({**_owner(caller), "platform": platform, "value": value})


def _owner(caller: Caller) -> dict[str, str | None]:
    return {"user_id": caller.user_id, "username": caller.username or None}
