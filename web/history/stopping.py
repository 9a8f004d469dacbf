"""The end of the tailer's connections to Kafka."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)

STOP_SECONDS = 3.0


async def stop_all(*connections: Any) -> None:
    """Stop connections, in ``STOP_SECONDS``. A socket that takes no more bytes would hold its end back for ever."""
    stopping = [asyncio.create_task(one.stop()) for one in connections]
    ended, late = await asyncio.wait(stopping, timeout=STOP_SECONDS)
    for task in late:
        task.cancel()
    for error in filter(None, (task.exception() for task in ended)):
        log.warning("a connection to Kafka did not end well: %r", error)
