"""Coalesces the facts on ``status-updates`` into changes to publish live: of a status, or of the number of failures."""

from __future__ import annotations

from typing import Generic, TypeVar

from domain.records import StatusChanged
from domain.status import SharedState
from web.history.published_state import PublishedState, published_state
from web.history.recent import Recent, RecentMessages

R = TypeVar("R")


class StatusCoalescer(Generic[R]):
    """Collects the changes of one batch of facts, in order. A status change keeps the position of its fact.

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
