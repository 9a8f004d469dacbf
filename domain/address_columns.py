"""The facts about each address of a message: for 256 of them a few arrays, not 256 objects.

An address has its index in a sorted list, the same index in each array. There is an array of times for each status
seen of some address. Rare values (provider's id, reason of a failure) are kept apart.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from sys import getsizeof

from domain.message_state import MessageState, smallest

NEVER = -(2**63)
_LATEST = 2**63 - 1
_MOST_ATTEMPTS = 2**31 - 1
UNHEARD = 255
NOTHING = (None, None, None, None)

# as measured with tracemalloc: what every state takes; and an address, with its entries in some arrays and the list
_EMPTY_BYTES = 650
_BYTES_AN_ADDRESS = 32
_BYTES_A_NOTE = 100

# provider's id, failure code, failure detail, pricing
Notes = tuple[str | None, str | None, str | None, str | None]


class AddressColumns:
    """The arrays. ``held_bytes``: about their size in memory, without ``addresses`` given to it.

    ``addresses`` may be shared: sorted, the known recipients of the message. Base of ``SharedState``, which joins facts
    into the arrays.
    """

    __slots__ = ("_addresses", "_attempts", "_notes", "_times", "_words", "held_bytes")

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._words = bytearray(b"\xff" * len(addresses))
        self._times: list[array[int] | None] = [None] * 5
        self._attempts: list[array[int] | None] = [None, None]  # of SENT, of FAILED
        self._notes: dict[str, Notes] = {}
        self.held_bytes = _EMPTY_BYTES + getsizeof(self._words)

    def _copy_columns(self, other: AddressColumns) -> None:
        """Make the arrays copies of those of ``other``."""
        self._addresses = tuple(other._addresses)
        self._words = other._words.copy()
        self._times = [None if column is None else column[:] for column in other._times]
        self._attempts = [None if column is None else column[:] for column in other._attempts]
        self._notes = other._notes.copy()
        self.held_bytes = other.held_bytes

    def _heard(self) -> Iterator[int]:
        return (index for index, word in enumerate(self._words) if word != UNHEARD)

    def _is_like(self, other: AddressColumns) -> bool:
        """Whether both are kept the same way and say the same of every address."""
        return (
            self._words == other._words
            and self._times == other._times
            and self._attempts == other._attempts
            and self._notes == other._notes
            and list(self._addresses) == list(other._addresses)
        )

    def _index(self, address: str) -> int:
        """Return an address's index; an unknown address gets a new one."""
        addresses = self._addresses
        index = bisect_left(addresses, address)
        if index == len(addresses) or addresses[index] != address:
            if not isinstance(addresses, list):
                addresses = self._addresses = list(addresses)
                self.held_bytes += getsizeof(addresses)
            addresses.insert(index, address)
            self._words.insert(index, UNHEARD)
            for column in self._times:
                if column is not None:
                    column.insert(index, NEVER)
            for attempts in self._attempts:
                if attempts is not None:
                    attempts.insert(index, 0)
            self.held_bytes += getsizeof(address) + _BYTES_AN_ADDRESS
        return index

    def _at(self, index: int) -> MessageState:
        accepted, sent, delivered, read, failed = (self._time(word, index) for word in range(5))
        return MessageState(
            accepted,
            sent,
            delivered,
            read,
            failed,
            self._attempt_at(0, index),
            self._attempt_at(1, index),
            *self._notes.get(self._addresses[index], NOTHING),
        )

    def _time(self, word: int, index: int) -> int | None:
        column = self._times[word]
        return None if column is None or column[index] == NEVER else column[index]

    def _attempt_at(self, which: int, index: int) -> int:
        column = self._attempts[which]
        return 0 if column is None else column[index]

    def _earliest(self, word: int, index: int, at_ms: int) -> None:
        column = self._times[word]
        if column is None:
            column = self._times[word] = array("q", (NEVER,)) * len(self._words)
            self.held_bytes += getsizeof(column)
        at_ms = NEVER + 1 if at_ms <= NEVER else min(at_ms, _LATEST)
        known = column[index]
        if known == NEVER or at_ms < known:
            column[index] = at_ms

    def _attempt(self, which: int, index: int, attempt: int) -> None:
        column = self._attempts[which]
        if column is None:
            column = self._attempts[which] = array("i", (0,)) * len(self._words)
            self.held_bytes += getsizeof(column)
        column[index] = max(-_MOST_ATTEMPTS, min(attempt, _MOST_ATTEMPTS))

    def _note_provider(self, address: str, provider_id: str | None, pricing: str | None) -> None:
        known_id, code, detail, known = self._notes.get(address, NOTHING)
        self._note(address, (smallest(known_id, provider_id), code, detail, smallest(known, pricing)))

    def _note(self, address: str, notes: Notes) -> None:
        known = self._notes.get(address, NOTHING)
        if known != notes:
            self.held_bytes += _bytes_of(notes) - _bytes_of(known)
            self._notes[address] = notes


def _bytes_of(notes: Notes) -> int:
    """Codes and prices are few: each is taken to be in memory once."""
    provider_id, _, detail, _ = notes
    return 0 if notes == NOTHING else _BYTES_A_NOTE + sum(getsizeof(text) for text in (provider_id, detail) if text)
