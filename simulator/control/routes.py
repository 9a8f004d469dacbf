"""The routes of the simulator's own interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from simulator.control.acts import Acts
from simulator.control.fields import BadRequest
from simulator.control.people import People
from simulator.control.state import State
from simulator.pulse import Pulse

Handler = Callable[[web.Request], Awaitable[web.Response]]


def add_to(app: web.Application, people: People, acts: Acts, state: State, pulse: Pulse) -> None:
    """Add the routes."""
    app.router.add_get("/events", pulse.stream)
    app.router.add_get("/phones/{id}/test", _in_form(people.test))
    handler: Handler
    for method, path, handler in (
        ("GET", "/phones", people.index),
        ("POST", "/phones", people.make),
        ("GET", "/phones/{id}", people.show),
        ("PATCH", "/phones/{id}", people.change),
        ("GET", "/phones/{id}/messages", people.messages),
        ("POST", "/phones/{id}/send", acts.send),
        ("POST", "/phones/{id}/reply", acts.reply),
        ("POST", "/phones/{id}/react", acts.react),
        ("POST", "/phones/{id}/press", acts.press),
        ("POST", "/phones/{id}/read", acts.read),
        ("POST", "/phones/{id}/block", acts.block),
        ("POST", "/phones/{id}/unblock", acts.unblock),
        ("POST", "/phones/{id}/hide-number", acts.hide_number),
        ("POST", "/phones/{id}/change-number", acts.change_number),
        ("POST", "/phones/{id}/opt-out", acts.opt_out),
        ("POST", "/phones/{id}/go-offline", acts.go_offline),
        ("POST", "/phones/{id}/go-online", acts.go_online),
        ("POST", "/phones/{id}/receipts", acts.receipts),
        ("POST", "/phones/{id}/close-window", acts.close_window),
        ("GET", "/chaos", state.show_chaos),
        ("POST", "/chaos", state.change_chaos),
        ("GET", "/counts", state.counts),
        ("GET", "/taken", state.taken),
        ("GET", "/written", state.written),
        ("GET", "/accounts", state.accounts),
        ("POST", "/accounts/{channel}/{name}/callback", state.set_callback),
        ("POST", "/accounts/{channel}/{name}/verify", state.verify),
        ("GET", "/health", _health),
    ):
        if method != "GET" and path.startswith("/phones/{id}"):
            handler = _noted(handler, people, pulse)
        app.router.add_route(method, path, _in_form(handler))


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "UP"})


def _noted(handler: Handler, people: People, pulse: Pulse) -> Handler:
    """Return the handler of an act, which is told to pages and becomes a step of the person's story."""

    async def handle(request: web.Request) -> web.Response:
        answer = await handler(request)
        pulse.beat(people.note(request, await request.read(), answer))
        return answer

    return handle


def _in_form(handler: Handler) -> Handler:
    """Return the handler with its errors as JSON."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except BadRequest as fault:
            return web.json_response({"error": str(fault)}, status=fault.status)

    return handle
