"""``mirror_contacts`` (role mirror): the address books of all channels → Cassandra, until it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.clock import now_ms
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode
from domain.errors import InvalidInput, MalformedRecord, StoreUnavailable
from domain.inbound import ContactChanged
from domain.outcomes import shortened
from domain.ports import ContactStore

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Row:
    """A contact, and its record in its batch."""

    contact: ContactChanged
    batch: RecordBatch
    record: Any


async def mirror_contacts(
    app: StreamApp, store: ContactStore, batches: Sequence[RecordBatch]
) -> list[PendingBatch] | None:
    """Store the contacts of ``batches``; return the other writes to await, ``None`` if all went elsewhere.

    An unreadable contact, or one refused by Cassandra, becomes a dead letter.
    """
    writes: list[PendingBatch] = []
    newest: dict[tuple[str, str, str], _Row] = {}
    for batch in batches:
        for record in batch.records:
            try:
                contact = decode(record.value, ContactChanged)
            except InvalidInput as error:
                writes.append(dead_letter(app, batch, record, error, now_ms()))
                continue
            key = contact.account, contact.conversation_id, contact.address
            if key not in newest or contact.at_ms >= newest[key].contact.at_ms:
                newest[key] = _Row(contact, batch, record)
    refused = await _write(app, store, batches, list(newest.values()))
    return None if refused is None else writes + refused


async def _write(
    app: StreamApp, store: ContactStore, batches: Sequence[RecordBatch], rows: Sequence[_Row]
) -> list[PendingBatch] | None:
    """Return the dead letters of refused rows once the others are stored, ``None`` if the batches went elsewhere."""
    backoff = FIRST_BACKOFF_SECONDS
    while rows and any(map(app.consumer.is_current, batches)):
        try:
            await store.write([row.contact for row in rows])
            app.blocked_on = None
            return []
        except StoreUnavailable as error:
            log.warning("contacts wait for Cassandra: %s", error)
            app.blocked_on = "cassandra"
            await asyncio.sleep(backoff)
            backoff = min(LONGEST_BACKOFF_SECONDS, backoff * 2)
        except Exception as error:  # noqa: BLE001  Cassandra refuses one of them
            if len(rows) == 1:
                refused = MalformedRecord(f"Cassandra refuses the contact: {shortened(repr(error))}")
                return [dead_letter(app, rows[0].batch, rows[0].record, refused, now_ms())]
            middle = len(rows) // 2
            first = await _write(app, store, batches, rows[:middle])
            second = await _write(app, store, batches, rows[middle:])
            return None if first is None or second is None else first + second
    return None if rows else []
