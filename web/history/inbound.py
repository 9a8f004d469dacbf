"""The last message of each person to each account, as this process saw it on the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cachetools import LRUCache

from domain.records import MessageAccepted

MAX_PEOPLE = 50_000  # some 15 MB
MAX_ACCOUNTS = 16  # of one person


@dataclass(frozen=True, slots=True)
class Heard:
    """``at_ms``: by the provider's clock. ``number``: rises with each message that this process saw."""

    conversation_id: str
    name: str
    at_ms: int
    number: int


class RecentInbound:
    """What messages of persons tell before Cassandra does; at most ``MAX_PEOPLE``."""

    def __init__(self) -> None:
        self.number = 0
        self._people: LRUCache[str, dict[str, Heard]] = LRUCache(MAX_PEOPLE)

    def add(self, message: MessageAccepted, accepted_at_ms: int) -> None:
        """Note a person's message; an earlier one than the last changes nothing."""
        at_ms = message.sent_at_ms or accepted_at_ms
        accounts = self._people.setdefault(message.sender_id, {})
        known = accounts.get(message.account)
        if (known is not None and known.at_ms > at_ms) or (known is None and len(accounts) >= MAX_ACCOUNTS):
            return
        self.number += 1
        accounts[message.account] = Heard(message.conversation_id, message.sender_name, at_ms, self.number)

    def of(self, address: str) -> Mapping[str, Heard]:
        """Return the last message of the person at ``address`` to each account."""
        return self._people.get(address, {})
