"""Linked identities: the caller's addresses on the channels."""

from __future__ import annotations

from aiohttp import web

from web.accounts.identities import IDENTITIES
from web.contract.account_requests import LinkIdentity
from web.contract.response_bodies import identity_document
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import json_response


async def link_identity(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/users/identities``: 201, also for one linked already, by the caller or by others; 409 if another
    user has proven it, or at the limit.
    """
    wanted = await body_as(LinkIdentity, request)
    linked = await request.app[IDENTITIES].link(caller.user_id, wanted.platform, wanted.value)
    return json_response(identity_document(linked, caller.username), 201)


async def list_identities(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/users/identities``: all of the caller's, by platform and value."""
    linked = await request.app[IDENTITIES].of_user(caller.user_id)
    identities = [identity_document(one, caller.username) for one in linked]
    return json_response({**_owner(caller), "identities": identities})


async def unlink_identity(request: web.Request, caller: Caller) -> web.Response:
    """``DELETE /v1/users/identities/{platform}/{value}``: 200; 404 if the caller has no such identity."""
    platform, value = request.match_info["platform"].lower(), request.match_info["value"]
    value = await request.app[IDENTITIES].unlink(caller.user_id, platform, value)
    return json_response({**_owner(caller), "platform": platform, "value": value})


def _owner(caller: Caller) -> dict[str, str | None]:
    return {"user_id": caller.user_id, "username": caller.username or None}
