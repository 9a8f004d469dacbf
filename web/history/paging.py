"""Pages of a conversation's messages, merged from Cassandra and from memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from domain.errors import Unavailable
from domain.ports import LogPosition, MessageReader, StoredMessage
from web.history.merge import merge_page
from web.history.mirrored import Mirrored
from web.history.recent import Recent, RecentMessages

_STEP = 500
_TRIES = 3


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The arguments of ``MessageHistory.page``."""

    conversation_id: str
    after: LogPosition | None
    offset: int
    limit: int
    descending: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Messages by position. ``has_more``: others follow the last one."""

    messages: list[StoredMessage]
    has_more: bool


class PageReader:
    """Reads pages. Raises ``StoreUnavailable``, and ``Unavailable`` while some messages are in neither view."""

    def __init__(self, reader: MessageReader, recent: RecentMessages, mirrored: Mirrored) -> None:
        self._reader = reader
        self._recent = recent
        self._mirrored = mirrored

    async def page(self, wanted: PageRequest) -> Page:
        """Return the page.

        Raises ``Unavailable`` if messages of the page were evicted from memory and are not mirrored yet.
        """
        for _ in range(_TRIES):
            # before the page is read, and after: meanwhile the mirror may have written what was not found
            gap = await self._mirrored.gap(wanted.conversation_id)
            found = await self._with_next(wanted)
            start, stop = _span(wanted, found)
            if gap is not None and gap.touches(start, stop):
                break
            gap = self._mirrored.known_gap(wanted.conversation_id)
            if gap is None or not gap.touches(start, stop):
                return Page(found[: wanted.limit], len(found) > wanted.limit)
        raise Unavailable("some of these messages are not in the history yet; retry")

    async def _with_next(self, wanted: PageRequest) -> list[StoredMessage]:
        """Return the messages of the page and, if there is one, the message after it."""
        after = wanted.after
        to_skip = wanted.offset
        while to_skip > 0:
            skipped = await self._both_views(wanted, after, min(to_skip, _STEP))
            if not skipped:
                return []
            to_skip -= len(skipped)
            after = skipped[-1].position
        return await self._both_views(wanted, after, wanted.limit + 1)

    async def _both_views(self, wanted: PageRequest, after: LogPosition | None, limit: int) -> list[StoredMessage]:
        conversation_id, descending = wanted.conversation_id, wanted.descending
        stored = await self._reader.list(conversation_id, after=after, limit=limit, descending=descending)
        known = {row.message.message_id: row for row in stored}
        while True:
            recent = self._recent.page(conversation_id, after=after, limit=limit, descending=descending)
            unsettled = [entry for entry in recent if not entry.is_settled]
            if not unsettled:
                break
            await asyncio.gather(*(self._settle(entry, known) for entry in unsettled))
        return await merge_page(stored, recent, self._recent.get, limit=limit, descending=descending)

    async def _settle(self, entry: Recent, known: dict[str, StoredMessage]) -> None:
        """Move a message with an idempotency key to its record from before the cache begins, if there is one; look
        once a message.
        """
        message = entry.message
        if message is not None:
            stored = known.get(message.message_id) or await self._reader.get(message.message_id)
            if stored is not None and stored.message.conversation_id == message.conversation_id:
                self._recent.move_up(message.message_id, stored.position)
        entry.is_settled = True


def _span(wanted: PageRequest, found: list[StoredMessage]) -> tuple[int, int | None]:
    """Return the positions covered by a page: the first, and the one after the last (``None``: to the end)."""
    edge = None if wanted.after is None else wanted.after.offset
    is_whole = len(found) <= wanted.limit
    if wanted.descending:
        return 0 if is_whole else found[-1].position.offset, edge
    return 0 if edge is None else edge + 1, None if is_whole else found[-1].position.offset + 1
