"""Where an accepted message goes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import InvalidRecipient
from domain.ports import LogPosition
from domain.recipients import INTERNAL, recorded_recipient
from domain.records import DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import Status


@dataclass(frozen=True, slots=True)
class Routed:
    """The results of one ``MessageAccepted``: a request for each address served by a channel, and facts.

    ``requests``: (channel, request). ``refused``: the reason for an unroutable address; a fact carries it to the
    sender, too.
    """

    requests: Sequence[tuple[str, DeliveryRequested]]
    facts: Sequence[StatusChanged]
    refused: InvalidRecipient | None = None


def decide(message: MessageAccepted, position: LogPosition) -> Routed:
    """Return the destinations of ``message``. It is ACCEPTED once, and immediately SENT to internal recipients.

    A message to everyone in a conversation of one has no destination: it is SENT, because it is in the conversation.
    """
    if len(message.recipients) > 1:
        return _decide_shared(message, position)
    # written out without calls: this runs for every message
    m, accepted_at_ms, offset = message, position.accepted_at_ms, position.offset
    if not m.recipients and not m.recipient_id:
        stands = _about(m, position, "", Status.SENT, INTERNAL)
        return Routed((), (_about(m, position, "", Status.ACCEPTED), stands))
    try:
        recipient = recorded_recipient(m.recipients[0] if m.recipients else m.recipient_id)
    except InvalidRecipient as error:
        return Routed((), (_unroutable(m, position, "", error),), error)
    channel = recipient.channel
    fact = StatusChanged(m.message_id, m.conversation_id, "ACCEPTED", accepted_at_ms, accepted_at_ms, offset, channel)
    if channel == INTERNAL:
        return Routed((), (fact, _about(m, position, "", Status.SENT, INTERNAL)))
    request = DeliveryRequested(
        m.message_id,
        m.conversation_id,
        m.sender_id,
        str(recipient),
        m.content,
        m.file_id,
        accepted_at_ms,
        offset,
        1,
        m.file,
        m.account or (m.recipient_accounts[0] if m.recipient_accounts else ""),
        m.not_after_ms,
        m.priority,
        m.kind,
        m.body,
        m.reply_to,
        m.target_id if m.target_address in ("", str(recipient)) else "",
        m.recipient_ids[0] if m.recipient_ids else "",
    )
    return Routed(((channel, request),), (fact,))


def _decide_shared(message: MessageAccepted, position: LogPosition) -> Routed:
    requests: list[tuple[str, DeliveryRequested]] = []
    facts = [_about(message, position, "", Status.ACCEPTED)]
    refused = None
    none = ("",) * len(message.recipients)
    ids, accounts = message.recipient_ids or none, message.recipient_accounts or none
    for target, to, account in zip(message.recipients, ids, accounts, strict=False):
        try:
            recipient = recorded_recipient(target)
        except InvalidRecipient as error:
            refused = error
            facts.append(_unroutable(message, position, target, error))
            continue
        if recipient.channel == INTERNAL:
            facts.append(_about(message, position, target, Status.SENT, INTERNAL))
        else:
            request = DeliveryRequested(
                message.message_id,
                message.conversation_id,
                message.sender_id,
                target,
                message.content,
                message.file_id,
                position.accepted_at_ms,
                position.offset,
                len(message.recipients),
                message.file,
                message.account or account,
                message.not_after_ms,
                message.priority,
                message.kind,
                message.body,
                message.reply_to,
                message.target_id if message.target_address in ("", target) else "",
                to,
            )
            requests.append((recipient.channel, request))
    return Routed(requests, facts, refused)


def status_change(
    request: DeliveryRequested,
    channel: str,
    status: Status,
    at_ms: int,
    attempt: int = 0,
    provider_id: str | None = None,
    failure_code: str | None = None,
    failure_detail: str | None = None,
) -> StatusChanged:
    """Return the fact: the delivery of ``request`` became ``status`` at ``at_ms`` (epoch milliseconds)."""
    count = request.recipient_count
    return StatusChanged(
        request.message_id,
        request.conversation_id,
        str(status),
        at_ms,
        request.accepted_at_ms,
        request.position,
        channel,
        attempt,
        provider_id,
        failure_code,
        failure_detail,
        request.recipient_id if count > 1 else "",
        count,
    )


def _about(
    message: MessageAccepted,
    position: LogPosition,
    address: str,
    status: Status,
    channel: str = "",
    failure_code: str | None = None,
    failure_detail: str | None = None,
) -> StatusChanged:
    """Return routing's own fact about a message to several addresses; without ``address``: about all of it."""
    return StatusChanged(
        message.message_id,
        message.conversation_id,
        str(status),
        position.accepted_at_ms,
        position.accepted_at_ms,
        position.offset,
        channel,
        0,
        None,
        failure_code,
        failure_detail,
        address,
        max(1, len(message.targets)),
    )


def _unroutable(
    message: MessageAccepted, position: LogPosition, address: str, error: InvalidRecipient
) -> StatusChanged:
    """Return the fact with the reason for the sender of an unroutable message."""
    return _about(message, position, address, Status.FAILED, "", error.code, str(error))
