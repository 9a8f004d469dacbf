"""Prepares a message for the call: checked against what is known of the person, addressed, its target found.

The connectors of channels on which nobody answers (``reports_sends``) need no look at the people.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from app.clock import now_ms
from channels.manifest import CAPABILITIES
from domain.accounts import FALLBACK_TEMPLATE
from domain.contact_rules import refusal_of
from domain.degradation import degraded
from domain.delivery_policy import Failure
from domain.kinds import REACTION, TEMPLATE, TEXT
from domain.outcomes import Refusal

if TYPE_CHECKING:
    from agents.account_lane import AccountLane
    from agents.contacts import Contacts
    from agents.delivery_queue import DeliveryQueue
    from domain.records import DeliveryRequested

log = logging.getLogger(__name__)

TARGET_UNKNOWN = "target-unknown"


class Preparation:
    """For the deliveries of one channel."""

    def __init__(self, channel: str, queue: DeliveryQueue, contacts: Contacts) -> None:
        self._capabilities = CAPABILITIES[channel]
        self._queue = queue
        self._contacts = contacts

    def prepare(self, lane: AccountLane, partition: int, request: DeliveryRequested) -> DeliveryRequested | Failure:
        """Return the request as the channel can take it now, or why it cannot."""
        prepared: DeliveryRequested | Failure = request
        if lane.connector is not None and lane.connector.capabilities.reports_sends:
            prepared = self._for_person(lane, partition, request)
            if isinstance(prepared, Failure):
                return prepared
            request = prepared
        if request.kind == TEXT and not request.reply_to and not request.target_id:
            return request
        request = degraded(request, self._capabilities)
        return self._with_target(partition, request)

    def _for_person(self, lane: AccountLane, partition: int, request: DeliveryRequested) -> DeliveryRequested | Failure:
        contact = self._contacts.find(partition, lane.account.name, request.conversation_id, request.recipient_id)
        if contact is not None and contact.to:
            request = replace(request, to=contact.to)
        limits = self._capabilities.content
        template = lane.account.options.get(FALLBACK_TEMPLATE, "")
        refused = refusal_of(request.kind, contact, limits, now_ms(), has_fallback=bool(template))
        if refused is None:
            return request
        if refused.kind is Refusal.OUTSIDE_WINDOW and template and TEMPLATE in limits.outside_window:
            log.info("%s goes as the template %s: %s", request.message_id, template, refused.detail)
            name, _, language = template.partition(":")
            body = {"name": name, "language": language, "parameters": {}}
            return replace(request, kind=TEMPLATE, body=body, content="", file_id=None, file=None)
        return Failure(refused.code, refused.detail)

    def _with_target(self, partition: int, request: DeliveryRequested) -> DeliveryRequested | Failure:
        """Return the request with the provider's id of the message that it answers or reacts to.

        The API knows it of messages that it has seen sent; this channel's outcomes know it of the newest ones.
        """
        is_reaction = request.kind == REACTION
        target = str(request.body.get("message_id", "")) if is_reaction else request.reply_to
        if request.target_id or not target:
            return request
        for name in (target, f"{target} {request.recipient_id}"):
            attempt = self._queue.outcome_of(partition, name)
            if attempt is not None and attempt.provider_id:
                return replace(request, target_id=attempt.provider_id)
        if is_reaction:
            return Failure(TARGET_UNKNOWN, "the channel's id of the message that it reacts to is not known")
        return replace(request, reply_to="")
