"""Counts what the log of all processes has, second by second, and how long messages took. Memory of a few minutes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status
from web.history.published_state import PublishedState

KEPT_SECONDS = 300
DELAYS_SECONDS = 60  # so far back a percentile looks
MOST_DELAYS = 3_000  # of a status word
SHARES = (0.5, 0.95, 0.99)
WORDS = (Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED)
_TIMED = (Status.SENT, Status.DELIVERED, Status.READ)


class Listener(Protocol):
    """Receives the records of the log in order, as ``web.history.log_intake.Listener``."""

    def on_message(self, partition: int, offset: int, message: MessageAccepted, position: LogPosition) -> None: ...

    def on_status(
        self, partition: int, offset: int, change: StatusChanged, published: PublishedState, logged_at_ms: int
    ) -> None: ...

    def wants(self, conversation_id: str) -> bool: ...

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None: ...

    def reached(self, log_index: int, offset: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Second:
    """``counts``: of ``WORDS``, in their order, of the records appended in this second (epoch seconds)."""

    at_s: int
    counts: Sequence[int]


class FlowRecorder:
    """A listener that counts, and hands each record on to ``following``."""

    def __init__(self, following: Listener, clock_ms: Callable[[], int]) -> None:
        self._following = following
        self._clock_ms = clock_ms
        self._seconds: OrderedDict[int, list[int]] = OrderedDict()
        self._delays: Mapping[Status, deque[tuple[int, int]]] = {word: deque(maxlen=MOST_DELAYS) for word in _TIMED}

    def on_message(self, partition: int, offset: int, message: MessageAccepted, position: LogPosition) -> None:
        """Count an accepted message."""
        self._count(Status.ACCEPTED, position.accepted_at_ms)
        self._following.on_message(partition, offset, message, position)

    def on_status(
        self, partition: int, offset: int, change: StatusChanged, published: PublishedState, logged_at_ms: int
    ) -> None:
        """Count a status word that is new for its message, and its delay since the acceptance."""
        self.on_unread(published.state.status, change.accepted_at_ms, logged_at_ms)
        self._following.on_status(partition, offset, change, published, logged_at_ms)

    def wants(self, conversation_id: str) -> bool:
        """Return whether ``following`` wants it: counting needs no more than ``on_unread`` says."""
        return self._following.wants(conversation_id)

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None:
        """Count a status word that is new for its message, and its delay."""
        if status in WORDS and status is not Status.ACCEPTED:
            self._count(status, logged_at_ms)
            if status in self._delays:
                self._delays[status].append((logged_at_ms, max(0, logged_at_ms - accepted_at_ms)))

    def reached(self, log_index: int, offset: int) -> None:
        """Hand it on."""
        self._following.reached(log_index, offset)

    def seconds(self, since_s: int) -> list[Second]:
        """Return the seconds with records after ``since_s``, the oldest first; the last second is not over yet."""
        return [Second(at, tuple(counts)) for at, counts in sorted(self._seconds.items()) if at > since_s]

    def percentiles(self) -> Mapping[Status, Sequence[int]]:
        """Return the delays in ms at ``SHARES``, by status word, of the last minute; nothing without a message."""
        since_ms = self._clock_ms() - DELAYS_SECONDS * 1_000
        found: dict[Status, Sequence[int]] = {}
        for word, delays in self._delays.items():
            if values := sorted(delay for at_ms, delay in delays if at_ms >= since_ms):
                found[word] = [values[min(len(values) - 1, int(len(values) * share))] for share in SHARES]
        return found

    def _count(self, word: Status, at_ms: int) -> None:
        second, now_s = at_ms // 1_000, self._clock_ms() // 1_000
        if not now_s - KEPT_SECONDS < second <= now_s + 1:
            return  # an earlier life's, read again at the start
        self._seconds.setdefault(second, [0] * len(WORDS))[WORDS.index(word)] += 1
        while len(self._seconds) > KEPT_SECONDS:
            del self._seconds[min(self._seconds)]
