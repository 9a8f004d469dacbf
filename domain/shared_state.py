"""The state of a message to several addresses: the join of all facts about them, kept in ``AddressColumns``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from domain.address_columns import NEVER, NOTHING, UNHEARD, AddressColumns
from domain.message_state import UNKNOWN, Fact, MessageState, Status, alone, join_alone, joined_alone

_WORDS = tuple(Status)
_INDEX = {str(word): index for index, word in enumerate(_WORDS)}
_ACCEPTED, _SENT, _DELIVERED, _READ, _FAILED = range(5)


class SharedState(AddressColumns):
    """The join for a message to several addresses: the facts about itself, and those about each address.

    ``own``: the state of the message itself. ``recipient_count``: the number of addresses, so READ by the first is not
    taken for READ by all. ``counts_by_status``: the number of addresses with each status, in the order of ``Status``,
    among the addresses with any fact. ``held_bytes``: about its size in memory, without ``addresses`` given to it.

    It is mutable (``add``, ``merge``); a reader must not keep it. ``addresses`` may be shared: sorted, the known
    recipients of the message.
    """

    __slots__ = ("counts_by_status", "own", "recipient_count")

    def __init__(self, own: MessageState = UNKNOWN, recipient_count: int = 1, addresses: Sequence[str] = ()) -> None:
        super().__init__(addresses)
        self.own = own
        self.recipient_count = recipient_count
        self.counts_by_status = [0, 0, 0, 0, 0]

    def copy(self) -> SharedState:
        """Return an independent copy."""
        other = SharedState(self.own, self.recipient_count)
        other.counts_by_status = self.counts_by_status.copy()
        other._copy_columns(self)
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SharedState):
            return False
        return (self.own, self.recipient_count, self.deliveries) == (other.own, other.recipient_count, other.deliveries)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"SharedState({self.own!r}, {self.recipient_count}, {self.deliveries!r})"

    # what is known

    @property
    def accepted_at_ms(self) -> int | None:
        """When the message was accepted."""
        return self.own.accepted_at_ms

    @property
    def known(self) -> int:
        """Of how many addresses something is known."""
        return sum(self.counts_by_status)

    @property
    def counts(self) -> dict[str, int]:
        """The number of addresses with each status; addresses without a fact are ACCEPTED."""
        unheard = max(0, self.recipient_count - self.known)
        accepted, *others = self.counts_by_status
        return dict(zip(_INDEX, (accepted + unheard, *others), strict=True))

    @property
    def failures(self) -> int:
        """For how many addresses it failed."""
        return self.counts_by_status[_FAILED]

    @property
    def deliveries(self) -> Mapping[str, MessageState]:
        """The state of each address with any fact."""
        return {self._addresses[index]: self._at(index) for index in self._heard()}

    def delivery(self, address: str) -> MessageState:
        """Return the state of an address, possibly ``UNKNOWN``."""
        index = bisect_left(self._addresses, address)
        if index == len(self._addresses) or self._addresses[index] != address:
            return UNKNOWN
        return self._at(index)

    @property
    def status(self) -> Status:
        """FAILED if it failed for all; else the least word of those for whom it did not."""
        accepted, sent, delivered, read, failed = self.counts_by_status
        if not accepted and self.recipient_count <= sent + delivered + read + failed:
            for count, word in ((sent, Status.SENT), (delivered, Status.DELIVERED), (read, Status.READ)):
                if count:
                    return word
            if failed:
                return Status.FAILED
        return Status.ACCEPTED

    @property
    def overall(self) -> MessageState:
        """A state with ``status`` as its word; each time is the latest of those for whom it did not fail."""
        word = self.status
        if word is Status.ACCEPTED:
            return MessageState(self.own.accepted_at_ms)
        if word is Status.FAILED:
            return self._failed()
        return MessageState(
            self.own.accepted_at_ms,
            self._latest(_SENT),
            None if word is Status.SENT else self._latest(_DELIVERED),
            self._latest(_READ) if word is Status.READ else None,
        )

    @property
    def last_change_ms(self) -> int:
        """The latest time among the facts, 0 without any."""
        latest = [max(column) for column in self._times if column]
        return max([self.own.last_change_ms, *(at for at in latest if at != NEVER)])

    # what becomes known

    def add(self, fact: Fact) -> None:
        """Join one fact. Raises ``ValueError`` for an unknown word, and has not changed then."""
        word = _INDEX.get(fact.status)
        if word is None:
            raise ValueError(f"unknown status {fact.status!r}")
        if fact.recipient_count > self.recipient_count:
            self.recipient_count = fact.recipient_count
        address = fact.recipient_id
        if fact.recipient_count == 1 or not address:
            self.own = join_alone(self.own, fact)
            return
        index = self._index(address)
        if word == _FAILED:
            self._add_failure(index, fact)
        else:
            self._earliest(word, index, fact.at_ms)
            if word == _SENT and fact.attempt > 0:
                self._attempt(0, index, max(fact.attempt, self._attempt_at(0, index)))
            if word != _ACCEPTED and (fact.provider_id is not None or fact.pricing is not None):
                self._note_provider(address, fact.provider_id, fact.pricing)
        self._count(index)

    def merge(self, other: SharedState) -> None:
        """Join all facts of ``other``."""
        if self.recipient_count < other.recipient_count:
            self.recipient_count = other.recipient_count
        self.own = joined_alone(self.own, other.own)
        if self._is_like(other):
            return
        for there in other._heard():
            address = other._addresses[there]
            index = self._index(address)
            for word in (_ACCEPTED, _SENT, _DELIVERED, _READ):
                column = other._times[word]
                if column is not None and column[there] != NEVER:
                    self._earliest(word, index, column[there])
            if (attempt := other._attempt_at(0, there)) > self._attempt_at(0, index):
                self._attempt(0, index, attempt)
            provider_id, code, detail, pricing = other._notes.get(address, NOTHING)
            if provider_id is not None or pricing is not None:
                self._note_provider(address, provider_id, pricing)
            if (failed_at_ms := other._time(_FAILED, there)) is not None:
                failure = Fact("FAILED", failed_at_ms, other._attempt_at(1, there), None, code, detail)
                self._add_failure(index, failure)
            self._count(index)

    def over(self, addresses: Sequence[str]) -> SharedState:
        """Return an equal state over ``addresses``, which may be shared."""
        other = SharedState(UNKNOWN, self.recipient_count, addresses)
        other.merge(self)
        return other

    # the join

    def _add_failure(self, index: int, fact: Fact) -> None:
        state = join_alone(self._at(index), alone(fact))
        self._earliest(_FAILED, index, fact.at_ms)
        if state.failed_attempt != self._attempt_at(1, index):
            self._attempt(1, index, state.failed_attempt)
        notes = (state.provider_id, state.failure_code, state.failure_detail, state.pricing)
        self._note(self._addresses[index], notes)

    def _count(self, index: int) -> None:
        """Count the current status of an address."""
        before, word = self._words[index], self._word(index)
        if word != before:
            if before != UNHEARD:
                self.counts_by_status[before] -= 1
            self.counts_by_status[word] += 1
            self._words[index] = word

    def _word(self, index: int) -> int:
        times = self._times
        for word in (_READ, _DELIVERED):
            column = times[word]
            if column is not None and column[index] != NEVER:
                return word
        is_sent = (column := times[_SENT]) is not None and column[index] != NEVER
        if (
            (column := times[_FAILED]) is not None
            and column[index] != NEVER
            and (not is_sent or self._attempt_at(1, index) >= self._attempt_at(0, index))
        ):
            return _FAILED
        return _SENT if is_sent else _ACCEPTED

    def _latest(self, word: int) -> int | None:
        """Return the latest time of a word among those for whom it did not fail."""
        column = self._times[word]
        if column is None:
            return None
        if self.counts_by_status[_FAILED]:
            latest = max((at for at, now in zip(column, self._words, strict=True) if now != _FAILED), default=NEVER)
        else:
            latest = max(column, default=NEVER)
        return None if latest == NEVER else latest

    def _failed(self) -> MessageState:
        """The first failure by address stands for all."""
        first = self._at(next(self._heard()))
        return MessageState(
            self.own.accepted_at_ms,
            failed_at_ms=max(self._times[_FAILED] or (), default=None),
            failed_attempt=first.failed_attempt,
            failure_code=first.failure_code,
            failure_detail=first.failure_detail,
        )
