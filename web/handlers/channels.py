"""The accounts of channels, for admins: list, pause, resume."""

from __future__ import annotations

from aiohttp import web

from web.admin.channels import ADMIN_CHANNELS, PAUSE, RESUME
from web.contract.admin_bodies import account_document, command_document
from web.contract.admin_requests import CommandAccount
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import iso_utc, json_response


async def list_channels(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/admin/channels``: every declared account."""
    accounts, as_of_ms = await request.app[ADMIN_CHANNELS].accounts()
    return json_response({"as_of": iso_utc(as_of_ms), "accounts": [account_document(one) for one in accounts]})


async def pause_account(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/admin/channels/{channel}/{account}/pause``: 200 once the command is durable for every partition."""
    return await _command(request, caller, PAUSE)


async def resume_account(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/admin/channels/{channel}/{account}/resume``: as ``pause_account``."""
    return await _command(request, caller, RESUME)


async def _command(request: web.Request, caller: Caller, command: str) -> web.Response:
    word = await body_as(CommandAccount, request) if request.body_exists else CommandAccount()
    channel, account = request.match_info["channel"].lower(), request.match_info["account"]
    front = request.app[ADMIN_CHANNELS]
    written = await front.command(channel, account, command, by=caller.username, reason=word.note)
    return json_response(command_document(channel, written))
