"""How late the event loop is: what everything in the process waits before it has its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PERIOD_SECONDS = 0.25


async def measure(count: Callable[[float], None]) -> None:
    """Call ``count`` with the seconds by which the loop was late, four times a second, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + PERIOD_SECONDS
        await asyncio.sleep(PERIOD_SECONDS)
        count(max(0.0, loop.time() - due))
