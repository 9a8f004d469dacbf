"""Events parked while the store cannot tell the participants of their conversations."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from web.live.frames import Event


class ParkedEvents:
    """Events by conversation, in order. Each operation is O(1); the events of a partition arrive with rising
    offsets."""

    def __init__(self) -> None:
        self._by_conversation: dict[str, deque[Event]] = {}
        # for each partition: the parked offsets, and those of them handed over since
        self._offsets: dict[int, deque[int]] = {}
        self._gone: dict[int, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_conversation)

    def __contains__(self, conversation_id: str) -> bool:
        return conversation_id in self._by_conversation

    def add(self, event: Event) -> None:
        """Append an event to the queue of its conversation."""
        self._by_conversation.setdefault(event.conversation_id, deque()).append(event)
        self._offsets.setdefault(event.log_index, deque()).append(event.offset)

    def pop(self, conversation_id: str) -> Event | None:
        """Remove and return the first event of a conversation, or return ``None``."""
        events = self._by_conversation.get(conversation_id)
        if events is None:
            return None
        event = events.popleft()
        if not events:
            del self._by_conversation[conversation_id]
        offsets, gone = self._offsets[event.log_index], self._gone.setdefault(event.log_index, set())
        gone.add(event.offset)
        while offsets and offsets[0] in gone:
            gone.remove(offsets.popleft())
        if not offsets:
            del self._offsets[event.log_index], self._gone[event.log_index]
        return event

    def first_offsets(self) -> Iterator[tuple[int, int]]:
        """Yield the first parked offset of each partition, as ``(log_index, offset)``."""
        return ((log_index, offsets[0]) for log_index, offsets in self._offsets.items())

    def conversations(self) -> Sequence[str]:
        """Return the conversations with parked events."""
        return list(self._by_conversation)

    def clear(self) -> list[Event]:
        """Remove and return all events."""
        events = [event for events in self._by_conversation.values() for event in events]
        self._by_conversation.clear()
        self._offsets.clear()
        self._gone.clear()
        return events
