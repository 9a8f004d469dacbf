"""The contacts of a channel's recipients: rows of the table ``queue``, from ``<channel>-contacts``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode, encode
from domain.accounts import ACCOUNT_NAME
from domain.errors import InvalidInput, MalformedRecord
from domain.inbound import ContactChanged
from tables import queue as rows

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from app.faust.batches import RecordBatch
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

REMEMBERED_DAYS = 180
_DAY_MS = 24 * 3_600_000
_SWEPT_AT_ONCE = 1_000


class Contacts:
    """``table``: the role's ``queue``."""

    def __init__(self, app: StreamApp, choice: AccountChoice, table: DurableTable) -> None:
        self._app = app
        self._choice = choice
        self._table = table
        self._swept_to: dict[int, bytes] = {}

    def find(self, partition: int, account: str, conversation_id: str, address: str) -> ContactChanged | None:
        """Return the contact of the person at ``address``, ``None`` without one."""
        value = self._table.get_bytes(partition, rows.contact_row_key(account, conversation_id, address))
        return None if value is None else decode(value, ContactChanged)

    def receive_batch(self, batch: RecordBatch) -> list[PendingBatch]:
        """Apply the changes of people; return the writes."""
        writes: list[PendingBatch] = []
        for record in batch.records:
            try:
                contact = decode(record.value, ContactChanged)
                if fault := _fault_of(contact):
                    raise MalformedRecord(f"field {fault!r} is out of range", fault)
            except InvalidInput as error:
                writes.append(dead_letter(self._app, batch, record, error, now_ms()))
            else:
                writes += self._take(batch.partition, contact)
        return writes

    def _take(self, partition: int, contact: ContactChanged) -> list[PendingBatch]:
        known = self.find(partition, contact.account, contact.conversation_id, contact.address)
        if known is not None and known.at_ms > contact.at_ms:
            return []
        key = rows.contact_row_key(contact.account, contact.conversation_id, contact.address)
        writes = [self._table.put(partition, key, encode(contact))]
        return writes + self._choice.begin_on(partition, contact.conversation_id, contact.account)

    def sweep(self, partitions: Iterable[int]) -> None:
        """Look at some more rows, and forget people of whom nothing was heard for ``REMEMBERED_DAYS``.

        Who opted out is not forgotten.
        """
        oldest_ms = now_ms() - REMEMBERED_DAYS * _DAY_MS
        for partition in partitions:
            found = self._table.rows_after(partition, self._swept_to.get(partition, rows.CONTACT), _SWEPT_AT_ONCE)
            mine = [(key, value) for key, value in found if key.startswith(rows.CONTACT)]
            self._swept_to[partition] = mine[-1][0] if len(mine) == _SWEPT_AT_ONCE else rows.CONTACT
            for key, value in mine:
                contact = decode(value, ContactChanged)
                if contact.at_ms < oldest_ms and not contact.opted_out:
                    self._table.put(partition, key, None)


def _fault_of(contact: ContactChanged) -> str | None:
    """Return the field that no row can hold, ``None`` if there is none."""
    if not ACCOUNT_NAME.fullmatch(contact.account):
        return "account"
    for name in ("conversation_id", "address", "to"):
        if len(getattr(contact, name).encode()) > rows.MOST_NAME_BYTES:
            return name
    return None
