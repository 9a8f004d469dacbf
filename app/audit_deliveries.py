"""The part of the audit that follows each delivery: requests, the queue, outcomes, dead letters; without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.audit_rules import Difference, History
from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.records import DeadLetter, DeliveryRequested, delivery_key
from domain.status import MessageState, Status, delivery_of

UNQUEUED = "was requested of %s: it is not queued and has no outcome"
LoadDelivery = Callable[[bytes], str]  # a row of the table ``queue`` → its ``delivery_key``
IsDelivery = Callable[[bytes], bool]  # whether a key of the table is one of a delivery


@dataclass(slots=True)
class ChannelAudit:
    """One partition number of a channel. ``first_offset``: of the requests; retention has removed those before it.

    ``requests``: the committed ones, by ``delivery_key``. ``queued``: the keys of the deliveries in the queue.
    """

    channel: str
    first_offset: int = 0
    requests: dict[str, DeliveryRequested] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    queued: dict[bytes, str] = field(default_factory=dict)
    _faults: list[Difference] = field(default_factory=list)

    def add_request(self, value: bytes | None) -> None:
        """Take a record of ``<channel>-outbound``. A malformed one is on ``dead-letters``."""
        try:
            request = decode(value, DeliveryRequested)
        except MalformedRecord:
            return
        self.requests[delivery_key(request)] = request

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
        if not self.first_offset:
            for key, name in self.queued.items():
                if name not in self.requests:
                    yield Difference("queue", name, f"is queued ({key[:60]!r}) and was not requested")


def _state_of(history: History, request: DeliveryRequested) -> MessageState | None:
    """Return the state of the delivery by the facts, ``None`` if facts about its message may have left the log."""
    folded = history.folded.get(request.message_id)
    if folded is None or history.is_partial(folded):
        return None
    return delivery_of(folded.state, request.recipient_id)
