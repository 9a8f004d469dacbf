"""Orders whose conversations lie on every partition."""

from __future__ import annotations

import uuid

from app.kafka.partitions import partition_for
from loadtests.orders import Orders

CONVERSATIONS = 36


def orders_on_all(partitions: int) -> Orders:
    """Return orders whose conversations lie on each of the partitions."""
    while True:
        orders = Orders(CONVERSATIONS, ["whatsapp"], uuid.uuid4().hex[:8])
        if len({partition_for(name.encode(), partitions) for name in orders.conversations}) == partitions:
            return orders
