"""Connectors of channels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from domain.records import DeliveryRequested
from domain.status import Status


@dataclass(frozen=True, slots=True)
class Sent:
    """A channel took the message. ``provider_id`` is the channel's own id of it."""

    provider_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel said later about a message it took."""

    status: Status
    at_ms: int


class Connector(Protocol):
    """One channel.

    ``repeatable`` says whether a send whose outcome is unknown may be made again without a second delivery, because
    the channel recognises our message id. No real provider offers that today; the simulated one does.
    """

    channel: str
    repeatable: bool

    async def send(self, request: DeliveryRequested, attempt: int) -> Sent:
        """Hand the message over. Raises ``DeliveryFailed`` (for good) or ``Unavailable`` (try again)."""
        ...

    def receipts(self, request: DeliveryRequested, sent: Sent) -> AsyncIterator[Receipt]:
        """Yield the receipts that this process itself will see; none for channels that report by webhook."""
        ...
