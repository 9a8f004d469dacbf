"""Recipient addresses of messages in conversations with unknown participants."""

from __future__ import annotations

from domain.conversations import MAX_MEMBERS

REMEMBERED = 50_000  # addresses, in all conversations together: some 10 MB


class Heard:
    """Remembers at most ``limit`` addresses, and ``MAX_MEMBERS`` of a conversation; drops the oldest conversations
    first.
    """

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._addresses: dict[str, set[str]] = {}
        self._count = 0

    def add(self, conversation_id: str, address: str) -> None:
        """Remember ``address`` as a recipient."""
        known = self._addresses.setdefault(conversation_id, set())
        if address in known or len(known) >= MAX_MEMBERS:
            return
        known.add(address)
        self._count += 1
        while self._count > self._limit:
            self.drop(next(iter(self._addresses)))

    def of(self, conversation_id: str) -> list[str]:
        """Return the addresses, sorted."""
        return sorted(self._addresses.get(conversation_id, ()))

    def drop(self, conversation_id: str) -> None:
        """Forget the addresses of the conversation."""
        self._count -= len(self._addresses.pop(conversation_id, ()))

    def __len__(self) -> int:
        return self._count
