"""Events of conversations whose participants cannot be asked for now: by conversation, and the first of each slot."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from web.live.frames import Event


class Aside:
    """Each step takes the same time however much is set aside; events of a slot come with rising offsets."""

    def __init__(self) -> None:
        self._by_conversation: dict[str, deque[Event]] = {}
        # of each slot the offsets that came, and which of them went since
        self._offsets: dict[int, deque[int]] = {}
        self._gone: dict[int, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_conversation)

    def __contains__(self, conversation_id: str) -> bool:
        return conversation_id in self._by_conversation

    def add(self, event: Event) -> None:
        """Set an event aside, after those of its conversation that are."""
        self._by_conversation.setdefault(event.conversation_id, deque()).append(event)
        self._offsets.setdefault(event.slot, deque()).append(event.offset)

    def pop(self, conversation_id: str) -> Event | None:
        """Return the first event of a conversation, which is set aside no longer; ``None`` if there is none."""
        events = self._by_conversation.get(conversation_id)
        if events is None:
            return None
        event = events.popleft()
        if not events:
            del self._by_conversation[conversation_id]
        offsets, gone = self._offsets[event.slot], self._gone.setdefault(event.slot, set())
        gone.add(event.offset)
        while offsets and offsets[0] in gone:
            gone.remove(offsets.popleft())
        if not offsets:
            del self._offsets[event.slot], self._gone[event.slot]
        return event

    def first_offsets(self) -> Iterator[tuple[int, int]]:
        """Yield the slots of which something is set aside, each with the first offset that is."""
        return ((slot, offsets[0]) for slot, offsets in self._offsets.items())

    def conversations(self) -> Sequence[str]:
        """Return the conversations of which something is set aside."""
        return list(self._by_conversation)

    def clear(self) -> list[Event]:
        """Return all events; nothing is set aside any longer."""
        events = [event for events in self._by_conversation.values() for event in events]
        self._by_conversation.clear()
        self._offsets.clear()
        self._gone.clear()
        return events
