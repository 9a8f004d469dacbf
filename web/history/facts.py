"""Facts as the records of ``status-updates`` carry them."""

from __future__ import annotations

from sys import intern

from domain.records import StatusChanged
from domain.status import Fact, Status

MAX_DETAIL_CHARS = 2_000  # of a failure; as many are kept in Cassandra
_WORDS = frozenset(Status)


def fact_from_change(change: StatusChanged) -> Fact:
    """Return the fact in a record of ``status-updates``, without the provider's id, not part of the API.

    Raises ``ValueError`` for an unknown status.
    """
    if change.status not in _WORDS:
        raise ValueError(f"unknown status {change.status[:40]!r}")
    code, detail = change.failure_code, change.failure_detail
    return Fact(
        change.status,
        change.at_ms,
        change.attempt,
        None,
        code and intern(code),
        detail and detail[:MAX_DETAIL_CHARS],
        change.recipient_id,
        change.recipient_count,
        pricing=intern(change.pricing) if change.pricing else None,
    )
