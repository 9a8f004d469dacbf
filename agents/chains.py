"""A chain of deliveries in memory: its head, and the backlog that it is part of. ``DeliveryQueue`` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.kafka.batch_producer import PendingBatch
    from domain.attempts import QueuedDelivery
    from domain.ports import Attachment
    from domain.records import DeliveryRequested


class Head:
    """The oldest delivery of a chain.

    ``request``, ``decoded``: the record, while the delivery is about to start. ``write``: the newest write of its row
    by this worker. ``is_ready``: it is in its account's lane. ``attachment``: its file, once the channel has it.
    """

    __slots__ = ("address", "attachment", "chain", "decoded", "is_ready", "key", "partition", "request", "row", "write")

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
        self.attachment: Attachment | None = None


class Chain:
    """``has_more``: there may be rows behind the head. ``has_older``: one was put before it, to be sent again."""

    __slots__ = ("backlog", "has_more", "has_older", "head", "prefix")

    def __init__(self, backlog: Backlog, prefix: bytes) -> None:
        self.backlog = backlog
        self.prefix = prefix
        self.head: Head | None = None
        self.has_more = False
        self.has_older = False


class Backlog:
    """The chains of one account on one partition that are in memory. ``size``: rows, as far as they are counted."""

    __slots__ = ("account", "chains", "counted_to", "cursor", "is_scanning", "missed", "partition", "size")

    def __init__(self, partition: int, account: str) -> None:
        self.partition = partition
        self.account = account
        self.chains: dict[bytes, Chain] = {}
        self.cursor: bytes | None = None
        self.missed = False
        self.is_scanning = False
        self.size = 0
        self.counted_to: bytes | None = None  # None: all
