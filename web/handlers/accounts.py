"""Accounts: register, log in, refresh, log out, show the caller."""

from __future__ import annotations

import logging
from dataclasses import replace

from aiohttp import web

from domain.errors import AlreadyExists, NotAuthenticated, Unavailable
from domain.ids import uuid7
from domain.ports import User
from web.accounts.sessions import Session
from web.bootstrap import DEPENDENCIES, Dependencies
from web.contract.requests import CreateToken, CreateUser, EndSession, RefreshSession
from web.contract.response_bodies import user_document
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import json_response

log = logging.getLogger(__name__)


async def create_user(request: web.Request) -> web.Response:
    """``POST /users``: 201, or 409 if the name is taken."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(CreateUser, request)
    taken = AlreadyExists(f"the username {wanted.username} is taken; choose another")
    if await deps.users.by_username(wanted.username) is not None:
        raise taken  # before the cost of a hash; the store's own check decides a race
    now_ms = deps.clock_ms()
    user = User(
        user_id=uuid7(now_ms, deps.randomness(10)),
        username=wanted.username,
        password_hash=await deps.passwords.hash(wanted.password),
        email=wanted.email,
        created_at_ms=now_ms,
    )
    try:
        await deps.users.create(user)
    except AlreadyExists:
        raise taken from None
    return json_response(user_document(user), 201)


async def create_token(request: web.Request) -> web.Response:
    """``POST /auth/login``: 200 with tokens; for any wrong input the same 401 in the same time; 429 if too often."""
    deps = request.app[DEPENDENCIES]
    given = await body_as(CreateToken, request)
    address = deps.client_addresses.of(request)
    deps.login_throttle.check(given.username, address)
    user = await deps.users.by_username(given.username)
    async with deps.login_throttle.attempt(given.username, address) as attempt:
        matches = await deps.passwords.verify(user.password_hash if user else None, given.password)
        attempt.ended(matches=matches)
    if user is None or not matches:
        raise NotAuthenticated("wrong username or password")
    await _renew_hash(deps, user, given.password)
    return _session_answer(deps, user, await deps.sessions.start(user.user_id))


async def refresh_token(request: web.Request) -> web.Response:
    """``POST /auth/refresh``: 200 with a new token of each kind; a refresh token is taken once only."""
    deps = request.app[DEPENDENCIES]
    given = await body_as(RefreshSession, request)
    found = await deps.sessions.find(given.refresh_token)
    # before the token is used up: an unavailable store must not cost the session
    user = await deps.users.by_id(found.user_id)
    if user is None:
        raise NotAuthenticated("this account is no longer there")
    return _session_answer(deps, user, await deps.sessions.renew(found))


async def end_session(request: web.Request, caller: Caller) -> web.Response:
    """``POST /auth/logout``: 204; no refresh token of the session is taken any more, also if it had ended before."""
    deps = request.app[DEPENDENCIES]
    given = await body_as(EndSession, request) if request.body_exists else EndSession()
    if given.refresh_token is not None:
        await deps.sessions.end(given.refresh_token, caller.user_id)
    else:
        await deps.sessions.end_by_id(caller.session_id)
    return web.Response(status=204)


async def show_me(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/users/me``."""
    user = await request.app[DEPENDENCIES].users.by_id(caller.user_id)
    if user is None:
        raise NotAuthenticated("this account is no longer there")
    return json_response(user_document(user))


def _session_answer(deps: Dependencies, user: User, session: Session) -> web.Response:
    deps.usernames.learn(user.user_id, user.username)
    token = deps.tokens.issue(user.user_id, user.username, session.session_id)
    document = {
        "access_token": token,
        "token": token,
        "token_type": "Bearer",
        "expires_in": deps.tokens.ttl_seconds,
        "user_id": user.user_id,
        "username": user.username,
        "refresh_token": session.refresh_token,
        "refresh_expires_in": deps.sessions.ttl_seconds,
    }
    return json_response(document, headers={"Cache-Control": "no-store"})


async def _renew_hash(deps: Dependencies, user: User, password: str) -> None:
    """Hash again with today's parameters if the hash was made with others. It may fail: the next login tries again."""
    if not deps.passwords.is_outdated(user.password_hash):
        return
    try:
        renewed = replace(user, password_hash=await deps.passwords.hash(password))
        await deps.users.set_password_hash(renewed.user_id, renewed.password_hash)
    except Unavailable as error:
        log.warning("a password hash could not be renewed: %s", error, extra={"user_id": user.user_id})
