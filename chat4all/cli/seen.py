"""Recent messages remembered by `chat4all tail`, to describe a message when its status changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from chat4all import Client, ClientError
from chat4all.cli.kinds_shown import content_line
from chat4all.cli.output import printable

MOST = 1_000
SNIPPET_CHARS = 40
LOOK_SECONDS = 2.0  # for the answer
_BETWEEN_LOOKS_SECONDS = 0.2
_AFTER_A_FAILURE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Gist:
    """The shown part of a message. ``recipient_id``: ``None`` is everyone; ``recipient``: its details from the API."""

    text: str
    recipient_id: str | None
    recipient: Mapping[str, Any] | None


class Seen:
    """Summaries of the latest messages, at most ``most``. Unknown ones are requested, at most five a second."""

    def __init__(self, client: Client, most: int = MOST, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._most = most
        self._clock = clock
        self._next_look_at = 0.0
        self._gists: OrderedDict[str, Gist] = OrderedDict()

    async def gist(self, message_id: str) -> Gist | None:
        """Return the gist of a message, ``None`` if it cannot be told now."""
        known = self._gists.get(message_id)
        if known is not None:
            self._gists.move_to_end(message_id)
            return known
        if self._clock() < self._next_look_at:
            return None
        self._next_look_at = self._clock() + _BETWEEN_LOOKS_SECONDS
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                message = await self._client.message(message_id)
        except (ClientError, TimeoutError):
            self._next_look_at = self._clock() + _AFTER_A_FAILURE_SECONDS
            return None
        return self._remember(message_id, message)

    def note(self, frame: Mapping[str, Any]) -> None:
        """Remember a new message, if its frame says to whom it goes."""
        if "recipient_id" in frame:
            self._remember(str(frame["message_id"]), frame)

    def _remember(self, message_id: str, message: Mapping[str, Any]) -> Gist:
        gist = Gist(snippet(message), message.get("recipient_id"), message.get("recipient"))
        self._gists[message_id] = gist
        while len(self._gists) > self._most:
            self._gists.popitem(last=False)
        return gist


def snippet(message: Mapping[str, Any]) -> str:
    """Return the beginning of a message's text in quotes, or else its file or its kind's object, for a terminal."""
    text = printable(message.get("content"))
    if not text:
        return content_line(message)
    return f'"{text}"' if len(text) <= SNIPPET_CHARS else f'"{text[:SNIPPET_CHARS]}…"'
