"""JSON answers and the way times are written in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import web

from domain.fact_times import MAX_MS

JSON = "application/json; charset=utf-8"


def json_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return ``document`` as JSON in UTF-8."""
    # a ready body and a ready Content-Type: text= and content_type= each cost aiohttp another pass over the headers
    return web.Response(body=orjson.dumps(document), status=status, headers={"Content-Type": JSON, **(headers or {})})


def iso_utc(epoch_ms: int) -> str:
    """Return ISO-8601 in UTC with milliseconds: 1763848800123 → ``2025-11-22T22:00:00.123Z``.

    A time outside the calendar is clamped to its first or last one: one bad row must not fail a page.
    """
    seconds, ms = divmod(calendar_ms(epoch_ms), 1000)
    return f"{_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=4_096)
def _second(epoch_s: int) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%S}"  # takes longer than all the rest


def utc(epoch_ms: int) -> datetime:
    """Return the time to the second; the first or the last of the calendar for one beyond it."""
    return datetime.fromtimestamp(calendar_ms(epoch_ms) // 1000, UTC)


def calendar_ms(epoch_ms: int) -> int:
    """Return ``epoch_ms``; the first or the last time of the calendar for one beyond it."""
    return min(max(epoch_ms, 0), MAX_MS)


def iso_utc_or_none(epoch_ms: int | None) -> str | None:
    """As ``iso_utc``; ``None`` stays ``None``."""
    return None if epoch_ms is None else iso_utc(epoch_ms)
