"""One history out of two views: Cassandra's rows (complete, behind) and the recent messages (short, up to date)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from domain.ports import Place, StoredMessage
from domain.status import UNKNOWN, Fact, MessageState, SharedState, Status, fold
from web.recent import Recent

_MAX_INT64 = 2**63 - 1


def facts_of(state: MessageState) -> list[Fact]:
    """Return facts that add up to ``state``."""
    if not isinstance(state, SharedState):
        return _facts_of_one(state)
    count = state.recipient_count
    facts = [replace(fact, recipient_count=count) for fact in _facts_of_one(state)]
    for address, delivery in state.deliveries.items():
        facts += [replace(fact, recipient_id=address, recipient_count=count) for fact in _facts_of_one(delivery)]
    return facts


def _facts_of_one(state: MessageState) -> list[Fact]:
    sent = Fact(Status.SENT, state.sent_at_ms or 0, state.sent_attempt, state.provider_id)
    failed = Fact(
        Status.FAILED, state.failed_at_ms or 0, state.failed_attempt, None, state.failure_code, state.failure_detail
    )
    candidates = (
        (state.accepted_at_ms, Fact(Status.ACCEPTED, state.accepted_at_ms or 0)),
        (state.sent_at_ms, sent),
        (state.delivered_at_ms, Fact(Status.DELIVERED, state.delivered_at_ms or 0, 0, state.provider_id)),
        (state.read_at_ms, Fact(Status.READ, state.read_at_ms or 0, 0, state.provider_id)),
        (state.failed_at_ms, failed),
    )
    return [fact for at_ms, fact in candidates if at_ms is not None]


def joined(one: MessageState, other: MessageState) -> MessageState:
    """Return the join of two states: what is known to either is known."""
    if one == other or other == UNKNOWN:
        return one
    return other if one == UNKNOWN else fold(facts_of(other), one)


def merged(stored: StoredMessage | None, recent: Recent | None) -> StoredMessage | None:
    """Return what both views together know of one message; ``None`` if neither has the message itself."""
    if stored is None:
        if recent is None or recent.message is None:
            return None
        return StoredMessage(recent.message, recent.place, recent.state)
    return stored if recent is None else replace(stored, state=joined(stored.state, recent.state))


def merge_page(
    stored: Iterable[StoredMessage],
    recent: Iterable[Recent],
    facts: Callable[[str], Recent | None],
    *,
    limit: int,
    descending: bool,
) -> list[StoredMessage]:
    """Return the first ``limit`` messages of both views, by place.

    Each view must begin at the same place and hold its first ``limit`` messages from there. ``facts`` returns what
    the recent view knows of a message id.
    """
    by_id: dict[str, StoredMessage] = {}
    for row in stored:
        by_id[row.message.message_id] = merged(row, facts(row.message.message_id)) or row
    for entry in recent:
        if entry.message is not None and entry.message.message_id not in by_id:
            by_id[entry.message.message_id] = StoredMessage(entry.message, entry.place, entry.state)
    return sorted(by_id.values(), key=lambda found: found.place, reverse=descending)[:limit]


def cursor_of(page: Sequence[StoredMessage]) -> str:
    """Return the opaque cursor that continues after the last message of ``page``."""
    place = page[-1].place
    return base64.urlsafe_b64encode(f"{place.accepted_at_ms}.{place.position}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Return the place that ``cursor_of`` wrote. Raises ``ValueError`` for anything else."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        accepted_at, dot, position = text.partition(".")
        place = Place(int(accepted_at), int(position))
    except (binascii.Error, UnicodeError, ValueError):
        raise ValueError("not a cursor of this API") from None
    if not dot or not 0 <= place.accepted_at_ms <= _MAX_INT64 or not 0 <= place.position <= _MAX_INT64:
        raise ValueError("not a cursor of this API")
    return place
