"""The checks at the begin of every call of the Graph API: its token, the account that it opens, its JSON."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from simulator.accounts import Accounts, BusinessAccount
from simulator.graph.errors import GraphError


def token_in(request: web.Request) -> str:
    """Return the token of the header, or of the query. Raises ``GraphError`` without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else request.query.get("access_token", "")
    if not token:
        raise GraphError(190, "An access token is required to request this resource.")
    return token


def account_of(accounts: Accounts, channel: str, number_id: str, request: web.Request) -> BusinessAccount:
    """Return the account of this id, if the token opens it. Raises ``GraphError``."""
    token = token_in(request)
    account = accounts.of_id(channel, number_id)
    if account is not None and hmac.compare_digest(account.token.encode(), token.encode()):
        return account
    if accounts.of_token(channel, token) is None:
        raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
    raise GraphError(
        100,
        f"Unsupported request. Object with ID '{number_id:.40}' does not exist, or the token has no permission for it.",
        33,
    )


def owner_of_token(accounts: Accounts, channel: str, request: web.Request) -> BusinessAccount:
    """Return the account of the token. Raises ``GraphError``."""
    account = accounts.of_token(channel, token_in(request))
    if account is None:
        raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
    return account


async def json_object(request: web.Request) -> Mapping[str, Any]:
    """Return the call's JSON object. Raises ``GraphError``."""
    try:
        document = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise GraphError(100, "The request is not valid JSON.") from None
    if not isinstance(document, dict):
        raise GraphError(100, "The request is not a JSON object.")
    return document
