"""Records evicted from memory before the mirror wrote them to Cassandra: neither view has them for now.

For each partition: a range of positions, with the offsets at which the mirror closes the gap. For all partitions
together: the message ids in a filter of fixed size, with false positives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

FILTER_BYTES = 4 * 1024 * 1024  # with two million ids in it one in 500 others is taken for one of them
_HASHES = 4
_WORD_BYTES = 4


@dataclass(slots=True)
class Gap:
    """In one partition, messages at positions ``first`` to ``end`` (exclusive), or facts about them, may be missing.

    ``messages_end``, ``facts_end``: the mirror's offsets of both topics at which the gap closes, 0 if none is
    missing.
    """

    first: int
    end: int
    messages_end: int = 0
    facts_end: int = 0

    def touches(self, start: int, stop: int | None) -> bool:
        """Return whether the positions from ``start`` to ``stop`` (exclusive; ``None``: to the end) overlap with the
        gap.
        """
        return self.end > start and (stop is None or self.first < stop)


class IdFilter:
    """A Bloom filter: added ids are always found."""

    def __init__(self, size_bytes: int = FILTER_BYTES) -> None:
        self._bits = bytearray(size_bytes)

    def _positions(self, message_id: str) -> list[int]:
        digest = blake2b(message_id.encode(errors="surrogatepass"), digest_size=_HASHES * _WORD_BYTES).digest()
        words = (digest[at : at + _WORD_BYTES] for at in range(0, len(digest), _WORD_BYTES))
        return [int.from_bytes(word, "big") % (8 * len(self._bits)) for word in words]

    def add(self, message_id: str) -> None:
        for position in self._positions(message_id):
            self._bits[position >> 3] |= 1 << (position & 7)

    def __contains__(self, message_id: str) -> bool:
        return all(self._bits[position >> 3] & 1 << (position & 7) for position in self._positions(message_id))


class Gaps:
    """Records the evicted messages and the mirror's offsets."""

    def __init__(self) -> None:
        self._messages: Mapping[int, int] = {}
        self._facts: Mapping[int, int] = {}
        self._gaps: dict[int, Gap] = {}
        self._ids: IdFilter | None = None
        self._were_skipped = False

    @property
    def is_open(self) -> bool:
        """Whether records may be missing, by the mirror's last known offsets."""
        return bool(self._gaps)

    def of(self, partition: int) -> Gap | None:
        """Return the gap of a partition."""
        return self._gaps.get(partition)

    def may_hold(self, message_id: str) -> bool:
        """Return whether the message may be an evicted one."""
        return self._ids is not None and message_id in self._ids

    def may_hide(self, message_id: str) -> bool:
        """As ``may_hold``, or one never read because there were too many at the start."""
        return self._were_skipped or self.may_hold(message_id)

    def evicted(self, message_id: str, partition: int, position: int, *, has_message: bool, last_fact: int) -> None:
        """Note the eviction of a message at ``position``. ``last_fact``: offset of the last fact about it, -1 if
        none.
        """
        lacks_message = has_message and position >= self._messages.get(partition, 0)
        lacks_fact = last_fact >= self._facts.get(partition, 0)
        if not lacks_message and not lacks_fact:
            return
        gap = self._widened(partition, position, position + 1)
        if lacks_message:
            gap.messages_end = max(gap.messages_end, position + 1)
            if self._ids is None:
                self._ids = IdFilter()
            self._ids.add(message_id)
        if lacks_fact:
            gap.facts_end = max(gap.facts_end, last_fact + 1)

    def skip(self, partition: int, start: int, stop: int, *, facts_stop: int = 0) -> None:
        """Note messages from ``start`` to ``stop`` (exclusive), and facts before ``facts_stop``, as never read by
        this process.
        """
        gap = self._widened(partition, start, stop)
        gap.facts_end = max(gap.facts_end, facts_stop)
        if start < stop:
            gap.messages_end = max(gap.messages_end, stop)
            self._were_skipped = True

    def _widened(self, partition: int, first: int, end: int) -> Gap:
        gap = self._gaps.get(partition)
        if gap is None:
            gap = self._gaps[partition] = Gap(first, end)
        gap.first, gap.end = min(gap.first, first), max(gap.end, end)
        return gap

    def mirrored(self, messages: Mapping[int, int], facts: Mapping[int, int]) -> None:
        """Note the mirror's offsets, by partition, of both topics; close the gaps before them."""
        self._messages, self._facts = messages, facts
        for partition, gap in list(self._gaps.items()):
            if messages.get(partition, 0) >= gap.messages_end:
                gap.messages_end = 0
            if facts.get(partition, 0) >= gap.facts_end:
                gap.facts_end = 0
            if not gap.messages_end and not gap.facts_end:
                del self._gaps[partition]
            elif not gap.facts_end:
                gap.first = max(gap.first, messages.get(partition, 0))
        if not any(gap.messages_end for gap in self._gaps.values()):
            self._ids, self._were_skipped = None, False
