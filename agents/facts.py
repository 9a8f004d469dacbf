"""Reads ``status-updates`` for its two agents."""

from __future__ import annotations

from app.kafka.codec import decode
from domain.errors import MalformedRecord
from domain.fact_times import plausible
from domain.records import StatusChanged
from domain.status import Fact, Status, fact_in

_WORDS = frozenset(Status)


def read_fact(value: bytes | None, logged_at_ms: int) -> tuple[StatusChanged, Fact]:
    """Return the record as it was written, and its fact with a plausible time.

    ``logged_at_ms``: the record's timestamp. Raises ``MalformedRecord``, also for an unknown status.
    """
    change = decode(value, StatusChanged)
    if change.status not in _WORDS:
        raise MalformedRecord(f"unknown status {change.status[:40]!r}", "status")
    try:
        fact = fact_in(plausible(change, logged_at_ms), max(0, logged_at_ms))
    except ValueError as error:
        raise MalformedRecord(str(error), "accepted_at_ms") from None
    return change, fact
