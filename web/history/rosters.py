"""Lists of recipients, each in memory once for all messages to the same people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from sys import getsizeof

from domain.records import MessageAccepted

_ROSTER_BYTES = 320  # measured with tracemalloc: the object, its key, its place in the dictionary

_Key = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(slots=True, eq=False)
class Roster:
    """The recipients of ``messages`` messages. ``addresses``: ``recipients``, sorted as ``SharedState`` needs them."""

    recipients: tuple[str, ...]
    users: tuple[str, ...]
    addresses: tuple[str, ...]
    held_bytes: int
    messages: int = 0

    def shared_by(self, message: MessageAccepted) -> MessageAccepted:
        """Return ``message``, addressed to these recipients, with the shared lists."""
        return replace(message, recipients=self.recipients, recipient_users=self.users)


class Rosters:
    """``held_bytes``: the size of all of them in memory."""

    def __init__(self) -> None:
        self.held_bytes = 0
        self._known: dict[_Key, Roster] = {}

    def __len__(self) -> int:
        return len(self._known)

    def enter(self, message: MessageAccepted) -> Roster:
        """Return the roster of ``message`` and count the message."""
        key = (message.recipients, message.recipient_users)
        roster = self._known.get(key)
        if roster is None:
            addresses = tuple(sorted(message.recipients))
            held_bytes = _ROSTER_BYTES + 2 * getsizeof(addresses) + getsizeof(message.recipient_users)
            held_bytes += sum(map(getsizeof, addresses)) + sum(map(getsizeof, message.recipient_users))
            roster = self._known[key] = Roster(*key, addresses, held_bytes)
            self.held_bytes += held_bytes
        roster.messages += 1
        return roster

    def leave(self, roster: Roster) -> None:
        """Uncount a message; drop the roster with its last one."""
        roster.messages -= 1
        if not roster.messages:
            del self._known[roster.recipients, roster.users]
            self.held_bytes -= roster.held_bytes
