"""What of the facts on ``status-updates`` is told live: that a message's word changed, or for how many it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.records import StatusChanged
from domain.status import MessageState, SharedState, State
from web.recent import Recent, RecentMessages

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Told:
    """A message's state as it is told. ``counts``: how many recipients have each word, of a message to several."""

    state: MessageState
    counts: Mapping[str, int] | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What makes it worth telling: the word, and for how many it failed."""
        return key_of(self.state) if self.counts is None else (self.state.status, self.counts["FAILED"])


def told(state: State) -> Told:
    """Return ``state`` as it is told now."""
    return Told(state.overall, state.counts) if isinstance(state, SharedState) else Told(state)


def key_of(state: State) -> tuple[str, int]:
    """Return ``Told.key`` of a state."""
    return state.status, state.failures if isinstance(state, SharedState) else 0


class News(Generic[R]):
    """Of one batch of facts, in their order: a change of the word at the fact that brought it.

    Failures of a message that leave its word as it is are told once a batch, at the last of them: a message to 256 that
    fails for all but one does not make 255 frames.
    """

    def __init__(self, recent: RecentMessages) -> None:
        self._recent = recent
        self._found: list[tuple[R, StatusChanged, Told | Recent] | None] = []
        self._failing: dict[str, int] = {}

    def add(self, record: R, change: StatusChanged, partition: int, offset: int) -> None:
        """Join a fact to what is known; ``record`` is given back. Raises ``ValueError`` for an unknown word."""
        known = self._recent.add_logged_fact(change, partition, offset)
        state = known.state
        word = state.status
        failures = state.failures if isinstance(state, SharedState) else 0
        if word is known.told:
            if failures == known.told_failures:
                return
            found: Told | Recent = known
        else:
            found = told(state)
        known.told, known.told_failures = word, failures
        if failures or self._failing:
            before = self._failing.pop(change.message_id, None)
            if before is not None:
                self._found[before] = None
            if found is known:
                self._failing[change.message_id] = len(self._found)
        self._found.append((record, change, found))

    def all(self) -> list[tuple[R, StatusChanged, Told]]:
        """Return what is to be told."""
        return [
            (record, change, told(found.state) if isinstance(found, Recent) else found)
            for record, change, found in filter(None, self._found)
        ]
