"""Decides the next step from the outcome of a send, as a pure function.

=========================  ==============================================================================
outcome                    what follows
=========================  ==============================================================================
Sent                       SENT
Refused                    FAILED; for a lost authentication the account stops, and the message waits; for the
                           channel's policy the account stops, and the message is FAILED for an operator
NotNow, scope message      another attempt after a back-off, at most ``attempts``; then FAILED
NotNow, pair or account    another attempt when the channel takes messages again; it counts against no limit
Unknown                    evidence is awaited, then FAILED ``outcome-unknown``; a channel that recognises a
                           repetition, or an account that allows a second send, gets another attempt
=========================  ==============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.attempts import QueuedDelivery, Reason, Stage
from domain.errors import Unavailable
from domain.outcomes import OUTCOME_UNKNOWN, NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown
from domain.retries import retry_seconds

EXPIRED = "expired"
AUTHENTICATION_SECONDS = 30.0  # between two calls of an account whose credentials are refused
POLICY_SECONDS = 900.0  # between two calls of an account that the channel restricts: each of them fails a message


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """``attempts``: how many a message has; ``evidence_seconds``: how long an unknown outcome waits for evidence.

    ``may_repeat``: a second send of an unknown outcome is allowed.
    """

    attempts: int = 5
    evidence_seconds: float = 60.0
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The delivery fails. ``needs_operator``: a dead letter is written, for somebody who can send it again."""

    code: str
    detail: str
    needs_operator: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """The delivery stays in the queue as ``row``. ``detail``: the channel's words."""

    row: QueuedDelivery
    detail: str


Decision = Sent | Failure | Wait


def decide(outcome: SendOutcome, row: QueuedDelivery, rules: DeliveryRules, now_ms: int, chance: float) -> Decision:
    """Return the next step for ``outcome`` of the newest attempt of ``row``.

    ``chance``: from 0 to 1, spreads the back-offs of many messages.
    """
    match outcome:
        case Sent():
            return outcome
        case Refused(code, detail, Refusal.AUTHENTICATION):
            return _wait(row, Reason.THROTTLED, AUTHENTICATION_SECONDS, f"{code}: {detail}", now_ms, is_free=True)
        case Refused(code, detail, kind):
            return Failure(code, detail, needs_operator=kind is Refusal.POLICY)
        case NotNow(detail, after_seconds, Scope.MESSAGE):
            if row.tries >= rules.attempts:
                return Failure(Unavailable.code, detail, needs_operator=True)
            return _wait(row, Reason.RETRY, retry_seconds(row.tries, after_seconds, chance), detail, now_ms)
        case NotNow(detail, after_seconds):
            seconds = retry_seconds(1, after_seconds, chance)
            return _wait(row, Reason.THROTTLED, seconds, detail, now_ms, is_free=True)
        case Unknown(detail):
            if not rules.may_repeat:
                due_ms = now_ms + int(rules.evidence_seconds * 1000)
                return Wait(
                    replace(row, stage=Stage.UNKNOWN, not_before_ms=due_ms, reason=Reason.EVIDENCE),
                    detail,
                )
            if row.tries >= rules.attempts:
                return without_evidence(detail)
            return _wait(row, Reason.RETRY, retry_seconds(row.tries, None, chance), detail, now_ms)
    raise TypeError(f"not an outcome: {outcome!r}")


def without_evidence(detail: str) -> Failure:
    """Return the failure of a delivery about which no evidence came. Any later receipt heals it."""
    return Failure(OUTCOME_UNKNOWN, detail, needs_operator=True)


def expired(row: QueuedDelivery) -> Failure:
    """Return the failure of a delivery whose time has passed."""
    why = f"it waited for the channel ({row.reason}) until the time after which it is not to be sent"
    return Failure(EXPIRED, why, needs_operator=True)


def _wait(
    row: QueuedDelivery, reason: Reason, seconds: float, detail: str, now_ms: int, *, is_free: bool = False
) -> Wait:
    tries = row.tries - 1 if is_free else row.tries
    due_ms = min(now_ms + int(seconds * 1000), max(now_ms, row.not_after_ms))
    return Wait(
        replace(row, stage=Stage.WAITING, tries=tries, not_before_ms=due_ms, reason=reason),
        detail,
    )
