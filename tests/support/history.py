"""The history of messages over fakes."""

from __future__ import annotations

import time

from domain.ports import MessageReader
from fakes.message_log import PARTITIONS, MemoryLog, MemoryTailer
from fakes.stores import MemoryMessages
from web.history.recent import RecentMessages
from web.history.service import MessageHistory


def history_over(recent: RecentMessages, reader: MessageReader | None = None) -> MessageHistory:
    """Return the history of a process with these recent messages, and of a store with nothing unless one is given."""
    return MessageHistory(
        log=MemoryLog(),
        reader=reader or MemoryMessages(),
        recent=recent,
        tailer=MemoryTailer(recent),
        partitions=PARTITIONS,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        monotonic=time.monotonic,
    )
