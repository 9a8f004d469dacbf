"""The state of a message at a past moment, by two clocks.

``as_of_ms``: what had happened by then, by the times of the facts. ``known_at_ms``: what the log knew by then, by the
append times of their records. Both are epoch milliseconds and included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from domain.message_state import Fact, MessageState
from domain.status import State, fold

FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by both clocks; by default now."""

    as_of_ms: int = FOREVER_MS
    known_at_ms: int = FOREVER_MS

    def has_accepted(self, accepted_at_ms: int) -> bool:
        """Return whether a message accepted at this time was there: the log knows of an acceptance when it happens."""
        return accepted_at_ms <= min(self.as_of_ms, self.known_at_ms)

    def counts(self, fact: Fact) -> bool:
        """Return whether the fact had happened and was known. Of an unknown append time its own time is taken."""
        return fact.at_ms <= self.as_of_ms and (fact.logged_ms or fact.at_ms) <= self.known_at_ms

    def state(self, accepted_at_ms: int, facts: Iterable[Fact]) -> State:
        """Return the fold of those ``facts`` that count, of a message accepted at ``accepted_at_ms``."""
        return fold(filter(self.counts, facts), MessageState(accepted_at_ms=accepted_at_ms))
