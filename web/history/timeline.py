"""The offsets of a conversation's cached messages, in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

_COMPACT_AFTER = 8


class Timeline:
    """The offsets of a conversation's messages in order; they leave mostly at the front."""

    __slots__ = ("_head", "_ids", "_keys")

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._ids: list[str] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._keys) - self._head

    def add(self, key: int, message_id: str) -> None:
        """Add a message at offset ``key``; a known offset changes nothing."""
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
            self._ids.append(message_id)
            return
        index = bisect_left(self._keys, key, lo=self._head)
        if index == len(self._keys) or self._keys[index] != key:
            self._keys.insert(index, key)
            self._ids.insert(index, message_id)

    def discard(self, key: int) -> None:
        """Remove the message at offset ``key``, if it is there."""
        index = bisect_left(self._keys, key, lo=self._head)
        if index == len(self._keys) or self._keys[index] != key:
            return
        if index > self._head:
            del self._keys[index], self._ids[index]
            return
        # moving a mark is O(1) where deleting the first of a long list is not; the dead part is cut off once it is the
        # longer one. Until then it costs little: a conversation that goes on must not keep the ids of all that left.
        self._ids[self._head] = ""
        self._head += 1
        if self._head > _COMPACT_AFTER and self._head * 2 > len(self._keys):
            del self._keys[: self._head], self._ids[: self._head]
            self._head = 0

    def after(self, key: int | None) -> int:
        """Return how many messages come after offset ``key`` (``None``: all)."""
        return len(self) if key is None else len(self._keys) - bisect_right(self._keys, key, lo=self._head)

    def ids(self, after: int | None, limit: int, *, descending: bool) -> list[str]:
        """Return up to ``limit`` ids strictly after the offset ``after`` (before it when ``descending``)."""
        if descending:
            stop = len(self._keys) if after is None else bisect_left(self._keys, after, lo=self._head)
            return self._ids[max(self._head, stop - limit) : stop][::-1]
        start = self._head if after is None else bisect_right(self._keys, after, lo=self._head)
        return self._ids[start : start + limit]
