"""Responses of the API as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chat4all.contract import Status

# the fields of a message in which each word's time is told
_TIMES = {
    Status.ACCEPTED: "accepted_at",
    Status.SENT: "sent_at",
    Status.DELIVERED: "delivered_at",
    Status.READ: "read_at",
    Status.FAILED: "failed_at",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a message: it is durable. ``expires_at``: it is not sent later; ``None``: it goes to no channel."""

    message_id: str
    conversation_id: str
    accepted_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A message reached ``status``. ``detail``: why, for FAILED."""

    status: Status
    at: datetime
    detail: str = ""


def accepted_of(answer: Mapping[str, Any]) -> Accepted:
    """Parse the response to a send."""
    expires_at = answer.get("expires_at")
    return Accepted(
        answer["message_id"],
        answer["conversation_id"],
        datetime.fromisoformat(answer["accepted_at"]),
        None if expires_at is None else datetime.fromisoformat(expires_at),
    )


def has_reached(known: Iterable[Status], until: Status) -> bool:
    """Return whether one of the words is ``until`` or implies it."""
    order = (Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ)
    implying = order[order.index(until) :] if until in order else (until,)
    return any(status in implying for status in known)


def changes_of(message: Mapping[str, Any]) -> list[Change]:
    """Return the status changes of a message, in the order of ``Status``."""
    times = [(status, message.get(field)) for status, field in _TIMES.items()]
    reason = (message.get("failure") or {}).get("detail") or ""
    return [
        Change(status, datetime.fromisoformat(at), reason if status is Status.FAILED else "")
        for status, at in times
        if at
    ]


def iso_of(epoch_ms: int) -> str:
    """Return a time as the API writes it: 2026-01-01T00:00:00.000Z."""
    at = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
