"""The state of messages at a past moment, by the two clocks of ``domain/past_states.py``.

A message accepted later than one of them is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.kafka.codec import decode
from app.replay.entries import LogRecord
from domain.errors import MalformedRecord
from domain.fact_times import plausible
from domain.message_state import Fact, Status
from domain.past_states import FOREVER_MS, Moment
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, State, absorb, fact_in, facts_of

_LIFE = tuple(Status)


@dataclass(slots=True)
class PastMessage:
    """A message, without its content, and the join of its facts by the two clocks."""

    message_id: str
    conversation_id: str
    position: LogPosition
    state: State = UNKNOWN


def timeline(state: State) -> list[Fact]:
    """Return the facts of ``state`` by time, then by address; of one moment in the order of a message's life."""
    return sorted(facts_of(state), key=lambda fact: (fact.at_ms, fact.recipient_id, _LIFE.index(fact.status)))


class PastStates:
    """Folds records of ``messages`` and ``status-updates``, in any order. Memory: one entry a wanted message.

    ``message_id``, ``conversation_id``: only that one; empty: all.
    """

    def __init__(
        self,
        as_of_ms: int = FOREVER_MS,
        known_at_ms: int = FOREVER_MS,
        *,
        message_id: str = "",
        conversation_id: str = "",
    ) -> None:
        self._moment = Moment(as_of_ms, known_at_ms)
        self._message_id = message_id
        self._needle = message_id.encode()
        self._conversation_id = conversation_id
        self._messages: dict[str, PastMessage] = {}
        self._states: dict[str, State] = {}

    def add_message(self, record: LogRecord) -> None:
        """Take a record of ``messages``. A repeated id and a malformed record change nothing."""
        if not self._moment.has_accepted(record.timestamp_ms) or not self._may_name(record):
            return
        try:
            message = decode(record.value, MessageAccepted)
        except MalformedRecord:
            return
        if self._is_wanted(message.message_id, message.conversation_id):
            position = LogPosition(record.timestamp_ms, record.offset)
            known = self._messages.get(message.message_id)
            if known is None or position < known.position:
                self._messages[message.message_id] = PastMessage(message.message_id, message.conversation_id, position)

    def add_fact(self, record: LogRecord) -> None:
        """Take a record of ``status-updates``. A malformed record and an unknown status change nothing."""
        if record.timestamp_ms > self._moment.known_at_ms or not self._may_name(record):
            return
        try:
            change = plausible(decode(record.value, StatusChanged), record.timestamp_ms)
            fact = fact_in(change, record.timestamp_ms)
            if self._moment.counts(fact) and self._is_wanted(change.message_id, change.conversation_id):
                self._states[change.message_id] = absorb(self._states.get(change.message_id, UNKNOWN), fact)
        except (MalformedRecord, ValueError):
            return

    def found(self) -> list[PastMessage]:
        """Return the messages in the order of the log, each with its state."""
        for message_id, past in self._messages.items():
            past.state = self._states.get(message_id, UNKNOWN)
        return sorted(self._messages.values(), key=lambda past: (past.conversation_id, past.position.offset))

    def _may_name(self, record: LogRecord) -> bool:
        """Return whether the record may be about the wanted message: to look for its id costs less than to decode."""
        return not self._needle or (record.value is not None and self._needle in record.value)

    def _is_wanted(self, message_id: str, conversation_id: str) -> bool:
        if self._message_id and message_id != self._message_id:
            return False
        return not self._conversation_id or conversation_id == self._conversation_id
