"""The most recent messages in memory: what makes a ``GET`` right after its 202 find the message.

Fed by the handler (its own messages, at once) and by ``follower.py`` (everybody's, and what became of them). Bounded
by count and by bytes of content; the oldest goes first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from domain.ids import may_repeat
from domain.ports import Place
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, Fact, MessageState, Status, join

MAX_CONTENT_BYTES_IN_ALL = 256 * 1024 * 1024
_FILE_BYTES = 1_000  # what a file's metadata takes, about: three short texts beside name and path
_COMPACT_AFTER = 256
_WORDS = frozenset(Status)


@dataclass(slots=True)
class Recent:
    """What is known of one message. ``message`` is ``None`` while only facts about it were seen.

    ``complete`` says that every fact on ``status-updates`` about it has been or will be seen here, so no other view
    can know more. ``told`` is the status word as of the last fact that was read from the log; facts of this process's
    own are in ``state`` before. ``is_settled`` is false for a message with an idempotency key until somebody has made
    sure that the log did not have it long before, where only Cassandra remembers it (``RecentMessages.move_up``).
    """

    conversation_id: str
    place: Place
    message: MessageAccepted | None = None
    state: MessageState = UNKNOWN
    complete: bool = False
    told: Status = Status.ACCEPTED
    is_settled: bool = True


def fact_of(change: StatusChanged) -> Fact:
    """Return the fact that a record of ``status-updates`` tells. Raises ``ValueError`` for an unknown status word."""
    if change.status not in _WORDS:
        raise ValueError(f"unknown status {change.status[:40]!r}")
    return Fact(
        change.status, change.at_ms, change.attempt, change.provider_id, change.failure_code, change.failure_detail,
        change.recipient_id, change.recipient_count,
    )  # fmt: skip


def _bytes_of(message: MessageAccepted) -> int:
    return len(message.content) if message.file is None else len(message.content) + _FILE_BYTES


class _Timeline:
    """The places of a conversation's messages in order; they leave mostly at the front."""

    __slots__ = ("_head", "_ids", "_keys")

    def __init__(self) -> None:
        self._keys: list[tuple[int, int]] = []
        self._ids: list[str] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._keys) - self._head

    def add(self, key: tuple[int, int], message_id: str) -> None:
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
            self._ids.append(message_id)
            return
        index = bisect_left(self._keys, key, lo=self._head)
        if index == len(self._keys) or self._keys[index] != key:
            self._keys.insert(index, key)
            self._ids.insert(index, message_id)

    def discard(self, key: tuple[int, int]) -> None:
        index = bisect_left(self._keys, key, lo=self._head)
        if index == len(self._keys) or self._keys[index] != key:
            return
        if index > self._head:
            del self._keys[index], self._ids[index]
            return
        # moving a mark is O(1) where deleting the first of a long list is not; now and then the dead part is cut off
        self._head += 1
        if self._head > _COMPACT_AFTER and self._head * 2 > len(self._keys):
            del self._keys[: self._head], self._ids[: self._head]
            self._head = 0

    def after(self, key: tuple[int, int] | None) -> int:
        return len(self) if key is None else len(self._keys) - bisect_right(self._keys, key, lo=self._head)

    def ids(self, after: tuple[int, int] | None, limit: int, *, descending: bool) -> list[str]:
        if descending:
            stop = len(self._keys) if after is None else bisect_left(self._keys, after, lo=self._head)
            return self._ids[max(self._head, stop - limit) : stop][::-1]
        start = self._head if after is None else bisect_right(self._keys, after, lo=self._head)
        return self._ids[start : start + limit]


class RecentMessages:
    """At most ``limit`` messages. ``complete_from``: for each partition of ``messages``, the offset from which on
    everything that happens to a message is seen here (set by the follower when it starts)."""

    def __init__(self, limit: int, max_content_bytes: int = MAX_CONTENT_BYTES_IN_ALL) -> None:
        self._limit = limit
        self._max_content_bytes = max_content_bytes
        self._content_bytes = 0
        self._by_id: dict[str, Recent] = {}
        self._conversations: dict[str, _Timeline] = {}
        self.complete_from: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add_message(self, message: MessageAccepted, place: Place, partition: int) -> None:
        """Remember an accepted message; a second time changes nothing."""
        known = self._by_id.get(message.message_id)
        if known is None:
            known = self._by_id[message.message_id] = Recent(message.conversation_id, place)
            complete_from = self.complete_from.get(partition)
            known.complete = complete_from is not None and place.position >= complete_from
        elif known.message is not None:
            return  # a message with an idempotency key may be in the log twice: it is where it was first
        known.place = place  # what facts say of it may be the place of its repetition
        known.is_settled = not may_repeat(message.message_id)
        known.message = message
        self._content_bytes += _bytes_of(message)
        timeline = self._conversations.get(message.conversation_id)
        if timeline is None:
            timeline = self._conversations[message.conversation_id] = _Timeline()
        timeline.add((place.accepted_at_ms, place.position), message.message_id)
        self._make_room()

    def add_fact(self, change: StatusChanged) -> Recent:
        """Join one fact to what is known of its message. Raises ``ValueError`` for an unknown status word."""
        fact = fact_of(change)
        known = self._by_id.get(change.message_id)
        if known is None:
            place = Place(change.accepted_at_ms, change.position)
            known = self._by_id[change.message_id] = Recent(change.conversation_id, place)
            self._make_room()
        known.state = join(known.state, fact)
        return known

    def add_logged_fact(self, change: StatusChanged) -> MessageState | None:
        """As ``add_fact``, for facts in the order of the log. Return the message's state if its status word is not
        what it was at the last logged fact, ``None`` if it still is."""
        known = self.add_fact(change)
        word = known.state.status
        if word is known.told:
            return None
        known.told = word
        return known.state

    def get(self, message_id: str) -> Recent | None:
        """Return what is known of a message; it may be facts without the message."""
        return self._by_id.get(message_id)

    def is_first(self, message_id: str, place: Place) -> bool:
        """Return whether the record at ``place`` is the message, as far as is known here, and not its repetition."""
        known = self._by_id.get(message_id)
        return known is None or known.message is None or known.place == place or not may_repeat(message_id)

    def move_up(self, message_id: str, place: Place) -> None:
        """Take note that ``place``, if it is before the one known here, is where the message was first."""
        known = self._by_id.get(message_id)
        if known is not None and known.message is not None and place < known.place:
            timeline = self._conversations[known.conversation_id]
            timeline.discard((known.place.accepted_at_ms, known.place.position))
            timeline.add((place.accepted_at_ms, place.position), message_id)
            known.place = place

    def page(self, conversation_id: str, *, after: Place | None, limit: int, descending: bool) -> list[Recent]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), by place."""
        timeline = self._conversations.get(conversation_id)
        if timeline is None:
            return []
        key = None if after is None else (after.accepted_at_ms, after.position)
        return [self._by_id[message_id] for message_id in timeline.ids(key, limit, descending=descending)]

    def tail(self, conversation_id: str, after: Place | None) -> tuple[int, Place | None]:
        """Return how many messages of a conversation are known strictly after ``after``, and the last one's place."""
        timeline = self._conversations.get(conversation_id)
        if timeline is None:
            return 0, None
        last = self.page(conversation_id, after=None, limit=1, descending=True)[0].place
        return timeline.after(None if after is None else (after.accepted_at_ms, after.position)), last

    def _make_room(self) -> None:
        while len(self._by_id) > self._limit or self._content_bytes > self._max_content_bytes:
            oldest = next(iter(self._by_id))
            gone = self._by_id.pop(oldest)
            if gone.message is None:
                continue
            self._content_bytes -= _bytes_of(gone.message)
            timeline = self._conversations[gone.conversation_id]
            timeline.discard((gone.place.accepted_at_ms, gone.place.position))
            if not timeline:
                del self._conversations[gone.conversation_id]
