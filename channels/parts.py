"""A message that takes several calls: a file, and then the texts that were too long for a caption."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from domain.outcomes import NotNow, Refused, SendOutcome, Sent, Unknown, shortened

PATIENCE_SECONDS = 4.0  # for a channel that throttles between two parts; the core bounds the whole send
SENT_IN_PART = "sent-in-part"

C = TypeVar("C")


async def send_parts(calls: Sequence[C], send: Callable[[C], Awaitable[SendOutcome]]) -> SendOutcome:
    """Make ``calls`` in order, and return the outcome of the first one, under whose id the message is known.

    Once a part was taken the message is not begun anew, since the person would get that part twice. If the channel
    does not take another part, the message is refused as ``SENT_IN_PART``, and its ``cause`` is the channel's answer.
    """
    first = await send(calls[0])
    if not isinstance(first, Sent):
        return first
    part_ids: list[str] = []
    end = monotonic() + PATIENCE_SECONDS
    for number, call in enumerate(calls[1:], 2):
        outcome = await send(call)
        while isinstance(outcome, NotNow) and monotonic() + (wait := outcome.after_seconds or 1.0) <= end:
            await asyncio.sleep(wait)
            outcome = await send(call)
        if not isinstance(outcome, Sent):
            return _broken(number, len(calls), outcome)
        part_ids.append(outcome.provider_id)
    return replace(first, part_ids=tuple(part_ids)) if part_ids else first


def _broken(number: int, count: int, outcome: Refused | NotNow | Unknown) -> SendOutcome:
    detail = shortened(f"part {number} of {count} was not taken, and those before it were: {outcome.detail}")
    if isinstance(outcome, Unknown):
        return Unknown(detail, outcome.exchange)
    return Refused(SENT_IN_PART, detail, exchange=outcome.exchange, cause=outcome)
