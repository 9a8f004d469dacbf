"""Raw webhooks through today's parser, compared with what a former one made of them. No I/O.

Receipts may be written again: the deliveries know each already, or are healed by it. Of people's messages only
new ones are written. Nothing is sent to anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

from agents.webhooks import Sorted, Sorter
from app.kafka.codec import decode, encode, type_of
from domain.errors import InvalidInput
from domain.inbound import InboundEvent, WebhookReceived
from domain.records import ReceiptReported, Record

MOST_KNOWN = 1_000_000  # elements in memory, about 100 bytes each


class Difference(StrEnum):
    """An element compared with the record that a former parse of it led to."""

    SAME = "="
    NEW = "+"
    OTHER = "~"


@dataclass(frozen=True, slots=True)
class Reparsed:
    """An element as today's parser has it, for the topic ``room`` under ``key``."""

    difference: Difference
    room: str
    key: str
    record: Record

    @property
    def is_written(self) -> bool:
        """Whether it goes to its topic again."""
        return self.room == "events" or self.difference is Difference.NEW

    def line(self) -> str:
        """Return it for people."""
        one = self.record
        if isinstance(one, ReceiptReported):
            return f"{self.difference} {one.account} receipt {one.status} of {one.token} in {self.key}"
        assert isinstance(one, InboundEvent)
        words = one.status or one.kind if one.happening == "message" else one.detail
        return f"{self.difference} {one.account} {one.happening} {one.element_id} {words}".rstrip()


@dataclass
class WebhookReplay:
    """One channel. First ``know`` the records there are, then ``parse`` the raw ones. ``counts``: by outcome."""

    sorter: Sorter
    counts: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    def know(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of ``<channel>-events`` or ``<channel>-inbound``. Raises ``InvalidInput`` for too many."""
        name = type_of(value)
        try:
            if name == ReceiptReported.__name__:
                record: Record = decode(value, ReceiptReported)
            elif name == InboundEvent.__name__:
                record = decode(value, InboundEvent)
            else:
                return
        except InvalidInput:
            return
        if len(self._known) >= MOST_KNOWN:
            raise InvalidInput(f"the span has more than {MOST_KNOWN:,} elements: give a later --since")
        self._known[_name_of((key or b"").decode(errors="replace"), record)] = _digest(record)

    def parse(self, value: bytes | None) -> Iterator[Reparsed]:
        """Yield what today's parser makes of a record of ``<channel>-webhooks``."""
        try:
            elements = self.sorter.sort(decode(value, WebhookReceived))
        except InvalidInput:
            self._count("malformed")
            return
        for element in elements:
            if element.record is None:
                self._count(str(element.outcome))
            else:
                yield self._compared(element, element.record)

    def _compared(self, element: Sorted, record: Record) -> Reparsed:
        known = self._known.get(_name_of(element.key, record))
        difference = Difference.NEW
        if known is not None:
            difference = Difference.SAME if known == _digest(record) else Difference.OTHER
        self._count({"=": "same", "+": "new", "~": "other"}[difference])
        return Reparsed(difference, element.room, element.key, record)

    def _count(self, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def summary(self) -> Mapping[str, int]:
        """Return the counts, the greatest first."""
        return dict(sorted(self.counts.items(), key=lambda item: -item[1]))


def _name_of(key: str, record: Record) -> tuple[str, ...]:
    if isinstance(record, ReceiptReported):
        return ("receipt", key, record.token, record.status)
    assert isinstance(record, InboundEvent)
    return ("event", record.account, record.happening, record.element_id)


def _digest(record: Record) -> bytes:
    return blake2b(encode(record), digest_size=12).digest()
