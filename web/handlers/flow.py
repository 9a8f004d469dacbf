"""The traffic of the system now, for admins."""

from __future__ import annotations

from aiohttp import web

from web.contract.flow_bodies import flow_document
from web.contract.flow_requests import ShowFlow
from web.flow.service import FLOW
from web.http.bodies import query_as
from web.http.caller import Caller
from web.http.responses import json_response


async def show_flow(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/admin/flow``: counts by second, delays, lag, the ledger."""
    wanted = query_as(ShowFlow, request)
    return json_response(flow_document(await request.app[FLOW].flow(wanted.since)))
