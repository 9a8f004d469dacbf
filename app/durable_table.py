"""A Faust table whose writes can be awaited until the broker has them in the changelog.

Faust's own writes go through a best-effort buffer, so an input may be committed before its table change is durable.
Here keys and values are bytes, a write names its partition, and ``put`` returns the flight of its changelog record.
Reads and writes happen between two awaits of an agent, so no other event of the partition comes between.
"""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import Any

import faust
from faust.types import TP

from app.batches import RecordBatch
from app.outbox import Flight, Outbox, Written

_FAUST_OFFSET = b"__faust\0offset__"  # Faust keeps its own row in each RocksDB file


class DurableTable(faust.Table):  # type: ignore[misc]
    """``message_state`` and ``attempts`` are tables of this kind. Works on Faust's memory and RocksDB stores."""

    outbox: Outbox  # set by the app that makes the table

    def get_bytes(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of ``key``, ``None`` if there is none."""
        store = self.data
        if hasattr(store, "_db_for_partition"):
            value: bytes | None = store._db_for_partition(partition).get(key)
            return value
        return store.data.get(key)  # type: ignore[no-any-return]

    def put(self, partition: int, key: bytes, value: bytes | None) -> Flight:
        """Set (``None``: delete) ``key`` on ``partition``; durable once the flight has arrived.

        The changelog record is written even if the value did not change: after a crash a local store can be ahead of
        its changelog, and the replay is what brings the two together again.
        """
        store = self.data
        if hasattr(store, "_db_for_partition"):
            db = store._db_for_partition(partition)
            if value is None:
                db.delete(key)
            else:
                db.put(key, value)
        elif value is None:
            store.data.pop(key, None)
            store._key_partition.pop(key, None)
        else:
            store.data[key] = value
            store._key_partition[key] = partition
        return self.outbox.put(self.changelog_topic_name, partition, key, value)

    def mark_persisted(self, batch: RecordBatch, written: Written, records: int) -> None:
        """Remember how far the local store holds the changelog, so that a restart reads only what is newer."""
        if written.offset >= 0 and self.app.consumer.is_current(batch):
            tp = TP(self.changelog_topic_name, batch.partition)
            self.data.set_persisted_offset(tp, written.offset + records - 1)

    def rows_after(self, partition: int, key: bytes, count: int) -> list[tuple[bytes, bytes]]:
        """Return up to ``count`` rows of one partition whose key is greater than ``key``, in the order of the keys."""
        store: Any = self.data
        if hasattr(store, "_db_for_partition"):
            rows = store._db_for_partition(partition).items(from_key=key + b"\x00")
        else:
            mine = (k for k, p in store._key_partition.items() if p == partition and k > key)
            rows = ((k, store.data[k]) for k in nsmallest(count, mine))
        return list(islice((row for row in rows if row[0] != _FAUST_OFFSET), count))

    def active_partitions(self) -> list[int]:
        """Return the partitions of which this worker is the writer."""
        topic = self.changelog_topic_name
        return sorted(tp.partition for tp in self.app.assignor.assigned_actives() if tp.topic == topic)
