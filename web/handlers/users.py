"""Users, for admins."""

from __future__ import annotations

from aiohttp import web

from web.accounts.identities import IDENTITIES
from web.accounts.roles import ADMIN, ROLES
from web.accounts.service import ACCOUNTS
from web.contract.response_bodies import identity_document, user_document
from web.http.caller import Caller
from web.http.responses import json_response


async def show_user(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/admin/users/{user}``: by id or name; 404 if there is none."""
    user = await request.app[ACCOUNTS].find(request.match_info["user"])
    roles = [ADMIN] if await request.app[ROLES].is_admin(user.user_id) else []
    linked = await request.app[IDENTITIES].of_user(user.user_id)
    identities = [identity_document(one, user.username) for one in linked]
    return json_response({**user_document(user), "roles": roles, "identities": identities})
