"""Reading ``status-updates``, for the two agents that do."""

from __future__ import annotations

from app.codec import decode
from domain.errors import MalformedRecord
from domain.records import StatusChanged
from domain.status import Fact, Status

_WORDS = frozenset(Status)


def read_fact(value: bytes | None) -> tuple[StatusChanged, Fact]:
    """Return the record and the fact in it. Raises ``MalformedRecord``, also for a status word that does not exist."""
    change = decode(value, StatusChanged)
    if change.status not in _WORDS:
        raise MalformedRecord(f"unknown status {change.status[:40]!r}", "status")
    fact = Fact(
        change.status, change.at_ms, change.attempt, change.provider_id, change.failure_code, change.failure_detail,
        change.recipient_id, change.recipient_count,
    )  # fmt: skip
    return change, fact
