"""The plausible range of a fact's time. A provider's clock may differ from ours, and so may its unit (seconds,
microseconds).

A fact is logged after it happened, and it happens after its message was accepted. A time outside this range by more
than the tolerance for clocks is set to the nearer end. Both ends are in the record, so every view of the log sets the
same time.
"""

from __future__ import annotations

from dataclasses import replace

from domain.records import StatusChanged

SKEW_MS = 5 * 60 * 1000
MAX_MS = 253_402_214_400_000  # 9999-12-31T00:00Z: a calendar's last day, which is one in every time zone

MAX_POSITION = 2**63 - 1  # of an offset, and of what Cassandra keeps of it


def plausible_ms(at_ms: int, accepted_at_ms: int, logged_at_ms: int) -> int:
    """Return ``at_ms``, or the nearer end of the range. All are epoch milliseconds; ``logged_at_ms``: 0 or less if
    unknown.
    """
    if logged_at_ms <= 0:
        logged_at_ms = MAX_MS - SKEW_MS
    if at_ms > logged_at_ms + SKEW_MS:
        return logged_at_ms
    if at_ms < accepted_at_ms - SKEW_MS or at_ms < 0:
        return min(accepted_at_ms, logged_at_ms)
    return at_ms


def plausible(change: StatusChanged, logged_at_ms: int) -> StatusChanged:
    """Return the fact with a plausible time.

    ``logged_at_ms``: the timestamp of its record, 0 or less if it has none. Raises ``ValueError`` if the message's
    position is impossible.
    """
    accepted_at_ms = change.accepted_at_ms
    if not (0 <= accepted_at_ms <= MAX_MS and 0 <= change.position <= MAX_POSITION):
        raise ValueError(f"impossible position {accepted_at_ms}, {change.position}")
    at_ms = plausible_ms(change.at_ms, accepted_at_ms, logged_at_ms)
    return change if at_ms == change.at_ms else replace(change, at_ms=at_ms)


def not_before_ms(at_ms: int, sent_at_ms: int) -> int:
    """Return the time of a receipt, corrected if it is a whole second in which the message was sent.

    Channels that report in seconds cut the fraction, so a receipt would seem to come before the send.
    """
    return sent_at_ms if at_ms % 1000 == 0 and at_ms < sent_at_ms < at_ms + 1000 else at_ms
