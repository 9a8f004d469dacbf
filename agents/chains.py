"""A chain of deliveries in memory: its head, and the backlog that it is part of. ``DeliveryQueue`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from app.kafka.pending_batches import PendingBatch
    from domain.attempts import QueuedDelivery
    from domain.ports import Attachment
    from domain.records import DeliveryRequested


class Head:
    """The oldest delivery of a chain.

    ``request``, ``decoded``: the record, while the delivery is about to start. ``write``: the newest write of its row
    by this worker. ``is_ready``: it is in its account's lane, since ``ready_at`` (seconds of a clock that does not
    go back). ``is_gone``: it is in memory no more. ``attachment``: its
    file, once the channel has it.
    """

    __slots__ = (
        "address",
        "attachment",
        "chain",
        "decoded",
        "is_gone",
        "is_ready",
        "key",
        "partition",
        "ready_at",
        "request",
        "row",
        "write",
    )

    def __init__(self, chain: Chain, partition: int, key: bytes, row: QueuedDelivery, address: str) -> None:
        self.chain = chain
        self.partition = partition
        self.key = key
        self.row = row
        self.address = address
        self.request: bytes | None = None
        self.decoded: DeliveryRequested | None = None
        self.write: PendingBatch | None = None
        self.is_ready = False
        self.ready_at = 0.0
        self.is_gone = False
        self.attachment: Attachment | None = None


class Chain:
    """``has_more``: there may be rows behind the head. ``has_older``: one was put before it, to be sent again.

    ``overtaken``: deliveries that wait beside the head, which went before them.
    """

    __slots__ = ("backlog", "has_more", "has_older", "head", "overtaken", "prefix")

    def __init__(self, backlog: Backlog, prefix: bytes) -> None:
        self.backlog = backlog
        self.prefix = prefix
        self.head: Head | None = None
        self.has_more = False
        self.has_older = False
        self.overtaken: dict[bytes, Head] = {}

    def heads(self) -> Iterator[Head]:
        """Return the head, and those that it overtook."""
        if self.head is not None:
            yield self.head
        yield from self.overtaken.values()

    def head_at(self, key: bytes) -> Head | None:
        """Return the head with this key, ``None`` if none has it."""
        return next((head for head in self.heads() if head.key == key), None)


class Sleep(NamedTuple):
    """``due_ms``: epoch milliseconds; ``reason``: of the head's wait."""

    due_ms: int
    reason: str


class Backlog:
    """The chains of one account on one partition that are in memory. ``size``: rows, as far as they are counted.

    ``sleeping``: chains on disk whose head waits for long, by prefix. ``overtaken``: how many deliveries are.
    """

    __slots__ = (
        "account",
        "chains",
        "counted_to",
        "cursor",
        "is_scanning",
        "missed",
        "overtaken",
        "partition",
        "size",
        "sleeping",
    )

    def __init__(self, partition: int, account: str) -> None:
        self.partition = partition
        self.account = account
        self.chains: dict[bytes, Chain] = {}
        self.sleeping: dict[bytes, Sleep] = {}
        self.overtaken = 0
        self.cursor: bytes | None = None
        self.missed = False
        self.is_scanning = False
        self.size = 0
        self.counted_to: bytes | None = None  # None: all
