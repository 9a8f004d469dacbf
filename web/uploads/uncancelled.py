"""Work that goes on after its request was cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


async def uncancelled(work: Coroutine[Any, Any, R], seconds: float) -> R:
    """Return the result of ``work``. If this task is cancelled, ``work`` still gets ``seconds`` to finish."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=seconds)
        task.cancel()
        raise
