"""The most recent messages, in memory, so a ``GET`` right after its 202 finds the message.

Fed by the handlers (with this process's messages, immediately) and by the log tailer (with all messages and their
facts). Bounded by count and by measured bytes (within a fifth); the oldest message is evicted first.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.ids import may_repeat
from domain.ports import LogPosition
from domain.reactions import reaction_in
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, Fact, SharedState, State, Status, absorb, joined
from web.history.facts import fact_from_change
from web.history.gaps import Gaps
from web.history.inbound import RecentInbound
from web.history.reactions import RecentReactions
from web.history.rosters import Roster, Rosters
from web.history.sizes import ENTRY_BYTES, message_bytes, state_bytes
from web.history.timeline import Timeline
from web.history.unread_facts import LoggedFact, UnreadFacts, held_bytes, is_full, one_fact, read

MAX_BYTES = 256 * 1024 * 1024

_RANK = {Status.ACCEPTED: 0, Status.SENT: 1, Status.DELIVERED: 2, Status.READ: 3}


@dataclass(slots=True)
class Recent:
    """The cached state of one message.

    ``message``: ``None`` if only facts about it were seen. ``complete``: every fact about it on ``status-updates``
    has been or will be seen here, so no other view knows more. ``last_published`` and ``last_published_failures``:
    the status and the number of failed recipients as of the last fact read from the log; ``state`` includes this
    process's own facts earlier. ``is_settled``: false for a message with an idempotency key until the log was checked
    for an older record of it, known only to Cassandra (``RecentMessages.move_up``). ``held_bytes``: its size in
    memory without ``roster``, shared with other messages to the same recipients. ``last_fact``: the offset of its
    last fact read from the log, -1 for none. ``unread``: facts of the log that ``state`` does not have yet.
    """

    conversation_id: str
    position: LogPosition
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
    unread: UnreadFacts = ()


class RecentMessages:
    """Caches at most ``limit`` messages and ``max_bytes``. ``held_bytes``: the present size.

    ``reactions``, ``inbound``: what stays of them longer. ``complete_from``: for each partition of ``messages``, the
    first offset with every later fact seen here (set by the tailer when it starts). ``gaps``: the evicted messages not
    in Cassandra at the time.
    """

    def __init__(self, limit: int, max_bytes: int = MAX_BYTES) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self.held_bytes = 0
        self._rosters = Rosters()
        self.reactions = RecentReactions()
        self.inbound = RecentInbound()
        self._by_id: dict[str, Recent] = {}
        self._conversations: dict[str, Timeline] = {}
        self.complete_from: dict[int, int] = {}
        self.gaps = Gaps()

    def __len__(self) -> int:
        return len(self._by_id)

    def add_message(self, message: MessageAccepted, position: LogPosition, partition: int) -> None:
        """Cache an accepted message; a repetition changes nothing."""
        known = self._by_id.get(message.message_id)
        if known is None:
            known = self._enter(message.message_id, message.conversation_id, position)
            complete_from = self.complete_from.get(partition)
            known.complete = complete_from is not None and position.offset >= complete_from
        elif known.message is not None:
            return  # a message with an idempotency key may be in the log twice: it is where it was first
        if (reaction := reaction_in(message, position.accepted_at_ms, position.offset)) is not None:
            self.reactions.add(message.conversation_id, reaction)
        if message.is_inbound:
            self.inbound.add(message, position.accepted_at_ms)
        known.partition = partition
        known.position = position  # what facts say of it may be the position of its repetition
        known.is_settled = not may_repeat(message.message_id)
        if len(message.recipients) > 1:
            message = self._over_roster(message, known)
        known.message = message
        self._hold(known, message_bytes(message))
        timeline = self._conversations.get(message.conversation_id)
        if timeline is None:
            timeline = self._conversations[message.conversation_id] = Timeline()
        timeline.add(position.offset, message.message_id)
        self._make_room()

    def add_fact(self, change: StatusChanged) -> Recent:
        """Add a fact to the state of its message. Raises ``ValueError`` for an unknown status."""
        known = self.get(change.message_id)
        fact = fact_from_change(change)
        if known is None:
            position = LogPosition(change.accepted_at_ms, change.position)
            known = self._enter(change.message_id, change.conversation_id, position)
        self._absorb(known, fact)
        if self.held_bytes > self._max_bytes or len(self._by_id) > self._limit:
            self._make_room()
        return known

    def _absorb(self, known: Recent, fact: Fact) -> None:
        before = known.state
        if isinstance(before, SharedState):
            held_bytes = before.held_bytes
            before.add(fact)
            self._hold(known, before.held_bytes - held_bytes)
        else:
            known.state = absorb(before, fact)
            if before is UNKNOWN or fact.failure_code is not None or fact.recipient_count > 1:
                self._hold(known, state_bytes(known.state) - state_bytes(before))

    def add_logged_fact(self, change: StatusChanged, partition: int, offset: int) -> Recent:
        """As ``add_fact``, for a fact read from the log, in order."""
        known = self.add_fact(change)
        known.partition, known.last_fact = partition, offset
        return known

    def keep(self, message_id: str, status: Status, record: LoggedFact) -> bool | None:
        """Keep a fact read from the log, in order, without reading it; return whether ``status``, which it says, is new
        for its message.

        ``None`` if it must be read now: the message is not cached, is to several recipients, or a part of its state is
        known. A failure is always to be read.
        """
        known = self._by_id.get(message_id)
        if known is None or known.message is None or known.state is not UNKNOWN or is_full(known.unread):
            return None
        fact = one_fact(record)
        known.unread += fact
        known.partition, known.last_fact = record.partition, record.offset
        self._hold(known, held_bytes(fact))
        is_new = _RANK[status] > _RANK[known.last_published]
        if is_new:
            known.last_published = status
        if self.held_bytes > self._max_bytes:
            self._make_room()
        return is_new

    def get(self, message_id: str) -> Recent | None:
        """Return the cached entry of a message; it may have facts only."""
        known = self._by_id.get(message_id)
        if known is not None and known.unread:
            self._read(known)
        return known

    def is_first(self, message_id: str, position: LogPosition) -> bool:
        """Return whether the record at ``position`` is the message and not its repetition, as far as this process
        knows.
        """
        known = self._by_id.get(message_id)
        return known is None or known.message is None or known.position == position or not may_repeat(message_id)

    def move_up(self, message_id: str, position: LogPosition) -> None:
        """Move the message to ``position`` if it is before the cached one."""
        known = self._by_id.get(message_id)
        if known is not None and known.message is not None and position < known.position:
            timeline = self._conversations[known.conversation_id]
            timeline.discard(known.position.offset)
            timeline.add(position.offset, message_id)
            known.position = position

    def page(self, conversation_id: str, *, after: LogPosition | None, limit: int, descending: bool) -> list[Recent]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), by position."""
        timeline = self._conversations.get(conversation_id)
        if timeline is None:
            return []
        key = None if after is None else after.offset
        page = [self._by_id[message_id] for message_id in timeline.ids(key, limit, descending=descending)]
        for known in page:
            if known.unread:
                self._read(known)
        return page

    def tail(self, conversation_id: str, after: LogPosition | None) -> tuple[int, LogPosition | None]:
        """Return how many cached messages of a conversation come after ``after``, and the position of the last one."""
        timeline = self._conversations.get(conversation_id)
        if timeline is None:
            return 0, None
        last = self.page(conversation_id, after=None, limit=1, descending=True)[0].position
        return timeline.after(None if after is None else after.offset), last

    def _read(self, known: Recent) -> None:
        """Read the facts that were kept."""
        unread, known.unread = known.unread, ()
        self._hold(known, -held_bytes(unread))
        for fact in read(unread, known.partition):
            self._absorb(known, fact)

    def _enter(self, message_id: str, conversation_id: str, position: LogPosition) -> Recent:
        known = self._by_id[message_id] = Recent(conversation_id, position)
        self._hold(known, ENTRY_BYTES)
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
        before = state_bytes(known.state)
        known.state = state.over(roster.addresses)
        self._hold(known, state_bytes(known.state) - before)
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
                gone.position.offset,
                has_message=gone.message is not None,
                last_fact=gone.last_fact,
            )
        if gone.message is None:
            return
        timeline = self._conversations[gone.conversation_id]
        timeline.discard(gone.position.offset)
        if not timeline:
            del self._conversations[gone.conversation_id]
