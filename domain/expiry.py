"""Rows deleted from a table by its retention, and late facts about them: people read after holidays."""

from __future__ import annotations

# a row may be there a little longer or shorter than a comparison of two clocks would have it
_CERTAINLY_THERE = 0.95


def may_have_left(accepted_at_ms: int, logged_at_ms: int, retention_hours: float) -> bool:
    """Return whether the row of a message may have left the table before a fact about it was logged.

    A row leaves some time after its last change, at the earliest after the acceptance. Both times are epoch
    milliseconds.
    """
    return accepted_at_ms < logged_at_ms - retention_hours * 3_600_000 * _CERTAINLY_THERE
