"""Accounts: register, log in, refresh, log out, show the caller."""

from __future__ import annotations

from aiohttp import web

from web.accounts.roles import ADMIN, ROLES
from web.accounts.service import ACCOUNTS, LoggedIn
from web.contract.account_requests import CreateToken, CreateUser, EndSession, RefreshSession
from web.contract.response_bodies import user_document
from web.conversations.usernames import USERNAMES
from web.http.app_keys import CLIENT_ADDRESSES
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import json_response


async def create_user(request: web.Request) -> web.Response:
    """``POST /users``: 201, or 409 if the name is taken."""
    wanted = await body_as(CreateUser, request)
    user = await request.app[ACCOUNTS].register(wanted.username, wanted.password, wanted.email)
    return json_response(user_document(user), 201)


async def create_token(request: web.Request) -> web.Response:
    """``POST /auth/login``: 200 with tokens; for any wrong input the same 401 in the same time; 429 if too often."""
    given = await body_as(CreateToken, request)
    address = request.app[CLIENT_ADDRESSES].of(request)
    return _session_answer(request, await request.app[ACCOUNTS].log_in(given.username, given.password, address))


async def refresh_token(request: web.Request) -> web.Response:
    """``POST /auth/refresh``: 200 with a new token of each kind; a refresh token is taken once only."""
    given = await body_as(RefreshSession, request)
    return _session_answer(request, await request.app[ACCOUNTS].refresh(given.refresh_token))


async def end_session(request: web.Request, caller: Caller) -> web.Response:
    """``POST /auth/logout``: 204; no refresh token of the session is taken any more, also if it had ended before."""
    given = await body_as(EndSession, request) if request.body_exists else EndSession()
    await request.app[ACCOUNTS].log_out(caller, given.refresh_token)
    return web.Response(status=204)


async def show_me(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/users/me``."""
    user = await request.app[ACCOUNTS].user(caller.user_id)
    roles = [ADMIN] if await request.app[ROLES].is_admin(caller.user_id) else []
    return json_response({**user_document(user), "roles": roles})


def _session_answer(request: web.Request, logged_in: LoggedIn) -> web.Response:
    user, session, token = logged_in
    accounts = request.app[ACCOUNTS]
    request.app[USERNAMES].learn(user.user_id, user.username)
    document = {
        "access_token": token,
        "token": token,
        "token_type": "Bearer",
        "expires_in": accounts.token_seconds,
        "user_id": user.user_id,
        "username": user.username,
        "refresh_token": session.refresh_token,
        "refresh_expires_in": accounts.session_seconds,
    }
    return json_response(document, headers={"Cache-Control": "no-store"})
