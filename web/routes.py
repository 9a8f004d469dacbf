"""Every route of the API. ``member`` and ``admin`` handlers are given the caller of a valid token.

``web/description/operations/`` describes each one's purpose, parameters and answers. Importing its
schemas takes 0.25 s, so a process that starts does without. A route without an entry there fails a test.
"""

from __future__ import annotations

from functools import partial, wraps

from aiohttp import web

from web.accounts.roles import ROLES
from web.accounts.tokens import TOKENS
from web.console.files import console_files, policy
from web.handlers import (
    accounts,
    batches,
    channels,
    console,
    conversations,
    dead_letters,
    description,
    files,
    flow,
    groups,
    health,
    history,
    identities,
    messages,
    notifications,
    receipts,
    uploads,
    users,
    webhooks,
)
from web.http.app_keys import REQUEST_LIMITS, SETTINGS
from web.http.bodies import expect_continue
from web.http.caller import Caller
from web.http.route import ROUTE_OF, BodyLimit, Handler, MemberHandler, Route
from web.uploads.tus import VERSION


def _with_caller(handler: MemberHandler) -> Handler:
    """Return ``handler`` behind a valid token; without one it is not reached, nor is the body read."""

    @wraps(handler)
    async def with_caller(request: web.Request) -> web.StreamResponse:
        app = request.app
        caller = app[TOKENS].caller_of(request.headers.get("Authorization"))
        app[REQUEST_LIMITS].take_for_user(request, caller.user_id)
        return await handler(request, caller)

    return with_caller


def _for_admins(handler: MemberHandler) -> MemberHandler:
    """Return ``handler`` behind the role admin; without it the body is not read."""

    @wraps(handler)
    async def for_admins(request: web.Request, caller: Caller) -> web.StreamResponse:
        await request.app[ROLES].require_admin(caller)
        return await handler(request, caller)

    return for_admins


def _guarded(route: Route) -> Handler:
    """Return the handler of ``route``, behind the check of its access."""
    if route.admin is not None:
        return _with_caller(_for_admins(route.admin))
    if route.member is not None:
        return _with_caller(route.member)
    assert route.handler is not None
    return route.handler


_tus_route = partial(Route, body_limit=BodyLimit.FILE, is_transfer=True, answer_headers={"Tus-Resumable": VERSION})
_webhook_route = partial(Route, body_limit=BodyLimit.WEBHOOK, is_address_limited=False)
ROUTES: tuple[Route, ...] = (
    Route(method="POST", path="/users", handler=accounts.create_user),
    Route(method="POST", path="/auth/register", handler=accounts.create_user),
    Route(method="POST", path="/auth/login", handler=accounts.create_token),
    Route(method="POST", path="/auth/token", handler=accounts.create_token),
    Route(method="POST", path="/auth/refresh", handler=accounts.refresh_token),
    Route(method="POST", path="/auth/logout", member=accounts.end_session),
    Route(method="GET", path="/v1/users/me", member=accounts.show_me),
    Route(method="POST", path="/v1/users/identities", member=identities.link_identity),
    Route(method="GET", path="/v1/users/identities", member=identities.list_identities),
    Route(method="DELETE", path="/v1/users/identities/{platform}/{value}", member=identities.unlink_identity),
    Route(method="POST", path="/v1/messages", member=messages.create_message, accepts_messages=True),
    Route(
        method="POST",
        path="/v1/messages/batch",
        member=batches.create_messages,
        body_limit=BodyLimit.BATCH,
        accepts_messages=True,
    ),
    Route(method="GET", path="/v1/messages", member=history.list_messages),
    Route(method="GET", path="/v1/messages/{message_id}", member=messages.show_message),
    Route(method="GET", path="/v1/messages/{message_id}/trace", member=receipts.show_trace),
    Route(method="POST", path="/v1/messages/{message_id}/read", member=receipts.mark_read),
    Route(method="GET", path="/v1/conversations/{conversation_id}/messages", member=history.list_messages),
    Route(method="GET", path="/notifications", handler=notifications.follow),
    Route(method="POST", path="/v1/conversations", member=conversations.create_conversation),
    Route(method="GET", path="/v1/conversations", member=conversations.list_conversations),
    Route(method="GET", path="/v1/conversations/{conversation_id}", member=conversations.show_conversation),
    Route(method="POST", path="/v1/groups", member=groups.create_group),
    Route(method="GET", path="/v1/groups/{group_id}", member=groups.show_group),
    Route(method="POST", path="/v1/groups/{group_id}/members", member=groups.add_member),
    Route(method="DELETE", path="/v1/groups/{group_id}/members/{user_id}", member=groups.remove_member),
    Route(method="PUT", path="/v1/groups/{group_id}/admins/{user_id}", member=groups.make_admin),
    Route(method="POST", path="/v1/files", member=files.create_file, body_limit=BodyLimit.FORM, is_transfer=True),
    Route(method="GET", path="/v1/files/{file_id}", member=files.show_file),
    Route(method="DELETE", path="/v1/files/{file_id}", member=files.delete_file),
    Route(method="POST", path="/v1/files/{file_id}/copy", member=files.copy_to, is_transfer=True),
    Route(method="GET", path="/v1/files/{file_id}/download", member=files.show_download),
    Route(method="GET", path="/v1/files/{file_id}/content", member=files.send_content, is_transfer=True),
    Route(method="GET", path="/v1/files/{file_id}/link", handler=files.follow_link, is_transfer=True),
    _tus_route(method="OPTIONS", path="/v1/uploads", handler=uploads.describe_uploads),
    _tus_route(method="POST", path="/v1/uploads", member=uploads.create_upload),
    _tus_route(method="OPTIONS", path="/v1/uploads/{upload_id}", handler=uploads.describe_uploads),
    _tus_route(method="HEAD", path="/v1/uploads/{upload_id}", member=uploads.show_upload),
    _tus_route(method="PATCH", path="/v1/uploads/{upload_id}", member=uploads.append_to_upload),
    _tus_route(method="DELETE", path="/v1/uploads/{upload_id}", member=uploads.end_upload),
    _webhook_route(method="GET", path="/webhooks/{channel}", handler=webhooks.verify_webhook),
    _webhook_route(method="POST", path="/webhooks/{channel}", handler=webhooks.receive_webhook),
    _webhook_route(method="GET", path="/webhooks/{channel}/{account}", handler=webhooks.verify_webhook),
    _webhook_route(method="POST", path="/webhooks/{channel}/{account}", handler=webhooks.receive_webhook),
    Route(method="GET", path="/v1/admin/dead-letters", admin=dead_letters.list_dead_letters),
    Route(method="POST", path="/v1/admin/dead-letters/redrive", admin=dead_letters.redrive_dead_letters),
    Route(method="POST", path="/v1/admin/dead-letters/discard", admin=dead_letters.discard_dead_letters),
    Route(method="GET", path="/v1/admin/dead-letters/{letter_id}", admin=dead_letters.show_dead_letter),
    Route(method="POST", path="/v1/admin/dead-letters/{letter_id}/redrive", admin=dead_letters.redrive_dead_letter),
    Route(method="POST", path="/v1/admin/dead-letters/{letter_id}/discard", admin=dead_letters.discard_dead_letter),
    Route(method="GET", path="/v1/admin/channels", admin=channels.list_channels),
    Route(method="POST", path="/v1/admin/channels/{channel}/{account}/pause", admin=channels.pause_account),
    Route(method="POST", path="/v1/admin/channels/{channel}/{account}/resume", admin=channels.resume_account),
    Route(method="GET", path="/v1/admin/users/{user}", admin=users.show_user),
    Route(method="GET", path="/v1/admin/flow", admin=flow.show_flow),
    Route(method="GET", path="/health", handler=health.show_liveness, is_address_limited=False),
    Route(method="GET", path="/health/ready", handler=health.show_readiness, is_address_limited=False),
    Route(method="GET", path="/actuator/health", handler=health.show_readiness, is_address_limited=False),
    Route(method="GET", path="/metrics", handler=health.show_metrics, is_address_limited=False),
    Route(method="GET", path="/actuator/prometheus", handler=health.show_metrics, is_address_limited=False),
    Route(method="GET", path="/openapi.json", handler=description.show_openapi),
    Route(method="GET", path="/docs", handler=description.show_docs),
    Route(method="GET", path="/", handler=console.show_console),
    Route(method="GET", path="/console/{name}", handler=console.show_console_file),
)


def add_routes(app: web.Application) -> None:
    """Register every route. A ``GET`` also answers ``HEAD``."""
    simulator_url = app[SETTINGS].simulator_url
    app[console.CONSOLE], app[console.POLICY] = console_files(simulator_url), policy(simulator_url)
    app[description.DESCRIPTION] = description.Description(ROUTES)
    known: dict[web.AbstractRoute, Route] = {}
    for route in ROUTES:
        handler = _guarded(route)
        resource = app.router.add_resource(route.path)
        for method in (route.method, "HEAD") if route.method == "GET" else (route.method,):
            known[resource.add_route(method, handler, expect_handler=expect_continue)] = route
    app[ROUTE_OF] = known
