"""Where an accepted message goes next."""

from __future__ import annotations

from dataclasses import dataclass

from domain.ports import Place
from domain.recipients import parse_recipient
from domain.records import DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import Status


@dataclass(frozen=True, slots=True)
class Routed:
    """What follows from one ``MessageAccepted``: a fact, and a request to its channel."""

    channel: str
    request: DeliveryRequested
    fact: StatusChanged


def decide(message: MessageAccepted, place: Place) -> Routed:
    """Return where ``message`` goes. Raises ``InvalidRecipient`` if no channel can take it."""
    recipient = parse_recipient(message.recipient_id)
    request = DeliveryRequested(
        message.message_id, message.conversation_id, message.sender_id, str(recipient), message.content,
        message.file_id, place.accepted_at_ms, place.position,
    )  # fmt: skip
    return Routed(
        recipient.channel, request, fact_of(request, recipient.channel, Status.ACCEPTED, place.accepted_at_ms)
    )


def fact_of(
    request: DeliveryRequested,
    channel: str,
    status: Status,
    at_ms: int,
    attempt: int = 0,
    provider_id: str | None = None,
    failure_code: str | None = None,
    failure_detail: str | None = None,
) -> StatusChanged:
    """Return the fact that ``request``'s message became ``status`` at ``at_ms`` (epoch milliseconds)."""
    return StatusChanged(
        request.message_id, request.conversation_id, str(status), at_ms, request.accepted_at_ms, request.position,
        channel, attempt, provider_id, failure_code, failure_detail,
    )  # fmt: skip


def unroutable(message: MessageAccepted, place: Place, reason: str, detail: str) -> StatusChanged:
    """Return the fact that tells the sender why an accepted message goes nowhere."""
    return StatusChanged(
        message.message_id, message.conversation_id, str(Status.FAILED), place.accepted_at_ms, place.accepted_at_ms,
        place.position, "", 0, None, reason, detail,
    )  # fmt: skip
