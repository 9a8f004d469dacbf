"""Shared by all calls: the transport, pages of lists, and parts of paths."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from chat4all.transport import Transport

PAGE = 100


class Calls:
    """Base class of the parts of ``Client``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _pages(
        self, path: str, field: str, params: Mapping[str, Any], limit: int | None
    ) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            asked = {**params, "limit": size, **({"cursor": cursor} if cursor else {})}
            page = await self._transport.call("GET", path, params=asked)
            for item in page[field]:
                yield item
            cursor = page["pagination"]["next_cursor"]
            if cursor is None:
                return
            left = None if left is None else left - len(page[field])


def path_part(text: str) -> str:
    """Return ``text`` as one part of a path, percent-encoded."""
    return quote(text, safe="")


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields without those of value ``None``."""
    return {name: value for name, value in fields.items() if value is not None}
