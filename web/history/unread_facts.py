"""Facts of the log about one message that stay bytes until somebody asks for it.

They are one flat tuple of values, times and offsets: the collector of garbage does not look at such a tuple again, and
there may be a hundred thousand of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from sys import getsizeof
from typing import Any, Protocol

from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.fact_times import plausible
from domain.records import StatusChanged
from domain.status import Fact
from web.history.facts import fact_from_change

log = logging.getLogger(__name__)

# for each fact: its record's value (bytes), when it was appended (epoch ms), and its offset
UnreadFacts = tuple[Any, ...]

MOST_UNREAD = 16  # facts of one message; from there on each is read as it comes
_PARTS = 3
_FACT_BYTES = 100  # of a fact beside its value: its numbers and its places in the tuple


class LoggedFact(Protocol):
    """A record of ``status-updates`` as the consumer returns it. ``timestamp``: epoch milliseconds."""

    value: bytes
    timestamp: int
    partition: int
    offset: int


def is_full(facts: UnreadFacts) -> bool:
    """Return whether there is no place for another one."""
    return len(facts) >= _PARTS * MOST_UNREAD


def one_fact(record: LoggedFact) -> UnreadFacts:
    """Return the fact in ``record``; facts are added to each other in the order of the log."""
    return (record.value, record.timestamp, record.offset)


def read(facts: UnreadFacts, partition: int) -> Iterator[Fact]:
    """Yield the facts, decoded. A malformed one is logged and left out."""
    for value, logged_at_ms, offset in zip(*[iter(facts)] * _PARTS, strict=True):
        try:
            fact = fact_from_change(plausible(decode(value, StatusChanged), logged_at_ms))
        except (MalformedRecord, ValueError) as error:
            log.warning("status-updates[%d]@%d skipped: %s", partition, offset, error)
        else:
            yield fact


def held_bytes(facts: UnreadFacts) -> int:
    """Return their size in memory."""
    return sum(getsizeof(value) + _FACT_BYTES for value in facts[::_PARTS])
