"""Tells the address book of an opt-out that the provider's answer to a send revealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from domain.inbound import Happening, InboundEvent
from domain.outcomes import Refusal, Refused, SendOutcome
from domain.people import person_at
from domain.records import DeliveryRequested, delivery_key

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp


def tell_opt_out(app: StreamApp, account: str, request: DeliveryRequested, outcome: SendOutcome) -> None:
    """Write an opt-out to ``<channel>-inbound`` if ``outcome`` is the provider's refusal for that reason.

    The person is whom the provider was told to send to. The address of the conversation, ``former``, may be
    somebody else's by now. Nothing waits for the event: if it is lost, the next send is refused again.
    """
    if not (isinstance(outcome, Refused) and outcome.kind is Refusal.OPTED_OUT):
        return
    event = InboundEvent(
        happening=Happening.OPT_OUT,
        element_id=f"refused {delivery_key(request)}"[:512],
        at_ms=now_ms(),
        account=account,
        person=person_at(app.role, f"{app.role}:{request.to}" if request.to else request.recipient_id),
        former=person_at(app.role, request.recipient_id),
        detail=outcome.detail,
    )
    key = account.encode()
    app.batch_producer.enqueue(
        app.names.inbound(app.role), partition_for(key, app.settings.partitions), key, encode(event)
    )
