"""The most recent messages, in memory, so a ``GET`` right after its 202 finds the message.

Fed by the handlers (with this process's messages, immediately) and by the log tailer (with all messages and their
facts). Bounded by count and by measured bytes (within a fifth); the oldest message is evicted first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from sys import getsizeof, intern

from domain.ids import may_repeat
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, Fact, SharedState, State, Status, absorb, joined
from web.history.gaps import Gaps
from web.history.rosters import Roster, Rosters

MAX_BYTES = 256 * 1024 * 1024
MAX_DETAIL_CHARS = 2_000  # of a failure; as many are kept in Cassandra
# measured with tracemalloc: an entry with its times, its places in dictionaries and lists; what a message adds besides
# its texts; a file's metadata besides its own
_ENTRY_BYTES = 310
_STATE_BYTES = 240
_MESSAGE_BYTES = 200
_FILE_BYTES = 300
_COMPACT_AFTER = 256
_WORDS = frozenset(Status)


@dataclass(slots=True)
class Recent:
    """The cached state of one message.

    ``message``: ``None`` if only facts about it were seen. ``complete``: every fact about it on ``status-updates``
    has been or will be seen here, so no other view knows more. ``last_published`` and ``last_published_failures``:
    the status and the number of failed recipients as of the last fact read from the log; ``state`` includes this
    process's own facts earlier. ``is_settled``: false for a message with an idempotency key until the log was checked
    for an older record of it, known only to Cassandra (``RecentMessages.move_up``). ``held_bytes``: its size in
    memory without ``roster``, shared with other messages to the same recipients. ``last_fact``: the offset of its
    last fact read from the log, -1 for none.
    """

    conversation_id: str
    place: LogPosition
    message: MessageAccepted | None = None
    state: State = UNKNOWN
    complete: bool = False
    last_published: Status = Status.ACCEPTED
    last_published_failures: int = 0
    is_settled: bool = True
    held_bytes: int = 0
    roster: Roster | None = None
    partition: int = -1
    last_fact: int = -1


def fact_from_change(change: StatusChanged) -> Fact:
    """Return the fact in a record of ``status-updates``, without the provider's id, not part of the API.

    Raises ``ValueError`` for an unknown status.
    """
    if change.status not in _WORDS:
        raise ValueError(f"unknown status {change.status[:40]!r}")
    code, detail = change.failure_code, change.failure_detail
    return Fact(
        change.status,
        change.at_ms,
        change.attempt,
        None,
        code and intern(code),
        detail and detail[:MAX_DETAIL_CHARS],
        change.recipient_id,
        change.recipient_count,
    )


def _bytes_of(message: MessageAccepted) -> int:
    """Return the size of a message in memory, without the lists of several recipients."""
    m = message
    held = (
        _MESSAGE_BYTES
        + getsizeof(m.content)
        + getsizeof(m.message_id)
        + getsizeof(m.conversation_id)
        + getsizeof(m.sender_id)
        + getsizeof(m.recipient_id)
    )
    if m.file is not None:
        texts = (m.file_id, m.file.filename, m.file.mimetype, m.file.checksum, m.file.storage_path)
        held += _FILE_BYTES + sum(map(getsizeof, texts))
    if len(m.recipients) == 1:
        held += 2 * getsizeof(m.recipients) + getsizeof(m.recipients[0]) + sum(map(getsizeof, m.recipient_users))
    return held


def _bytes_of_state(state: State) -> int:
    """Return the size of a state in memory."""
    if state is UNKNOWN:
        return 0
    if isinstance(state, SharedState):
        return state.held_bytes
    if state.failed_at_ms is None:
        return _STATE_BYTES
    return _STATE_BYTES + getsizeof(state.failure_detail)


class _Timeline:
    """The offsets of a conversation's messages in order; they leave mostly at the front."""

    __slots__ = ("_head", "_ids", "_keys")

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._ids: list[str] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._keys) - self._head

    def add(self, key: int, message_id: str) -> None:
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
            self._ids.append(message_id)
            return
        index = bisect_left(self._keys, key, lo=self._head)
        if index == len(self._keys) or self._keys[index] != key:
            self._keys.insert(index, key)
            self._ids.insert(index, message_id)

    def discard(self, key: int) -> None:
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

    def after(self, key: int | None) -> int:
        return len(self) if key is None else len(self._keys) - bisect_right(self._keys, key, lo=self._head)

    def ids(self, after: int | None, limit: int, *, descending: bool) -> list[str]:
        if descending:
            stop = len(self._keys) if after is None else bisect_left(self._keys, after, lo=self._head)
            return self._ids[max(self._head, stop - limit) : stop][::-1]
        start = self._head if after is None else bisect_right(self._keys, after, lo=self._head)
        return self._ids[start : start + limit]


class RecentMessages:
    """Caches at most ``limit`` messages and ``max_bytes``. ``held_bytes``: the present size.

    ``complete_from``: for each partition of ``messages``, the first offset with every later fact seen here (set by
    the tailer when it starts). ``gaps``: the evicted messages not in Cassandra at the time.
    """

    def __init__(self, limit: int, max_bytes: int = MAX_BYTES) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self.held_bytes = 0
        self._rosters = Rosters()
        self._by_id: dict[str, Recent] = {}
        self._conversations: dict[str, _Timeline] = {}
        self.complete_from: dict[int, int] = {}
        self.gaps = Gaps()

    def __len__(self) -> int:
        return len(self._by_id)

    def add_message(self, message: MessageAccepted, place: LogPosition, partition: int) -> None:
        """Cache an accepted message; a repetition changes nothing."""
        known = self._by_id.get(message.message_id)
        if known is None:
            known = self._enter(message.message_id, message.conversation_id, place)
            complete_from = self.complete_from.get(partition)
            known.complete = complete_from is not None and place.position >= complete_from
        elif known.message is not None:
            return  # a message with an idempotency key may be in the log twice: it is where it was first
        known.partition = partition
        known.place = place  # what facts say of it may be the place of its repetition
        known.is_settled = not may_repeat(message.message_id)
        if len(message.recipients) > 1:
            message = self._over_roster(message, known)
        known.message = message
        self._hold(known, _bytes_of(message))
        timeline = self._conversations.get(message.conversation_id)
        if timeline is None:
            timeline = self._conversations[message.conversation_id] = _Timeline()
        timeline.add(place.position, message.message_id)
        self._make_room()

    def add_fact(self, change: StatusChanged) -> Recent:
        """Add a fact to the state of its message. Raises ``ValueError`` for an unknown status."""
        fact = fact_from_change(change)
        known = self._by_id.get(change.message_id)
        if known is None:
            place = LogPosition(change.accepted_at_ms, change.position)
            known = self._enter(change.message_id, change.conversation_id, place)
        before = known.state
        if isinstance(before, SharedState):
            held_bytes = before.held_bytes
            before.add(fact)
            self._hold(known, before.held_bytes - held_bytes)
        else:
            known.state = absorb(before, fact)
            if before is UNKNOWN or fact.failure_code is not None or fact.recipient_count > 1:
                self._hold(known, _bytes_of_state(known.state) - _bytes_of_state(before))
        if self.held_bytes > self._max_bytes or len(self._by_id) > self._limit:
            self._make_room()
        return known

    def add_logged_fact(self, change: StatusChanged, partition: int, offset: int) -> Recent:
        """As ``add_fact``, for a fact read from the log, in order."""
        known = self.add_fact(change)
        known.partition, known.last_fact = partition, offset
        return known

    def get(self, message_id: str) -> Recent | None:
        """Return the cached entry of a message; it may have facts only."""
        return self._by_id.get(message_id)

    def is_first(self, message_id: str, place: LogPosition) -> bool:
        """Return whether the record at ``place`` is the message and not its repetition, as far as this process
        knows.
        """
        known = self._by_id.get(message_id)
        return known is None or known.message is None or known.place == place or not may_repeat(message_id)

    def move_up(self, message_id: str, place: LogPosition) -> None:
        """Move the message to ``place`` if it is before the cached one."""
        known = self._by_id.get(message_id)
        if known is not None and known.message is not None and place < known.place:
            timeline = self._conversations[known.conversation_id]
            timeline.discard(known.place.position)
            timeline.add(place.position, message_id)
            known.place = place

    def page(self, conversation_id: str, *, after: LogPosition | None, limit: int, descending: bool) -> list[Recent]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), by place."""
        timeline = self._conversations.get(conversation_id)
        if timeline is None:
            return []
        key = None if after is None else after.position
        return [self._by_id[message_id] for message_id in timeline.ids(key, limit, descending=descending)]

    def tail(self, conversation_id: str, after: LogPosition | None) -> tuple[int, LogPosition | None]:
        """Return how many cached messages of a conversation come after ``after``, and the last one's place."""
        timeline = self._conversations.get(conversation_id)
        if timeline is None:
            return 0, None
        last = self.page(conversation_id, after=None, limit=1, descending=True)[0].place
        return timeline.after(None if after is None else after.position), last

    def _enter(self, message_id: str, conversation_id: str, place: LogPosition) -> Recent:
        known = self._by_id[message_id] = Recent(conversation_id, place)
        self._hold(known, _ENTRY_BYTES)
        return known

    def _hold(self, known: Recent, more_bytes: int) -> None:
        known.held_bytes += more_bytes
        self.held_bytes += more_bytes

    def _over_roster(self, message: MessageAccepted, known: Recent) -> MessageAccepted:
        """Let a message to several recipients, and its state, share the one list of these recipients."""
        before = self._rosters.held_bytes
        roster = known.roster = self._rosters.enter(message)
        self.held_bytes += self._rosters.held_bytes - before
        state = joined(SharedState(UNKNOWN, len(message.recipients)), known.state)
        assert isinstance(state, SharedState)
        before = _bytes_of_state(known.state)
        known.state = state.over(roster.addresses)
        self._hold(known, _bytes_of_state(known.state) - before)
        return roster.shared_by(message)

    def _make_room(self) -> None:
        while len(self._by_id) > self._limit or self.held_bytes > self._max_bytes:
            self._drop(next(iter(self._by_id)))

    def _drop(self, message_id: str) -> None:
        gone = self._by_id.pop(message_id)
        self.held_bytes -= gone.held_bytes
        if gone.roster is not None:
            before = self._rosters.held_bytes
            self._rosters.leave(gone.roster)
            self.held_bytes += self._rosters.held_bytes - before
        if gone.partition >= 0:
            self.gaps.evicted(
                message_id,
                gone.partition,
                gone.place.position,
                has_message=gone.message is not None,
                last_fact=gone.last_fact,
            )
        if gone.message is None:
            return
        timeline = self._conversations[gone.conversation_id]
        timeline.discard(gone.place.position)
        if not timeline:
            del self._conversations[gone.conversation_id]
