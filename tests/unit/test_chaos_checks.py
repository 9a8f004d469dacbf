"""The verdicts of a chaos run find each kind of fault, and the plan of a seed is always the same."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from domain.addresses import parse_recipient
from domain.recipients import CHANNELS
from loadtests.channel_system import orders_on
from loadtests.chaos.checks import Evidence, State
from loadtests.chaos.plan import ACCOUNTS, Act, Plan
from loadtests.feed import Order
from loadtests.provider import Given, Taken
from loadtests.seeded import Check

ORDERS = [Order(f"m-{n}", "c-1", "whatsapp:+1", "careful", n) for n in (1, 2, 3)]
TAKEN = [Taken(n, f"m-{n}", "careful", "c-1", "whatsapp:+1", 1) for n in (1, 2, 3)]
GIVEN = [Given(f"m-{n}", word) for n in (1, 2, 3) for word in ("DELIVERED", "READ")]
GOOD = Evidence(
    orders=ORDERS,
    states={order.message_id: State("READ", delivered=True, read=True) for order in ORDERS},
    taken=TAKEN,
    given=GIVEN,
    waiting={},
    resending={"repeating"},
)


def bad(evidence: Evidence) -> list[str]:
    """The titles of the verdicts that found a fault."""
    return [check.title for check in evidence.checks() if check.faults]


def with_state(message_id: str, state: State | None) -> dict[str, State]:
    states = {**GOOD.states}
    states.pop(message_id)
    return states if state is None else {**states, message_id: state}


def test_a_good_run_has_no_fault() -> None:
    assert bad(GOOD) == []


def test_a_message_that_the_api_does_not_know_is_found() -> None:
    assert "the ledger balances" in bad(replace(GOOD, states=with_state("m-2", None)))


def test_a_failure_needs_a_reason() -> None:
    evidence = replace(GOOD, taken=TAKEN[:2], given=GIVEN[:4])
    assert bad(replace(evidence, states=with_state("m-3", State("FAILED")))) == ["the ledger balances"]
    assert bad(replace(evidence, states=with_state("m-3", State("FAILED", failure_code="refused")))) == []


def test_an_open_message_is_held_with_a_reason_or_a_fault() -> None:
    evidence = replace(GOOD, taken=TAKEN[:2], given=GIVEN[:4], states=with_state("m-3", State("ACCEPTED")))
    assert bad(evidence) == ["every message has a final word or is held with a reason"]
    assert bad(replace(evidence, waiting={"breaker": 1})) == []


def test_a_second_message_to_the_person_is_a_fault_unless_the_account_allows_it() -> None:
    again = Taken(4, "m-3", "careful", "c-1", "whatsapp:+1", 2)
    assert bad(replace(GOOD, taken=[*TAKEN, again])) == ["nobody got a message twice without leave"]
    allowed = [replace(taken, account="repeating") for taken in (*TAKEN, again)]
    assert bad(replace(GOOD, taken=allowed)) == []


def test_messages_out_of_order_are_found_for_each_pair() -> None:
    assert bad(replace(GOOD, taken=[TAKEN[1], TAKEN[0], TAKEN[2]])) == ["nothing was out of order"]
    other = replace(TAKEN[0], address="whatsapp:+2")
    assert bad(replace(GOOD, taken=[TAKEN[1], other, TAKEN[2]])) == []


def test_a_lost_receipt_is_found() -> None:
    assert bad(replace(GOOD, states=with_state("m-3", State("DELIVERED", delivered=True)))) == ["no receipt was lost"]
    failed = [*GIVEN[:4], Given("m-3", "FAILED")]
    evidence = replace(GOOD, given=failed, states=with_state("m-3", State("SENT")))
    assert bad(evidence) == ["no receipt was lost"]


def test_a_claim_without_a_ground_is_found() -> None:
    assert bad(replace(GOOD, taken=TAKEN[:2])) == ["nothing is claimed that did not happen"]
    assert bad(replace(GOOD, given=GIVEN[:4])) == ["nothing is claimed that did not happen"]


def test_a_check_shows_some_of_its_faults() -> None:
    shown = str(Check("title", [f"fault {n}" for n in range(100)], "note"))
    assert "100 faults" in shown
    assert "fault 0" in shown
    assert "fault 99" not in shown


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    plan, other = Plan(seed=5, messages=500, conversations=20), Plan(seed=6, messages=500, conversations=20)
    assert plan.orders() == plan.orders() != other.orders()
    assert plan.disturbances() == plan.disturbances() != other.disturbances()
    assert plan.windows() == plan.windows() != other.windows()


def test_a_plan_has_what_was_asked_for() -> None:
    plan = Plan(seed=5, messages=500, conversations=20, kills=2, freezes=1, joins=1)
    acts = [each.act for each in plan.disturbances()]
    assert sorted(acts) == [Act.FREEZE, Act.JOIN, Act.KILL, Act.KILL]
    assert all(0 <= each.at_seconds <= plan.load_seconds for each in plan.disturbances())
    orders = plan.orders()
    assert len({order.message_id for order in orders}) == 500
    assert {order.account for order in orders} == {account["name"] for account in ACCOUNTS}
    for name in plan.conversation_ids():
        sequences = [order.sequence for order in orders if order.conversation_id == name]
        assert sequences == list(range(1, len(sequences) + 1))


@pytest.mark.parametrize("channel", CHANNELS)
def test_orders_of_a_channel_have_possible_addresses(channel: str) -> None:
    for order in itertools.islice(orders_on(channel, 200), 200):
        assert parse_recipient(order.recipient_id).channel == channel
