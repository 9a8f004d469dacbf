"""One history out of two views: Cassandra's rows (complete, behind) and the recent messages (short, up to date)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from domain.ports import StoredMessage
from domain.status import joined
from web.history.recent import Recent

_RECIPIENTS_AT_A_TIME = 1_000  # some 5 ms


def merged(stored: StoredMessage | None, recent: Recent | None) -> StoredMessage | None:
    """Return one message as known to both views together; ``None`` if neither has the message itself."""
    if stored is None:
        if recent is None or recent.message is None:
            return None
        return StoredMessage(recent.message, recent.position, recent.state)
    if recent is None:
        return stored
    is_all = recent.complete and recent.message is not None
    return replace(stored, state=recent.state if is_all else joined(stored.state, recent.state))


async def merge_page(
    stored: Iterable[StoredMessage],
    recent: Iterable[Recent],
    facts: Callable[[str], Recent | None],
    *,
    limit: int,
    descending: bool,
) -> list[StoredMessage]:
    """Return the first ``limit`` messages of both views, by position.

    Each view must begin at the same position and hold its first ``limit`` messages from there. ``facts`` returns the
    recent view's entry of a message id. Long merges yield to the event loop.
    """
    by_id: dict[str, StoredMessage] = {}
    work = 0
    for row in stored:
        if (work := work + len(row.message.recipients)) > _RECIPIENTS_AT_A_TIME:
            await asyncio.sleep(0)
            work = 0
        by_id[row.message.message_id] = merged(row, facts(row.message.message_id)) or row
    for entry in recent:
        if entry.message is not None and entry.message.message_id not in by_id:
            by_id[entry.message.message_id] = StoredMessage(entry.message, entry.position, entry.state)
    return sorted(by_id.values(), key=lambda found: found.position, reverse=descending)[:limit]
