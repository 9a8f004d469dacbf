"""Calls a connector: bounded in time, and never with an exception for its caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from domain.outcomes import SendOutcome, Unknown, bounded, shortened

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp
    from domain.ports import Connector

log = logging.getLogger(__name__)


async def outcome_of(
    app: StreamApp, connector: Connector, call: Callable[[], Awaitable[SendOutcome]], seconds: float
) -> SendOutcome:
    """Return the outcome of ``call`` to ``connector``; ``Unknown`` for every unforeseen error.

    An error of the connector concerns this message alone, also a cancellation that comes from inside the call. Raises
    ``asyncio.CancelledError`` only if this task was cancelled.
    """
    task = asyncio.current_task()
    assert task is not None
    try:
        async with asyncio.timeout(seconds):
            return bounded(await call())
    except TimeoutError:
        return Unknown(f"the channel gave no answer within {seconds:g} seconds")
    except asyncio.CancelledError:
        if task.cancelling():
            raise
        log.exception("the connector of %s was cancelled from inside", connector.channel)
        return Unknown("the call to the channel was cancelled")
    except Exception as error:
        log.exception("the connector of %s raised", connector.channel)
        return Unknown(shortened(f"the call to the channel failed: {error!r}"))
    finally:
        app.progress += 1
