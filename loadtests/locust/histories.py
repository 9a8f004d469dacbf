"""Reads all conversations of a run through the API until nothing more is to happen to any message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from loadtests.locust.book import is_finished

STALL_SECONDS = 60.0
LOOK_SECONDS = 1.0
# (conversation, cursor) → messages, next cursor
ReadPage = Callable[[str, str], tuple[list[dict[str, Any]], str]]


@dataclass(slots=True)
class History:
    """Pages of one conversation. Those before ``cursor`` are finished, and are not read again."""

    conversation_id: str
    settled: list[dict[str, Any]] = field(default_factory=list)
    rest: list[dict[str, Any]] = field(default_factory=list)
    cursor: str = ""

    @property
    def documents(self) -> list[dict[str, Any]]:
        return self.settled + self.rest

    @property
    def open_count(self) -> int:
        """How many messages have not come to their end."""
        return sum(not is_finished(document) for document in self.rest)

    def read(self, read_page: ReadPage) -> None:
        """Read on from the first page that was not finished."""
        self.rest, cursor = [], self.cursor
        while True:
            messages, after = read_page(self.conversation_id, cursor)
            if after and not self.rest and all(map(is_finished, messages)):
                self.settled += messages
                self.cursor = after
            else:
                self.rest += messages
            if not after:
                return
            cursor = after


def read_histories(
    conversations: Iterable[str],
    read_page: ReadPage,
    *,
    expected: Callable[[], int],
    stall_seconds: float = STALL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, list[dict[str, Any]]]:
    """Return every conversation's messages, oldest first.

    It reads again until at least ``expected()`` messages are there and all are finished, or until nothing has changed
    for ``stall_seconds``.
    """
    histories = [History(conversation_id) for conversation_id in conversations]
    unread, seen, since = list(histories), (-1, -1), clock()
    while True:
        for history in unread:
            history.read(read_page)
        found = sum(len(history.documents) for history in histories)
        unread = [history for history in histories if history.open_count]
        state = (found, sum(history.open_count for history in unread))
        if found >= expected() and not unread:
            break
        if state != seen:
            seen, since = state, clock()
        elif clock() - since > stall_seconds:
            break
        unread = unread or histories
        pause(LOOK_SECONDS)
    return {history.conversation_id: history.documents for history in histories}
