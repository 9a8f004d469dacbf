"""Ends by time: messages that are not sent any more, and rows deleted from a table by its retention.

Late facts come about deleted rows, too: people read after holidays.
"""

from __future__ import annotations

# a row may be there a little longer or shorter than a comparison of two clocks would have it
_CERTAINLY_THERE = 0.95
MOST_DAYS_AHEAD = 7  # of a message's own time
_DAY_MS = 86_400_000


def expires_at_ms(not_after_ms: int, accepted_at_ms: int, expires_hours: float) -> int:
    """Return the time after which a message is not sent: its own (0 if it has none), else ``expires_hours`` after its
    acceptance. All times are epoch milliseconds.
    """
    return not_after_ms or accepted_at_ms + int(expires_hours * 3_600_000)


def last_start_ms(not_after_ms: int, accepted_at_ms: int, expires_hours: float, memory_hours: float) -> int:
    """Return the time after which no attempt begins: the message's expiry, and never later than the memory of attempts
    reaches back. An older message may have been sent, and nothing tells. All times are epoch milliseconds.
    """
    remembered_ms = accepted_at_ms + int(memory_hours * 3_600_000 * _CERTAINLY_THERE)
    return min(expires_at_ms(not_after_ms, accepted_at_ms, expires_hours), remembered_ms)


def expiry_fault(not_after_ms: int, now_ms: int) -> str | None:
    """Return the fault of a message's own time, ``None`` if it is in the future and near enough."""
    if not_after_ms <= now_ms:
        return "must be in the future"
    if not_after_ms > now_ms + MOST_DAYS_AHEAD * _DAY_MS:
        return f"must be at most {MOST_DAYS_AHEAD} days ahead"
    return None


def may_have_left(accepted_at_ms: int, logged_at_ms: int, retention_hours: float) -> bool:
    """Return whether the row of a message may have left the table before a fact about it was logged.

    A row leaves some time after its last change, at the earliest after the acceptance. Both times are epoch
    milliseconds.
    """
    return accepted_at_ms < logged_at_ms - retention_hours * 3_600_000 * _CERTAINLY_THERE
