"""Wait for a condition, with a bound; the only places where tests let time pass.

``until`` and ``wait_until`` wait for something to happen. ``stays`` asserts that nothing happens. ``persistently``
calls again if a call fails. ``pass_time`` is for a test whose subject is time itself: a slow client, a slow store.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import ClientError, ClientSession

from domain.errors import StoreUnavailable

T = TypeVar("T")

_LOOK_SECONDS = 0.005
_QUIET_SECONDS = 0.02


async def until(condition: Callable[[], object], seconds: float = 10.0, *, look_seconds: float = _LOOK_SECONDS) -> None:
    """Return as soon as ``condition``, which may be asynchronous, holds. Raises ``TimeoutError`` after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not await _holds(condition):  # noqa: ASYNC110  conditions of many kinds
            await asyncio.sleep(look_seconds)


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """``until`` for tests without an event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(_LOOK_SECONDS)


async def stays(
    condition: Callable[[], object], seconds: float = _QUIET_SECONDS, *, look_seconds: float = _LOOK_SECONDS
) -> None:
    """Assert that ``condition``, which may be asynchronous, holds now and for the next ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        now = time.monotonic()
        assert await _holds(condition), f"held for {seconds - max(0.0, deadline - now):.3f} s of {seconds:g} s"
        if now >= deadline:
            return
        await asyncio.sleep(min(look_seconds, deadline - now))


async def persistently(
    call: Callable[[], Awaitable[T]], *errors: type[BaseException], seconds: float = 10.0, pause: float = 0.05
) -> T:
    """Return the result of ``call``, made again as long as it raises one of ``errors``.

    Raises the last of them after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except errors:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(pause)


async def decided(call: Callable[[], Awaitable[T]]) -> T:
    """Return the result of a call of a store that decides between rivals, made again while it gives up.

    Contention may make Cassandra give up on a transaction; its caller then asks again.
    """
    return await persistently(call, StoreUnavailable)


async def pass_time(seconds: float) -> None:
    """Let time pass where it is the subject: a client, a store or a network that takes ``seconds``."""
    await asyncio.sleep(seconds)


async def until_ready(session: ClientSession, seconds: float = 30.0) -> None:
    """Return once the API behind ``session`` answers that it is ready. Raises ``TimeoutError`` after ``seconds``."""

    async def is_ready() -> bool:
        try:
            async with session.get("/health/ready") as answer:
                return answer.status == 200
        except (OSError, ClientError):
            return False

    await until(is_ready, seconds, look_seconds=0.05)


async def _holds(condition: Callable[[], object]) -> bool:
    found = condition()
    return bool(await found if inspect.isawaitable(found) else found)
