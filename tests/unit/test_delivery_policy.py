"""What follows from each outcome, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attempts import QueuedDelivery, Reason, Stage
from domain.delivery_policy import DeliveryRules, Failure, Wait, decide
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown

NOW_MS = 1_700_000_000_000
RULES = DeliveryRules(attempts=5, evidence_seconds=60.0)
ROW = QueuedDelivery(
    name="m-1",
    enqueued_at_ms=NOW_MS,
    not_after_ms=NOW_MS + 86_400_000,
    offset=0,
    stage=Stage.BEGUN,
    attempt=3,
    tries=2,
)


def what_follows(outcome: SendOutcome, rules: DeliveryRules = RULES, row: QueuedDelivery = ROW) -> object:
    result = decide(outcome, row, rules, NOW_MS, 0.5)
    if isinstance(result, Wait):
        return result.row.stage, result.row.reason, result.row.tries
    return (result.code, result.needs_operator) if isinstance(result, Failure) else "sent"


@pytest.mark.parametrize(
    ("outcome", "follows"),
    [
        (Sent("p-1", 1), "sent"),
        (Refused("131026", "undeliverable"), ("131026", False)),
        (Refused("368", "blocked for spam", Refusal.POLICY), ("368", True)),
        (Refused("190", "no such token", Refusal.AUTHENTICATION), (Stage.WAITING, Reason.THROTTLED, 1)),
        (NotNow("busy"), (Stage.WAITING, Reason.RETRY, 2)),
        (NotNow("busy", None, Scope.PAIR), (Stage.WAITING, Reason.THROTTLED, 1)),
        (NotNow("busy", None, Scope.ACCOUNT), (Stage.WAITING, Reason.THROTTLED, 1)),
        (Unknown("cut"), (Stage.UNKNOWN, Reason.EVIDENCE, 2)),
    ],
)
def test_what_follows(outcome: SendOutcome, follows: object) -> None:
    assert what_follows(outcome) == follows


def test_the_last_attempt_is_the_last() -> None:
    last = replace(ROW, tries=5)
    repeating = replace(RULES, may_repeat=True)
    assert what_follows(NotNow("busy"), row=last) == ("unavailable", True)
    assert what_follows(NotNow("busy", None, Scope.ACCOUNT), row=last) == (Stage.WAITING, Reason.THROTTLED, 4)
    assert what_follows(Unknown("cut"), repeating) == (Stage.WAITING, Reason.RETRY, 2)
    assert what_follows(Unknown("cut"), repeating, last) == ("outcome-unknown", True)


@given(
    st.floats(-1e12, 1e12) | st.none(),
    st.sampled_from(Scope),
    st.integers(1, 5),
    st.floats(0, 1),
    st.integers(-10_000, 10**9),
)
def test_no_wait_goes_beyond_the_messages_time(
    after: float | None, scope: Scope, tries: int, chance: float, left_ms: int
) -> None:
    row = replace(ROW, tries=tries, not_after_ms=NOW_MS + left_ms)
    result = decide(NotNow("busy", after, scope), row, RULES, NOW_MS, chance)
    if isinstance(result, Wait):
        assert NOW_MS <= result.row.not_before_ms <= max(NOW_MS, row.not_after_ms)
        assert result.row.tries <= tries
