"""The recorded attempts to send a message to its channel, and the permitted next step.

The promise: no second send without evidence that the first one failed. An attempt is recorded as *begun* before the
channel is called and as *sent* or *failed* after, so the next owner of the partition knows its state. *Begun* without
an outcome means: it is unknown whether the channel has the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_ATTEMPTS = 8
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0


class Outcome(StrEnum):
    BEGUN = "begun"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest attempt of one message. ``number`` counts from 1; ``at_ms`` is the time of the outcome."""

    number: int
    outcome: str
    at_ms: int
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None


class Step(StrEnum):
    """The next action of a delivery agent on a request."""

    SEND = "send"  # nothing was sent, or the channel recognises a repetition
    FOLLOW = "follow"  # the channel has it: report, and wait for receipts
    REPORT_FAILURE = "report-failure"
    HOLD = "hold"  # unknown, and a repetition would reach the person: wait for evidence


def next_step(known: Attempt | None, *, repeatable: bool) -> Step:
    """Decide on the newest attempt. ``repeatable``: see ``domain.ports.Connector``."""
    if known is None:
        return Step.SEND
    match known.outcome:
        case Outcome.SENT:
            return Step.FOLLOW
        case Outcome.FAILED:
            return Step.REPORT_FAILURE
        case _:
            return Step.SEND if repeatable else Step.HOLD


def backoff_seconds(number: int, chance: float = 1.0) -> float:
    """Return how long to wait after attempt ``number`` (from 1) found the channel unavailable.

    ``chance`` from 0 to 1 spreads the repetitions of many messages over the second half of the wait.
    """
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (number - 1))
    return float(longest * (1 + chance) / 2)


def retry_seconds(number: int, after_seconds: float | None, chance: float) -> float:
    """Return the wait after attempt ``number``: the channel's ``after_seconds`` if longer, and at most
    ``LONGEST_BACKOFF_SECONDS``.
    """
    return min(LONGEST_BACKOFF_SECONDS, max(backoff_seconds(number, chance), after_seconds or 0.0))
