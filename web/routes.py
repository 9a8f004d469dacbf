"""Every path of the API, on one screen. ``member`` handlers are given the caller of a valid token.

What each is for, takes and answers stands in ``web/operations.py``; a route without an entry there fails a test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from web.bodies import expect_continue
from web.dependencies import DEPENDENCIES
from web.handlers import (
    accounts,
    batches,
    conversations,
    description,
    files,
    groups,
    history,
    identities,
    messages,
    notifications,
    operations,
    receipts,
    uploads,
)
from web.paths import BATCH_PATH, FILES_PATH, MESSAGES_PATH, UPLOADS_PATH
from web.tokens import Caller

Public = Callable[[web.Request], Awaitable[web.StreamResponse]]
Member = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


def member(handler: Member) -> Public:
    """Return ``handler`` behind a valid token; without one it is not reached, nor is the body read."""

    @wraps(handler)
    async def with_caller(request: web.Request) -> web.StreamResponse:
        deps = request.app[DEPENDENCIES]
        caller = deps.tokens.caller_of(request.headers.get("Authorization"))
        deps.request_limits.take_for_user(request, caller.user_id)
        return await handler(request, caller)

    return with_caller


ROUTES: tuple[tuple[str, str, Public], ...] = (
    ("POST", "/users", accounts.create_user),
    ("POST", "/auth/register", accounts.create_user),
    ("POST", "/auth/login", accounts.create_token),
    ("POST", "/auth/token", accounts.create_token),
    ("POST", "/auth/refresh", accounts.refresh_token),
    ("POST", "/auth/logout", member(accounts.end_session)),
    ("GET", "/v1/users/me", member(accounts.show_me)),
    ("POST", "/v1/users/identities", member(identities.link_identity)),
    ("GET", "/v1/users/identities", member(identities.list_identities)),
    ("DELETE", "/v1/users/identities/{platform}/{value}", member(identities.unlink_identity)),
    ("POST", MESSAGES_PATH, member(messages.create_message)),
    ("POST", BATCH_PATH, member(batches.create_messages)),
    ("GET", "/v1/messages", member(history.list_messages)),
    ("GET", "/v1/messages/{message_id}", member(messages.show_message)),
    ("GET", "/v1/messages/{message_id}/trace", member(receipts.show_trace)),
    ("POST", "/v1/messages/{message_id}/read", member(receipts.mark_read)),
    ("GET", "/v1/conversations/{conversation_id}/messages", member(history.list_messages)),
    ("GET", "/notifications", notifications.follow),
    ("POST", "/v1/conversations", member(conversations.create_conversation)),
    ("GET", "/v1/conversations", member(conversations.list_conversations)),
    ("GET", "/v1/conversations/{conversation_id}", member(conversations.show_conversation)),
    ("POST", "/v1/groups", member(groups.create_group)),
    ("GET", "/v1/groups/{group_id}", member(groups.show_group)),
    ("POST", "/v1/groups/{group_id}/members", member(groups.add_member)),
    ("DELETE", "/v1/groups/{group_id}/members/{user_id}", member(groups.remove_member)),
    ("PUT", "/v1/groups/{group_id}/admins/{user_id}", member(groups.make_admin)),
    ("POST", FILES_PATH, member(files.create_file)),
    ("GET", "/v1/files/{file_id}", member(files.show_file)),
    ("DELETE", "/v1/files/{file_id}", member(files.delete_file)),
    ("POST", "/v1/files/{file_id}/copy", member(files.copy_to)),
    ("GET", "/v1/files/{file_id}/download", member(files.show_download)),
    ("GET", "/v1/files/{file_id}/content", member(files.send_content)),
    ("GET", "/v1/files/{file_id}/link", files.follow_link),
    ("OPTIONS", UPLOADS_PATH, uploads.describe_uploads),
    ("POST", UPLOADS_PATH, member(uploads.create_upload)),
    ("OPTIONS", "/v1/uploads/{upload_id}", uploads.describe_uploads),
    ("HEAD", "/v1/uploads/{upload_id}", member(uploads.show_upload)),
    ("PATCH", "/v1/uploads/{upload_id}", member(uploads.append_to_upload)),
    ("DELETE", "/v1/uploads/{upload_id}", member(uploads.end_upload)),
    ("GET", "/health", operations.show_liveness),
    ("GET", "/health/ready", operations.show_readiness),
    ("GET", "/actuator/health", operations.show_readiness),
    ("GET", "/metrics", operations.show_metrics),
    ("GET", "/actuator/prometheus", operations.show_metrics),
    ("GET", "/openapi.json", description.show_openapi),
    ("GET", "/docs", description.show_docs),
    ("GET", "/", description.show_front),
)


def add_routes(app: web.Application) -> None:
    """Register every route. A ``GET`` also answers ``HEAD``."""
    app[description.DESCRIPTION] = description.Description(ROUTES)
    for method, path, handler in ROUTES:
        resource = app.router.add_resource(path)
        resource.add_route(method, handler, expect_handler=expect_continue)
        if method == "GET":
            resource.add_route("HEAD", handler, expect_handler=expect_continue)
