"""The part of the audit that follows each delivery: requests, the queue, outcomes, dead letters; without I/O.

The table ``attempts`` prevents a second send, so its outcomes are compared with the facts, and the facts with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from math import inf

from app.audit_rules import Difference, History
from app.kafka.codec import decode
from domain.attempts import Attempt, Outcome
from domain.errors import MalformedRecord
from domain.fact_times import SKEW_MS
from domain.records import DeadLetter, DeliveryRequested, delivery_key
from domain.status import MessageState, Status, delivery_of

UNQUEUED = "was requested of %s: it is not queued and has no outcome"
LEFT_BEHIND = "is in the queue of %s, though it is %s since %.0f s"
STALE_MS = SKEW_MS + 60_000  # after its last word, by the channel's clock, the row of a delivery goes within moments
LoadDelivery = Callable[[bytes], str]  # a row of the table ``queue`` → its ``delivery_key``
NO_FACT = "is %s on record of %s, and no fact says so"
NO_OUTCOME = "was SENT by %s, and no outcome is on record"
OTHER_ID = "has the provider's id %r on record of %s, and %r in the facts"
_OWNER = b"\0"  # no id of a message begins so (app/faust/durable_table.py)
LoadAttempt = Callable[[bytes | None], Attempt | None]  # a row of the table ``attempts``
IsDelivery = Callable[[bytes], bool]  # whether a key of the table is one of a delivery


@dataclass(slots=True)
class ChannelAudit:
    """One partition number of a channel. ``first_offset``: of the requests; retention has removed those before it.
    ``committed``: those from this offset on are not committed by the channel's workers.

    ``requests``: the committed ones, by ``delivery_key``; the others may be in the queue already. ``queued``: the keys
    of the deliveries in the queue. ``outcomes``: the rows of ``attempts``, by ``delivery_key``. Those of deliveries
    that were sent before ``outcomes_from_ms`` or since ``outcomes_until_ms`` (epoch ms) may be missing.
    """

    channel: str
    first_offset: int = 0
    requests: dict[str, DeliveryRequested] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    queued: dict[bytes, str] = field(default_factory=dict)
    outcomes: dict[str, Attempt] = field(default_factory=dict)
    outcomes_from_ms: float = inf
    outcomes_until_ms: float = inf
    committed: float = inf
    _arriving: set[str] = field(default_factory=set)
    _faults: list[Difference] = field(default_factory=list)

    def add_request(self, value: bytes | None, offset: int = 0) -> None:
        """Take a record of ``<channel>-outbound``. A malformed one is on ``dead-letters``."""
        try:
            request = decode(value, DeliveryRequested)
        except MalformedRecord:
            return
        if offset < self.committed:
            self.requests[delivery_key(request)] = request
        else:
            self._arriving.add(delivery_key(request))

    def add_row(self, key: bytes, value: bytes | None, is_delivery: IsDelivery, load: LoadDelivery) -> None:
        """Take a record of the changelog of ``queue``."""
        if not is_delivery(key):
            return
        if value is None:
            self.queued.pop(key, None)
            return
        try:
            self.queued[key] = load(value)
        except (ValueError, TypeError) as error:
            self._faults.append(Difference("queue", repr(key)[:100], f"has a row that cannot be read: {error!r:.100}"))

    def add_outcome(self, key: bytes, value: bytes | None, load: LoadAttempt) -> None:
        """Take a record of the changelog of ``attempts``. The row of the partition's owner is passed over."""
        if key.startswith(_OWNER):
            return
        name = key.decode(errors="replace")
        try:
            attempt = load(value)
        except (ValueError, TypeError) as error:
            self._faults.append(Difference("attempts", name, f"has a row that cannot be read: {error!r:.100}"))
            return
        if attempt is None:
            self.outcomes.pop(name, None)
        else:
            self.outcomes[name] = attempt

    def add_letter(self, letter: DeadLetter) -> None:
        """Take a dead letter about a request of the channel."""
        try:
            request = decode(letter.value, DeliveryRequested)
        except MalformedRecord:
            return
        self.letters[delivery_key(request)] = letter

    def differences(self, history: History) -> Iterator[Difference]:
        """Yield what the log of facts, the queue and the dead letters say otherwise about a delivery."""
        yield from self._faults
        waiting = set(self.queued.values())
        for name, request in self.requests.items():
            state = _state_of(history, request)
            if state is not None and state.status is Status.ACCEPTED and name not in waiting:
                yield Difference("queue", name, UNQUEUED % self.channel)
        for name, letter in self.letters.items():
            request = decode(letter.value, DeliveryRequested)
            state = _state_of(history, request)
            if state is not None and state.status is Status.ACCEPTED and name not in waiting:
                yield Difference("dead-letters", name, f"has a letter ({letter.reason}) and no fact that it failed")
        yield from self._outcome_differences(history, waiting)
        for name in waiting:
            yield from self._left_behind(history, name)
        if not self.first_offset:
            for key, name in self.queued.items():
                if name not in self.requests and name not in self._arriving:
                    yield Difference("queue", name, f"is queued ({key[:60]!r}) and was not requested")

    def _left_behind(self, history: History, name: str) -> Iterator[Difference]:
        """Yield a row that nobody deletes. An owner who finds it when its outcome has expired would call it unknown."""
        message_id, _, address = name.partition(" ")
        attempt, state = self.outcomes.get(name), _state_at(history, message_id, address)
        if state is None or attempt is None or not attempt.is_final:
            return
        last_ms = state.read_at_ms if attempt.outcome == Outcome.SENT else state.failed_at_ms
        # what failed, was redriven and has failed again has the first failure's time
        age_ms = self.outcomes_until_ms - (max(last_ms, attempt.recorded_at_ms) if last_ms else inf)
        if STALE_MS < age_ms < inf:
            yield Difference("queue", name, LEFT_BEHIND % (self.channel, state.status, age_ms / 1000))

    def _outcome_differences(self, history: History, waiting: Collection[str]) -> Iterator[Difference]:
        """Yield where outcomes and facts differ. While a delivery is queued, its outcome's fact may be on its way."""
        for name, attempt in self.outcomes.items():
            message_id, _, address = name.partition(" ")
            state = _state_at(history, message_id, address)
            if state is None or name in waiting or not attempt.is_final:
                continue
            is_sent = attempt.outcome == Outcome.SENT
            if (state.sent_at_ms if is_sent else state.failed_at_ms) is None:
                yield Difference("attempts", name, NO_FACT % (attempt.outcome.upper(), self.channel))
            elif is_sent and _is_other(attempt, state):
                detail = OTHER_ID % (attempt.provider_id, self.channel, state.provider_id)
                yield Difference("attempts", name, detail)
        for name, request in self.requests.items():
            if name in self.outcomes or name in waiting:
                continue
            state = _state_of(history, request)
            sent_at_ms = None if state is None else state.sent_at_ms
            if sent_at_ms is not None and self.outcomes_from_ms <= sent_at_ms < self.outcomes_until_ms:
                yield Difference("attempts", name, NO_OUTCOME % self.channel)


def _is_other(attempt: Attempt, state: MessageState) -> bool:
    """Return whether the ids differ. After a second attempt the facts may have the id of either."""
    is_only_one = attempt.number == state.sent_attempt == 1
    return is_only_one and bool(attempt.provider_id) and state.provider_id not in (None, attempt.provider_id)


def _state_of(history: History, request: DeliveryRequested) -> MessageState | None:
    """Return the state of the delivery by the facts, ``None`` if facts about its message may have left the log."""
    return _state_at(history, request.message_id, request.recipient_id)


def _state_at(history: History, message_id: str, address: str) -> MessageState | None:
    folded = history.folded.get(message_id)
    if folded is None or history.is_partial(folded):
        return None
    return delivery_of(folded.state, address)
