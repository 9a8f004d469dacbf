"""A Faust table whose writes can be awaited until the broker has them in the changelog.

Faust's own writes go through a best-effort buffer, so an input may be committed before its table change is durable.
Here keys and values are bytes, a write names its partition, and ``put`` returns the pending batch of its changelog
record. Reads and writes happen between two awaits of an agent, so no other event of the partition comes between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from heapq import nsmallest
from itertools import islice
from math import inf
from time import monotonic
from typing import Any

import faust
from faust.types import TP

from app.clock import now_ms
from app.kafka.batch_producer import BatchProducer
from app.kafka.pending_batches import Headers, PendingBatch, Written

log = logging.getLogger(__name__)

_NOT_ALONE = -1
_FAUST_OFFSET = b"__faust\0offset__"  # Faust keeps its own row in each RocksDB file
_GENERATION = b"\0generation"  # the row of the partition's owner, and the header of all that the owner writes
_HEADER = "generation"
# RocksDB's properties. Filters and indexes of files are read into memory when a file is opened
_IN_MEMORY = ("cur-size-all-mem-tables", "block-cache-usage", "estimate-table-readers-mem")


class DurableTable(faust.Table):  # type: ignore[misc]
    """A table of bytes to bytes. Works on Faust's memory and RocksDB stores.

    An owner that has called ``claim`` marks its changelog records with its generation. A recovery passes over records
    of an earlier generation after a later one: a frozen worker wrote them when the partition had its next owner.
    """

    batch_producer: BatchProducer  # set by the app that makes the table
    noted_seconds = 1.0  # between two notes of how far the store holds the changelog: a restart reads so much again

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._newest: dict[int, PendingBatch] = {}
        self._held: dict[int, tuple[int, int]] = {}  # partition → epoch, the changelog's end as far as we wrote it
        self._headers: dict[int, Headers] = {}
        self._noted_at: dict[int, float] = {}
        self._seen_generation: dict[int, int] = {}
        self._removals: dict[tuple[int, bytes], PendingBatch] = {}

    def get_bytes(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of ``key``, ``None`` if there is none."""
        store = self.data
        if hasattr(store, "_db_for_partition"):
            value: bytes | None = store._db_for_partition(partition).get(key)
            return value
        return store.data.get(key)  # type: ignore[no-any-return]

    def put(self, partition: int, key: bytes, value: bytes | None) -> PendingBatch:
        """Set (``None``: delete) ``key`` on ``partition``; durable once the returned batch is acknowledged.

        The changelog record is written even if the value did not change. After a crash a local store can be ahead of
        its changelog, and only the replay brings the two together again.
        """
        self._removals.pop((partition, key), None)
        self._set(partition, key, value)
        return self._write(partition, key, value)

    def remove(self, partition: int, key: bytes) -> PendingBatch:
        """Delete ``key`` on ``partition`` once that is durable; until then it can be read.

        After ``put`` of ``None`` and a crash a row may be in the changelog alone. Its owner does not know it and never
        deletes it; the next owner on another machine finds it, however late. After ``remove`` it is in both.
        """
        self._removals[partition, key] = write = self._write(partition, key, None)
        return write

    def _set(self, partition: int, key: bytes, value: bytes | None) -> None:
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

    def _write(self, partition: int, key: bytes, value: bytes | None) -> PendingBatch:
        headers = self._headers.get(partition, ())
        write = self.batch_producer.enqueue(self.changelog_topic_name, partition, key, value, headers)
        if self._newest.get(partition) is not write:
            self._newest[partition] = write
            write.future.add_done_callback(partial(self._acknowledged, partition, write, self.app.consumer.epoch))
        return write

    def _end_removals(self, partition: int, write: PendingBatch, *, is_durable: bool) -> None:
        """Delete the rows whose tombstones are in ``write``, before how far the store holds the changelog is noted."""
        if not self._removals:
            return
        is_open = partition in getattr(self.data, "_dbs", (partition,))
        for record in write.records:
            if record is None or (key := record[0]) is None or self._removals.get((partition, key)) is not write:
                continue
            del self._removals[partition, key]
            if is_durable and is_open:
                self._set(partition, key, None)

    def claim(self, partition: int) -> PendingBatch:
        """Begin a generation of the partition's owner, later than each one seen in the changelog."""
        generation = max(self._newest_generation(partition) + 1, now_ms())
        self._seen_generation[partition] = generation
        text = str(generation).encode()
        self._headers[partition] = ((_HEADER, text),)
        return self.put(partition, _GENERATION, text)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply records of the changelog to the local store, but those of an owner that has a successor."""
        super().apply_changelog_batch([event for event in batch if self._is_of_the_owner(event.message)])

    def _is_of_the_owner(self, message: Any) -> bool:
        text = dict(message.headers or ()).get(_HEADER)
        if text is None:
            return True  # of a release without generations, or of a table that is not claimed
        generation, newest = int(text), self._newest_generation(message.partition)
        if generation < newest:
            log.warning(
                "offset %d of %s[%d] is of generation %d, after one of %d: its writer had a successor",
                message.offset,
                self.changelog_topic_name,
                message.partition,
                generation,
                newest,
            )
            return False
        self._seen_generation[message.partition] = generation
        return True

    def _newest_generation(self, partition: int) -> int:
        newest = self._seen_generation.get(partition)
        if newest is None:
            newest = self._seen_generation[partition] = int(self.get_bytes(partition, _GENERATION) or 0)
        return newest

    def _acknowledged(self, partition: int, write: PendingBatch, epoch: int, future: asyncio.Future[Written]) -> None:
        """Remember how far the local store holds the changelog, so a restart reads only newer records.

        This holds only while no other worker has written since our recovery. A worker that was frozen does not know
        its successor, whose changes are not in this store and would never be read.
        """
        is_durable = not (future.cancelled() or future.exception())
        is_ours = epoch == self.app.consumer.epoch  # else another owner may have written since
        self._end_removals(partition, write, is_durable=is_durable and is_ours)
        if not is_durable or not is_ours:
            return
        tp = TP(self.changelog_topic_name, partition)
        if self._held.get(partition, (-1, -1))[0] != epoch:
            self._held[partition] = epoch, self.app.tables.recovery.active_highwaters.get(tp, -2) + 1
        held, offset = self._held[partition][1], future.result().offset
        if held == offset != _NOT_ALONE:
            held += len(write.records)
            self._held[partition] = epoch, held
            if (now := monotonic()) - self._noted_at.get(partition, -inf) >= self.noted_seconds:
                self._noted_at[partition] = now
                self.data.set_persisted_offset(tp, held - 1)
        elif held != _NOT_ALONE:
            self._held[partition] = epoch, _NOT_ALONE
            log.warning("offset %d of %s[%d] is not of our making since the recovery", offset - 1, *tp)

    def rows_after(self, partition: int, key: bytes, count: int) -> list[tuple[bytes, bytes]]:
        """Return up to ``count`` rows of one partition whose key is greater than ``key``, in the order of the keys."""
        store: Any = self.data
        if hasattr(store, "_db_for_partition"):
            rows = store._db_for_partition(partition).items(from_key=key + b"\x00")
        else:
            mine = (k for k, p in store._key_partition.items() if p == partition and k > key)
            rows = ((k, store.data[k]) for k in nsmallest(count, mine))
        return list(islice((row for row in rows if row[0] not in (_FAUST_OFFSET, _GENERATION)), count))

    def row_count(self) -> int:
        """Return the number of rows on this worker; RocksDB estimates it."""
        store: Any = self.data
        if not hasattr(store, "_dbs"):
            return len(store.data)
        return sum(int(db.property_int_value("rocksdb.estimate-num-keys") or 0) for db in list(store._dbs.values()))

    def memory_bytes(self) -> int:
        """Return the bytes that RocksDB holds in memory for this table: unwritten rows, cached blocks, indexes."""
        stores = list(getattr(self.data, "_dbs", {}).values())
        return sum(int(db.property_int_value(f"rocksdb.{part}") or 0) for db in stores for part in _IN_MEMORY)

    def active_partitions(self) -> list[int]:
        """Return the partitions written by this worker."""
        topic = self.changelog_topic_name
        return sorted(tp.partition for tp in self.app.assignor.assigned_actives() if tp.topic == topic)
