"""A delivery in a channel's hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from agents.account_lane import AccountLane
    from agents.chains import Head
    from app.kafka.pending_batches import PendingBatch
    from domain.records import DeliveryRequested


class Delivery:
    """``outgoing``: the request as the channel gets it. ``gate``: the write that begins the attempt. ``is_called``: the
    channel may have it. ``before``: the row then."""

    __slots__ = (
        "before",
        "gate",
        "generation",
        "head",
        "is_called",
        "is_look_up",
        "lane",
        "outgoing",
        "request",
        "task",
        "value",
    )

    def __init__(
        self, lane: AccountLane, head: Head, request: DeliveryRequested, value: bytes, generation: int
    ) -> None:
        self.lane = lane
        self.head = head
        self.request = self.outgoing = request
        self.value = value
        self.generation = generation
        self.before = head.row
        self.gate: PendingBatch | None = None
        self.is_called = False
        self.is_look_up = False
        self.task: asyncio.Task[None] | None = None
