"""The state of a message is the join of the facts known of it; neither order nor repetition of facts matters.

    ACCEPTED < SENT < DELIVERED < READ, and FAILED beside them

* The earliest time wins for each word.
* READ and DELIVERED are receipts: either heals FAILED, whenever it comes (provider clocks are not ours, so times
  are not compared). SENT heals FAILED only if it belongs to a later attempt.
* A later word implies the earlier ones.

A message to several addresses has such a state for each of them (``SharedState``), and one word for all together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from domain.message_state import (
    UNKNOWN,
    Fact,
    MessageState,
    Status,
    alone,
    fact_in,
    facts_of_alone,
    join_alone,
    joined_alone,
)
from domain.shared_state import SharedState

__all__ = [
    "UNKNOWN",
    "Fact",
    "MessageState",
    "SharedState",
    "State",
    "Status",
    "absorb",
    "alone",
    "delivery_of",
    "fact_in",
    "facts_of",
    "fold",
    "join",
    "join_alone",
    "joined",
    "knows",
]

State = MessageState | SharedState


def join(s: State, fact: Fact) -> State:
    """Return state ``s`` with ``fact`` added. Commutative and idempotent. Raises ``ValueError`` for an unknown word."""
    return absorb(s.copy() if isinstance(s, SharedState) else s, fact)


def absorb(s: State, fact: Fact) -> State:
    """Join like ``join``, for the owner of ``s``, whose former state is not needed: a ``SharedState`` is changed in
    place.
    """
    if isinstance(s, SharedState):
        s.add(fact)
        return s
    if fact.recipient_count > 1:
        # a state not yet known to be of several addresses becomes the message's own
        shared = SharedState(s)
        shared.add(fact)
        return shared
    return join_alone(s, fact)


def fold(facts: Iterable[Fact], state: State = UNKNOWN) -> State:
    """Return the fold of ``facts``, starting from ``state``."""
    if isinstance(state, SharedState):
        state = state.copy()
    for fact in facts:
        state = absorb(state, fact)
    return state


def knows(state: State, fact: Fact) -> bool:
    """Return whether ``fact`` adds nothing to ``state``."""
    if isinstance(state, SharedState):
        is_own = fact.recipient_count == 1 or not fact.recipient_id
        if fact.recipient_count > state.recipient_count:
            return False
        known = state.own if is_own else state.delivery(fact.recipient_id)
    elif fact.recipient_count > 1:
        return False
    else:
        known = state
    return join_alone(known, fact) == known


def delivery_of(state: State, address: str) -> MessageState:
    """Return the state of the delivery to ``address``, one of the message's addresses."""
    return state.delivery(address) if isinstance(state, SharedState) else state


def facts_of(state: State) -> list[Fact]:
    """Return facts whose fold is ``state``."""
    if not isinstance(state, SharedState):
        return facts_of_alone(state)
    count = state.recipient_count
    facts = [replace(fact, recipient_count=count) for fact in facts_of_alone(state.own)]
    for address, delivery in state.deliveries.items():
        facts += [replace(fact, recipient_id=address, recipient_count=count) for fact in facts_of_alone(delivery)]
    return facts


def joined(one: State, other: State) -> State:
    """Return the join of two states: every fact known to either. Neither is changed."""
    if other is UNKNOWN:
        return one
    if isinstance(one, SharedState) or isinstance(other, SharedState):
        both = one.copy() if isinstance(one, SharedState) else SharedState(one)
        both.merge(other if isinstance(other, SharedState) else SharedState(other))
        return both
    return joined_alone(one, other)
