"""The channel's names of files that were uploaded: a file goes there once for each account, while its name is valid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from app.clock import now_ms
from tables import queue as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable

_DAY_MS = 24 * 3_600_000
_TRUSTED_SHARE = 0.9  # of the validity: a message may wait for its turn with a name that is still good
_SWEPT_AT_ONCE = 1_000


class Handles:
    """Those of one account. ``table``: the role's ``queue``; ``days``: for how long the channel keeps a file.

    A row is written without waiting: one that is lost costs another upload.
    """

    def __init__(self, table: DurableTable, account: str, days: int) -> None:
        self._table = table
        self._account = account
        self._trusted_ms = int(days * _DAY_MS * _TRUSTED_SHARE)
        self._swept_to: dict[int, bytes] = {}

    def find(self, partition: int, file_id: str) -> str | None:
        """Return the channel's name of the file, ``None`` if there is none that is still good."""
        value = self._table.get_bytes(partition, rows.handle_row_key(self._account, file_id))
        if value is None:
            return None
        handle, uploaded_ms = orjson.loads(value)
        return str(handle) if now_ms() < uploaded_ms + self._trusted_ms else None

    def remember(self, partition: int, file_id: str, handle: str) -> None:
        """Remember the channel's name of a file that was uploaded just now."""
        key = rows.handle_row_key(self._account, file_id)
        self._table.put(partition, key, orjson.dumps((handle, now_ms())))

    def forget(self, partition: int, file_id: str) -> None:
        """Forget the channel's name of the file."""
        self._table.put(partition, rows.handle_row_key(self._account, file_id), None)

    def sweep(self, partitions: Iterable[int]) -> None:
        """Look at some more rows, and forget names that are not good any more."""
        first = rows.handle_row_key(self._account, "")
        oldest_ms = now_ms() - self._trusted_ms
        for partition in partitions:
            found = self._table.rows_after(partition, self._swept_to.get(partition, first), _SWEPT_AT_ONCE)
            mine = [(key, value) for key, value in found if key.startswith(first)]
            self._swept_to[partition] = mine[-1][0] if len(mine) == _SWEPT_AT_ONCE else first
            for key, value in mine:
                if orjson.loads(value)[1] < oldest_ms:
                    self._table.put(partition, key, None)
