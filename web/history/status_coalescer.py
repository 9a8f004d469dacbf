"""Coalesces the facts on ``status-updates`` into changes to publish live: of a status, or of the number of failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.records import StatusChanged
from domain.status import MessageState, SharedState, State
from web.history.recent import Recent, RecentMessages

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class PublishedState:
    """A message's published state. ``counts``: recipients by status, for a message to several."""

    state: MessageState
    counts: Mapping[str, int] | None = None

    @property
    def key(self) -> tuple[str, int]:
        """The status and the number of failures: a change of either is published."""
        return publication_key(self.state) if self.counts is None else (self.state.status, self.counts["FAILED"])


def published_state(state: State) -> PublishedState:
    """Return ``state`` as it is published now."""
    return PublishedState(state.overall, state.counts) if isinstance(state, SharedState) else PublishedState(state)


def publication_key(state: State) -> tuple[str, int]:
    """Return ``PublishedState.key`` of a state."""
    return state.status, state.failures if isinstance(state, SharedState) else 0


class StatusCoalescer(Generic[R]):
    """Collects the changes of one batch of facts, in order. A status change keeps the place of its fact.

    Failures without a change of the message's status are published once a batch, at the last of them: a message to
    256 with 255 failures does not make 255 frames.
    """

    def __init__(self, recent: RecentMessages) -> None:
        self._recent = recent
        self._found: list[tuple[R, StatusChanged, PublishedState | Recent] | None] = []
        self._failing: dict[str, int] = {}

    def add(self, record: R, change: StatusChanged, partition: int, offset: int) -> None:
        """Add a fact to its message's state; ``all`` returns ``record`` with it. Raises ``ValueError`` for an unknown
        status.
        """
        known = self._recent.add_logged_fact(change, partition, offset)
        state = known.state
        status = state.status
        failures = state.failures if isinstance(state, SharedState) else 0
        if status is known.last_published:
            if failures == known.last_published_failures:
                return
            found: PublishedState | Recent = known
        else:
            found = published_state(state)
        known.last_published, known.last_published_failures = status, failures
        if failures or self._failing:
            before = self._failing.pop(change.message_id, None)
            if before is not None:
                self._found[before] = None
            if found is known:
                self._failing[change.message_id] = len(self._found)
        self._found.append((record, change, found))

    def all(self) -> list[tuple[R, StatusChanged, PublishedState]]:
        """Return the changes to publish."""
        return [
            (record, change, published_state(found.state) if isinstance(found, Recent) else found)
            for record, change, found in filter(None, self._found)
        ]
