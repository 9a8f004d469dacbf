"""Long polling: the request, and its answer as raw updates; pure (Bot API 10.1, "getUpdates"; checked 2026-11-27).

A webhook and ``getUpdates`` exclude each other, and so do two calls of ``getUpdates`` at a time: both are a 409.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from channels.payloads import part
from channels.telegram.errors import retry_after
from channels.telegram.webhooks import ALLOWED_UPDATES
from domain.errors import Unavailable
from domain.ports import Polled

POLL_SECONDS = 25
MOST_UPDATES = 100


def request_of(offset: int) -> Mapping[str, object]:
    """Return the parameters of ``getUpdates``. No ``offset`` asks for the oldest update that Telegram still has."""
    parameters: dict[str, object] = {"timeout": POLL_SECONDS, "limit": MOST_UPDATES}
    if offset:
        parameters["offset"] = offset
    return {**parameters, "allowed_updates": list(ALLOWED_UPDATES)}


def polled_of(status: int, body: bytes) -> Polled:
    """Return the updates in an answer. Raises ``Unavailable`` for an answer without any, with the time to wait."""
    answer = _object(body)
    result = answer.get("result")
    if status != 200 or not isinstance(result, list):
        words = answer.get("description")
        detail = f"getUpdates was answered with status {status}: {str(words)[:200] if words else body[:200]!r}"
        if status == 409:
            detail += "; end the other poller, or call deleteWebhook"
        raise Unavailable(detail, round(retry_after(part(answer, "parameters")) or 0))
    numbers = [each["update_id"] for each in result if isinstance(each, dict) and type(each.get("update_id")) is int]
    return Polled(tuple(map(_json, result)), max(numbers) + 1 if numbers else 0)


def _object(body: bytes) -> dict[str, Any]:
    """Return the answer's object. What orjson refuses (half a surrogate pair) is read too, else it stayed for ever."""
    for read in (orjson.loads, json.loads):
        try:
            document = read(body)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            return document
    return {}


def _json(update: object) -> bytes:
    try:
        return orjson.dumps(update)
    except TypeError:
        return json.dumps(update).encode()
