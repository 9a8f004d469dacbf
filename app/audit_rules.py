"""The comparisons of ``app/audit.py``, without I/O: the history of one partition number against its views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.expiry import may_have_left
from domain.fact_times import plausible
from domain.ids import may_repeat
from domain.ports import LogPosition, StoredMessage
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, MessageState, SharedState, State, Status, absorb, fact_in, facts_of, fold

_DETAIL_CHARS = 2_000  # what Cassandra's rows keep of a failure's detail
_SHOWN_OFFSETS = 10
_SHOWN = ("conversation_id", "sender_id", "recipient_id", "content", "file_id", "file", "recipients", "recipient_users")


@dataclass(frozen=True, slots=True)
class Difference:
    """``view``: where it was found (log, table, cassandra, cassandra-by-id, queue, attempts,
    dead-letters, live, provider).

    ``where``: the records about the message. ``cause``: what most likely led to it.
    """

    view: str
    message_id: str
    detail: str
    where: str = field(default="", compare=False)
    cause: str = field(default="", compare=False)

    def __str__(self) -> str:
        lines = [f"{self.view}: message {self.message_id}: {self.detail}"]
        lines += [f"    {text}" for text in (self.where, self.cause and f"likely: {self.cause}") if text]
        return "\n".join(lines)


class StateRow(Protocol):
    """A value of the table ``message_state``."""

    @property
    def state(self) -> MessageState: ...

    @property
    def conversation_id(self) -> str: ...


LoadRow = Callable[[bytes | None], StateRow]


@dataclass(slots=True)
class Folded:
    """The fold of the facts on ``status-updates``."""

    conversation_id: str
    position: LogPosition
    state: State = UNKNOWN
    row_may_be_gone: bool = False
    offsets: list[int] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """One partition number of the topics. ``first_offset``: of ``messages``; retention has removed the records before
    it.

    ``rows``: the table's last value for each key, ``None`` for a deleted row. ``facts_from_ms``: retention has removed
    the facts before this time, 0 if none. ``retention_hours``: of the table.
    """

    first_offset: int
    facts_from_ms: int = 0
    retention_hours: float = float("inf")
    accepted: dict[str, tuple[MessageAccepted, LogPosition]] = field(default_factory=dict)
    folded: dict[str, Folded] = field(default_factory=dict)
    rows: dict[str, tuple[MessageState, str] | None] = field(default_factory=dict)
    facts: int = 0
    unreadable: int = 0
    partition: int = -1
    _faults: list[Difference] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def add_message(self, value: bytes | None, position: LogPosition) -> None:
        """Take a record of ``messages``. A malformed record is skipped: its agent has dead-lettered it."""
        try:
            message = decode(value, MessageAccepted)
        except MalformedRecord:
            self.unreadable += 1
            return
        known = self.accepted.get(message.message_id)
        if known is not None:
            if known[0] == message and may_repeat(message.message_id):
                return  # two concurrent requests with one idempotency key: the first record is the message's
            self._faults.append(Difference("log", message.message_id, f"is on `messages` twice, again at {position}"))
        self.accepted[message.message_id] = (message, position)

    def add_row(self, key: bytes | None, value: bytes | None, load_row: LoadRow) -> None:
        """Take a record of the table's changelog. A malformed row is a difference: its worker fails on it."""
        name = (key or b"").decode(errors="replace")
        try:
            row = load_row(value)
        except (ValueError, TypeError) as error:
            self._faults.append(Difference("table", name, f"has a row that cannot be read: {error!r:.100}"))
            return
        self.rows[name] = None if value is None else (row.state, row.conversation_id)

    def add_fact(self, value: bytes | None, logged_at_ms: int = 0, offset: int = -1) -> None:
        """Take a record of ``status-updates``. ``logged_at_ms``: its timestamp, 0 if it has none."""
        try:
            change = plausible(decode(value, StatusChanged), logged_at_ms)
            fact = fact_in(change)
            known = self.folded.get(change.message_id)
            state = absorb(UNKNOWN if known is None else known.state, fact)
        except (MalformedRecord, ValueError):
            self.unreadable += 1
            return
        self.facts += 1
        position = LogPosition(change.accepted_at_ms, change.position)
        is_late = may_have_left(change.accepted_at_ms, logged_at_ms, self.retention_hours)
        if known is None:
            self.folded[change.message_id] = Folded(change.conversation_id, position, state, is_late, [offset])
            return
        if len(known.offsets) < _SHOWN_OFFSETS:
            known.offsets.append(offset)
        known.row_may_be_gone |= is_late
        if may_repeat(change.message_id):
            known.position = min(known.position, position)
        if (known.position, known.conversation_id) != (position, change.conversation_id) and not (
            may_repeat(change.message_id) and known.conversation_id == change.conversation_id
        ):
            detail = f"a fact is at {position}, others at {known.position}"
            self._faults.append(Difference("log", change.message_id, detail))
        known.state = state

    def where(self, name: str) -> str:
        """Return the records about a message or one of its deliveries, empty for an unknown one."""
        message_id, parts = name.partition(" ")[0], []
        if (accepted := self.accepted.get(message_id)) is not None:
            parts.append(f"messages[{self.partition}]@{accepted[1].offset}")
        if (folded := self.folded.get(message_id)) is not None:
            parts.append(f"status-updates[{self.partition}]@{','.join(map(str, folded.offsets))}")
        return " ".join(parts)

    def conversations(self) -> set[str]:
        """Return every conversation in the log."""
        found = {message.conversation_id for message, _ in self.accepted.values()}
        return found | {folded.conversation_id for folded in self.folded.values()}

    def is_partial(self, folded: Folded) -> bool:
        """Return whether facts about a message may have left the log, so the views may rightly hold more."""
        return folded.position.accepted_at_ms < self.facts_from_ms

    def stuck(self, before_ms: int) -> Iterator[str]:
        """Yield the messages accepted before ``before_ms`` (epoch ms) with at least one address that has no later
        status.
        """
        for message_id, (_, position) in self.accepted.items():
            if message_id not in self.folded and position.accepted_at_ms < before_ms:
                yield message_id
        for message_id, folded in self.folded.items():
            is_old = folded.position.accepted_at_ms < before_ms and not self.is_partial(folded)
            if is_old and folded.state.status is Status.ACCEPTED:
                yield message_id

    def table_differences(self, oldest_ms: int) -> Iterator[Difference]:
        """Yield where log and table differ. Rows whose last change is before ``oldest_ms`` may have left."""
        yield from self._faults
        for message_id, (_, position) in self.accepted.items():
            folded = self.folded.get(message_id)
            if folded is None:
                yield Difference("log", message_id, "was accepted, and there is no fact about it")
            elif folded.position != position:
                yield Difference("log", message_id, f"is at {position}, and its facts say {folded.position}")
        expected = {
            key: (state, folded)
            for message_id, folded in self.folded.items()
            for key, state in _rows_of(message_id, folded.state)
        }
        for key, (state, folded) in expected.items():
            row = self.rows.get(key)
            if row is None:
                if state.last_change_ms >= oldest_ms and not folded.row_may_be_gone:
                    yield Difference("table", key, f"has no row; the log says {state.status}")
            elif row != (state, folded.conversation_id) and not self._may_know_more(folded, state, row[0]):
                yield Difference("table", key, _shown(row[0], state))
        oldest_ms = max(oldest_ms, self.facts_from_ms)
        for key, row in self.rows.items():
            if row is not None and key not in expected and row[0].last_change_ms >= oldest_ms:
                yield Difference("table", key, "has a row, and there is no fact about it")

    def _may_know_more(self, folded: Folded, logged: State, found: State) -> bool:
        """Return whether ``found`` differs only by facts that have left the log."""
        return self.is_partial(folded) and fold(facts_of(logged), found) == found

    def check_off(self, message_ids: Iterable[str]) -> None:
        """These were found in Cassandra."""
        self._seen.update(message_ids)

    def missing(self) -> Iterator[Difference]:
        """Yield the messages on ``messages`` that were not found in Cassandra."""
        for message_id, (_, position) in self.accepted.items():
            if message_id not in self._seen:
                yield Difference("cassandra", message_id, f"is missing; its position is {position}")


def compare(history: History, stored: Sequence[StoredMessage]) -> Iterator[Difference]:
    """Yield how the rows of a conversation differ from its history."""
    for row in stored:
        message_id = row.message.message_id
        accepted, folded = history.accepted.get(message_id), history.folded.get(message_id)
        if accepted is None and row.position.offset >= history.first_offset:
            yield Difference("cassandra", message_id, "is not on `messages`")
        if accepted is not None:
            message, position = accepted
            for name in _SHOWN:
                if (found := getattr(row.message, name)) != (sent := getattr(message, name)):
                    yield Difference("cassandra", message_id, f"{name} is {found!r:.100}, sent was {sent!r:.100}")
            if row.position != position:
                yield Difference("cassandra", message_id, f"is at {row.position}, on `messages` at {position}")
        if folded is None or row.state == (state := _as_stored(folded.state, row.position)):
            continue
        if not history._may_know_more(folded, state, row.state):
            yield Difference("cassandra", message_id, _shown(row.state, state))


def compare_ids(
    history: History, message_ids: Iterable[str], positions: Mapping[str, tuple[str, LogPosition]]
) -> Iterator[Difference]:
    """Yield the ``message_ids`` (all on ``messages``) that cannot be found by id, or lead elsewhere."""
    for message_id in message_ids:
        message, position = history.accepted[message_id]
        found = positions.get(message_id)
        if found is None:
            yield Difference("cassandra-by-id", message_id, "is missing")
        elif found != (message.conversation_id, position):
            yield Difference("cassandra-by-id", message_id, f"leads to {found}, not to {position}")


def _rows_of(message_id: str, state: State) -> Iterator[tuple[str, MessageState]]:
    """Yield the keys and states of the table's rows about one message (see ``tables/message_state.py``)."""
    if not isinstance(state, SharedState):
        yield message_id, state
        return
    if state.own != UNKNOWN:
        yield message_id, state.own
    for address, delivery in state.deliveries.items():
        yield f"{message_id} {address}", delivery


def _as_stored(state: State, position: LogPosition) -> State:
    """Return ``state`` as a row shows it: the row itself implies ACCEPTED, and a long detail is cut."""
    logged_ms, known_ms = position.accepted_at_ms, state.accepted_at_ms
    at_ms = logged_ms if known_ms is None else min(known_ms, logged_ms)
    if not isinstance(state, SharedState):
        return replace(state, accepted_at_ms=at_ms, failure_detail=_cut(state.failure_detail))
    facts = (replace(fact, failure_detail=_cut(fact.failure_detail)) for fact in facts_of(state))
    return fold(facts, SharedState(MessageState(at_ms), state.recipient_count))


def _cut(detail: str | None) -> str | None:
    return detail and detail[:_DETAIL_CHARS]


def _shown(found: State, expected: State) -> str:
    """Return in words how two states differ."""
    if isinstance(found, SharedState) and isinstance(expected, SharedState):
        for address in sorted({*found.deliveries, *expected.deliveries}):
            if (one := found.delivery(address)) != (other := expected.delivery(address)):
                return f"{address}: {_shown(one, other)}"
        if found.recipient_count != expected.recipient_count:
            return f"goes to {found.recipient_count}, the log says to {expected.recipient_count}"
        found, expected = found.own, expected.own
    if not isinstance(found, MessageState) or not isinstance(expected, MessageState):
        return f"is {found!r:.200}, the log says {expected!r:.200}"
    names = [f.name for f in fields(found) if getattr(found, f.name) != getattr(expected, f.name)]
    parts = [f"{name} is {getattr(found, name)!r}, the log says {getattr(expected, name)!r}" for name in names]
    return "; ".join(parts) or "is filed under another conversation"
