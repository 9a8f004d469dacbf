"""``mirror_contacts`` (role mirror): the address books of all channels → Cassandra, until it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode
from domain.errors import InvalidInput, StoreUnavailable
from domain.inbound import ContactChanged
from domain.ports import ContactStore

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0


async def mirror_contacts(
    app: StreamApp, store: ContactStore, batches: Sequence[RecordBatch]
) -> list[PendingBatch] | None:
    """Store the contacts of ``batches``; return what must be durable besides, ``None`` if all went elsewhere."""
    writes: list[PendingBatch] = []
    newest: dict[tuple[str, str, str], ContactChanged] = {}
    for batch in batches:
        for record in batch.records:
            try:
                contact = decode(record.value, ContactChanged)
            except InvalidInput as error:
                writes.append(dead_letter(app, batch, record, error, now_ms()))
                continue
            key = contact.account, contact.conversation_id, contact.address
            if key not in newest or contact.at_ms >= newest[key].at_ms:
                newest[key] = contact
    backoff = FIRST_BACKOFF_SECONDS
    while newest and any(map(app.consumer.is_current, batches)):
        try:
            await store.write(list(newest.values()))
            app.blocked_on = None
            return writes
        except StoreUnavailable as error:
            log.warning("contacts wait for Cassandra: %s", error)
            app.blocked_on = "cassandra"
            await asyncio.sleep(backoff)
            backoff = min(LONGEST_BACKOFF_SECONDS, backoff * 2)
    return None if newest else writes
