"""The part of a message's state that live events publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.status import MessageState, SharedState, State


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
