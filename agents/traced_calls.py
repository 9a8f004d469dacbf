"""A call to a channel in the trace of its message: the provider gets the ``traceparent``, too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agents.traces import word_of
from app.tracing import Attributes, Tracing, failed, traceparent_in, traceparent_of
from channels.http import outgoing
from domain.outcomes import Refused, SendOutcome, Unknown

if TYPE_CHECKING:
    from agents.delivery import Delivery


async def in_its_trace(
    tracing: Tracing | None, delivery: Delivery, channel: str, call: Callable[[], Awaitable[SendOutcome]]
) -> SendOutcome:
    """Return the outcome of ``call``, with a span about it if there are traces."""
    if tracing is None or not (parent := traceparent_in(delivery.head.row.headers)):
        return await call()
    about: Attributes = {"chat4all.account": delivery.lane.account.name, "chat4all.attempt": delivery.head.row.attempt}
    with tracing.span(f"send {channel}", "CLIENT", parent, about) as span:
        token = outgoing.traceparent.set(traceparent_of(span))
        try:
            outcome = await call()
        finally:
            outgoing.traceparent.reset(token)
        span.set_attribute("chat4all.outcome", word_of(outcome))
        if isinstance(outcome, Refused | Unknown):
            failed(span, word_of(outcome))
    return outcome
