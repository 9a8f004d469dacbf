"""A channel inside this process: takes a message, reports DELIVERED and then READ after a while.

Some addresses fail on purpose, to show failures: ``channels/simulated/manners.py``.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from channels.manifest import CAPABILITIES
from channels.simulated.manners import manner_of
from domain.attachments import MediaKind, text_fault
from domain.outcomes import Refused, SendOutcome, Sent, Unknown
from domain.ports import Attachment, ConnectorCapabilities, Receipt
from domain.records import DeliveryRequested, delivery_key
from domain.status import Status

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Simulation:
    """How long the people on the other side take: (least, most) seconds from SENT to DELIVERED, then on to READ."""

    delivered_seconds: tuple[float, float] = (1.0, 3.0)
    read_seconds: tuple[float, float] = (2.0, 5.0)


class SimulatedConnector:
    """Every answer is a function of the message, so a repeated call returns the same ids."""

    capabilities = ConnectorCapabilities(repeatable=True)

    def __init__(self, channel: str, title: str, simulation: Simulation) -> None:
        self.channel = channel
        self._title = title
        self._simulation = simulation

    async def upload(self, attachment: Attachment) -> str:
        async for _ in attachment.read():
            pass
        return f"sim.{attachment.metadata.checksum}"

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        address = request.recipient_id.partition(":")[2]
        objection = manner_of(address).objection(attempt)
        if objection is None and attachment is None:
            fault = text_fault(request.recipient_id, request.content, CAPABILITIES)
            objection = Refused("text-too-long", fault) if fault else None
        if objection is not None:
            log.info("[%s] Not delivered to %s: %s", self._title, address, objection.detail)
            return objection
        log.info("[%s] Delivered to %s", self._title, address)
        if attachment is not None:  # never log the link: it grants access to the file
            file, kind = attachment.metadata, attachment.plan.kind
            how = f"as a {MediaKind.LINK}" if kind is MediaKind.LINK else f"as {kind}, {file.checksum}"
            log.info("[%s] With %s for %s: %s bytes, %s", self._title, file.filename, address, file.size_bytes, how)
        return Sent(_provider_id(request), time.time_ns() // 1_000_000)

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        return Unknown("the simulated channel is sent to again instead")

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return the receipts of the person's side, each with its time."""
        chance = hashlib.blake2s(delivery_key(request).encode(), digest_size=8).digest()
        due_ms, receipts = sent.at_ms, []
        manner = manner_of(request.recipient_id.partition(":")[2])
        steps = ((Status.DELIVERED, self._simulation.delivered_seconds), (Status.READ, self._simulation.read_seconds))
        for n, (status, (least, most)) in enumerate(steps):
            if not manner.gives(status):
                break
            share = int.from_bytes(chance[4 * n : 4 * n + 4], "big") / 0xFFFFFFFF
            due_ms += int((least + (most - least) * share) * 1000)
            receipts.append(Receipt(status, due_ms))
        return receipts


def _provider_id(request: DeliveryRequested) -> str:
    """One id for each person it goes to, and always the same."""
    if request.recipient_count == 1:
        return f"sim.{request.message_id}"
    return f"sim.{request.message_id}.{hashlib.blake2s(request.recipient_id.encode(), digest_size=4).hexdigest()}"
