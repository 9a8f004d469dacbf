"""What an account learns from the outcomes of its calls."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agents.account_lane import AccountLane
from agents.connections import Connections
from agents.delivery_queue import Head
from domain.accounts import Account
from domain.attempts import Reason
from domain.breaker import BreakerRules, BreakerState
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown
from domain.ports import Connector
from support.deliveries import Channel

OUT = NotNow("out of order", None, Scope.ACCOUNT)
THROTTLED = NotNow("too many", None, Scope.ACCOUNT, is_throttling=True)


class OneHead:
    """As much of a head as a lane looks at."""

    address = "whatsapp:+1"
    partition = 0


def lane_of(per_second: float = 64.0) -> AccountLane:
    account = Account(channel="whatsapp", per_second=per_second, burst=8, breaker=BreakerRules(least_calls=4))
    lane = AccountLane(account, cast(Connector, object()))
    lane.allowance.share = 1.0
    return lane


def call(lane: AccountLane, outcome: SendOutcome, now: float) -> None:
    """One call that begins and ends at ``now``."""
    head: Any = OneHead()
    assert lane.blocked(now) is None
    lane.begin(now, cast(Head, head))
    lane.count(outcome, head, now, now)
    lane.end(head)


def test_an_outage_opens_the_breaker_and_leaves_the_rate() -> None:
    lane, now = lane_of(), 0.0
    for now in (1.0, 2.0, 3.0, 4.0):
        call(lane, OUT, now)
    blocked = lane.blocked(now)
    assert blocked is not None
    assert blocked[0] is Reason.BREAKER
    assert lane.allowance.per_second(now) == 64.0


def test_an_account_without_a_rate_gets_none_from_an_outage() -> None:
    lane = lane_of(per_second=0.0)
    call(lane, OUT, 1.0)
    assert lane.allowance.per_second(1.0) == 0.0
    assert lane.blocked(1.0) is None


def test_throttling_lowers_the_rate_and_leaves_the_breaker() -> None:
    lane = lane_of()
    for now in (10.0, 20.0, 30.0, 40.0, 50.0):
        call(lane, THROTTLED, now)
    assert lane.breaker.state(50.0) is BreakerState.CLOSED
    assert lane.allowance.per_second(50.0) == pytest.approx(2.0)


def test_an_outage_with_a_time_opens_the_breaker_for_that_time() -> None:
    lane = lane_of()
    call(lane, NotNow("maintenance", 3_600.0, Scope.ACCOUNT), 1.0)
    assert lane.blocked(1.0) == (Reason.BREAKER, 3_600.0)
    assert lane.blocked(3_602.0) is None


def test_a_refused_message_is_no_fault_of_the_account() -> None:
    lane = lane_of()
    for number in range(10):
        call(lane, Refused("nobody", "there is no such number"), float(number))
    assert lane.blocked(10.0) is None


def test_lost_credentials_stop_the_account() -> None:
    lane = lane_of()
    call(lane, Refused("unauthorized", "the token is not valid", Refusal.AUTHENTICATION), 1.0)
    blocked = lane.blocked(1.0)
    assert blocked is not None
    assert blocked[0] is Reason.BREAKER
    assert "token" in lane.last_error


def test_unknown_outcomes_open_the_breaker_and_successes_close_it() -> None:
    lane = lane_of()
    for now in (1.0, 2.0, 3.0, 4.0):
        call(lane, Unknown("no answer"), now)
    assert lane.breaker.state(4.0) is BreakerState.OPEN
    call(lane, Sent("p-1", 1), 15.0)
    assert lane.breaker.state(15.0) is BreakerState.CLOSED


async def test_a_worker_closes_its_connections_when_it_stops() -> None:
    channels = [Channel(), Channel()]
    async with Connections(channels):
        assert not any(channel.is_closed for channel in channels)
    assert all(channel.is_closed for channel in channels)
