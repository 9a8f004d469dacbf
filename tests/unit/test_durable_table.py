"""How far the local store holds the changelog is remembered only while nobody else writes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from app.faust.durable_table import DurableTable
from app.faust.stream_app import StreamApp
from app.kafka.pending_batches import Headers, PendingBatch, Written
from app.settings import Settings
from tests.unit.consumer_on_paper import PaperApp, make_consumer


class ControlledProducer:
    """A batch producer whose batches are acknowledged when and where the test says. One record a batch."""

    def __init__(self) -> None:
        self.writes: list[PendingBatch] = []

    def enqueue(
        self, topic: str, partition: int, key: bytes, value: bytes | None, headers: Headers = ()
    ) -> PendingBatch:
        write = PendingBatch(asyncio.get_running_loop())
        write.records.append((key, value, headers))
        self.writes.append(write)
        return write

    async def acknowledge(self, *offsets: int) -> None:
        for offset in offsets:
            self.writes.pop(0).future.set_result(Written(offset, -1))
        await asyncio.sleep(0)


@pytest.fixture
async def table(tmp_path: Path) -> DurableTable:
    app: Any = PaperApp(Settings(role="rounds", store="rocksdb", data_dir=str(tmp_path), partitions=1))
    app._create_directories()
    table = app.durable_table("t", help="")
    table.batch_producer = ControlledProducer()
    table.noted_seconds = 0.0
    consumer, _, _ = make_consumer(tmp_path)
    app._consumer = consumer
    recovered(table, end=10)
    return table


def recovered(table: DurableTable, end: int) -> None:
    """A rebalance is over; the changelog was read to its end."""
    table.app.consumer._epoch += 1
    table.app.tables.recovery.active_highwaters[tp_of(table)] = end - 1


def tp_of(table: DurableTable) -> TP:
    return TP(table.changelog_topic_name, 0)


def held(table: DurableTable) -> int | None:
    offset: int | None = table.persisted_offset(tp_of(table))
    return offset


async def put(table: DurableTable, count: int = 1) -> None:
    for n in range(count):
        table.put(0, b"k%d" % n, b"v")


async def test_our_own_changes_need_not_be_read_again(table: DurableTable) -> None:
    await put(table, 3)
    assert held(table) is None
    await table.batch_producer.acknowledge(10, 11)
    assert held(table) == 11


async def test_what_is_held_is_noted_once_in_a_while_for_each_partition(table: DurableTable) -> None:
    table.noted_seconds = 3_600.0
    await put(table, 3)
    await table.batch_producer.acknowledge(10, 11, 12)
    assert held(table) == 10, "a restart reads 11 and 12 again, which changes nothing"


async def test_after_somebody_elses_change_nothing_counts_as_held(table: DurableTable) -> None:
    await put(table, 3)
    await table.batch_producer.acknowledge(10, 13, 14)  # 11 and 12 are a successor's: they are not in this store
    assert held(table) == 10


async def test_a_recovery_makes_us_the_only_writer_again(table: DurableTable) -> None:
    await put(table, 2)
    await table.batch_producer.acknowledge(10, 13)
    recovered(table, end=14)
    await put(table)
    await table.batch_producer.acknowledge(14)
    assert held(table) == 14


async def test_a_change_from_before_a_rebalance_does_not_count(table: DurableTable) -> None:
    await put(table)
    recovered(table, end=10)
    await table.batch_producer.acknowledge(10)  # the recovery may have put an older value over it
    assert held(table) is None


async def test_without_a_recovery_nothing_counts(table: DurableTable) -> None:
    table.app.tables.recovery.active_highwaters.clear()
    await put(table)
    await table.batch_producer.acknowledge(10)
    assert held(table) is None


async def test_a_failed_change_does_not_count(table: DurableTable) -> None:
    await put(table, 2)
    table.batch_producer.writes.pop(0).future.set_exception(ConnectionError())
    await table.batch_producer.acknowledge(10)
    assert held(table) == 10


def test_what_rocksdb_keeps_in_memory_for_a_table_has_a_bound_that_a_worker_can_afford(tmp_path: Path) -> None:
    app = StreamApp(Settings(role="core", data_dir=str(tmp_path), store="rocksdb"))
    options = app.tables["message_state"].data.rocksdb_options
    of_a_partition = options.write_buffer_size * options.max_write_buffer_number + options.block_cache_size
    assert of_a_partition * app.settings.partitions <= 80 * 2**20


def changelog_event(key: bytes, value: bytes | None, offset: int, headers: Headers) -> Any:
    message = SimpleNamespace(
        key=key, value=value, offset=offset, partition=0, headers=headers, tp=TP("t", 0), checksum=None
    )
    return SimpleNamespace(message=message, key=key, value=value)


async def test_what_a_frozen_owner_writes_after_its_successor_is_not_restored(table: DurableTable) -> None:
    """BEGUN and tombstones of a zombie land in the changelog behind those of the partition's next owner."""
    zombie, owner = (("generation", b"5"),), (("generation", b"6"),)
    table.apply_changelog_batch(
        [
            changelog_event(b"m-1", b"begun", 1, zombie),
            changelog_event(b"\0generation", b"6", 2, owner),
            changelog_event(b"m-1", b"sent", 3, owner),
            changelog_event(b"m-1", None, 4, zombie),
            changelog_event(b"m-2", b"begun", 5, zombie),
        ]
    )
    assert table.get_bytes(0, b"m-1") == b"sent"
    assert table.get_bytes(0, b"m-2") is None
    table.apply_changelog_batch([changelog_event(b"m-3", b"begun", 6, zombie)])  # of the next fetch
    assert table.get_bytes(0, b"m-3") is None


async def test_an_owner_claims_a_later_generation_than_any_it_has_read(table: DurableTable) -> None:
    late = int(time.time() * 1000) + 3_600_000  # by a clock that goes ahead
    table.apply_changelog_batch([changelog_event(b"\0generation", str(late).encode(), 1, ())])
    table.claim(0)
    table.put(0, b"m-1", b"v")
    writes = table.batch_producer.writes  # type: ignore[attr-defined]
    assert [headers for write in writes for _, _, headers in write.records] == [
        (("generation", str(late + 1).encode()),)
    ] * 2
    assert table.rows_after(0, b"", 10) == [(b"m-1", b"v")], "the generation is no row"


async def test_records_of_a_release_without_generations_are_restored(table: DurableTable) -> None:
    table.apply_changelog_batch(
        [changelog_event(b"\0generation", b"6", 1, (("generation", b"6"),)), changelog_event(b"m-1", b"sent", 2, ())]
    )
    assert table.get_bytes(0, b"m-1") == b"sent"


async def test_a_row_that_is_removed_can_be_read_until_that_is_durable(table: DurableTable) -> None:
    await put(table)
    write = table.remove(0, b"k0")
    assert table.get_bytes(0, b"k0") == b"v", "after a crash now its owner finds it, and removes it again"
    assert write.records == [(b"k0", None, ())]
    await table.batch_producer.acknowledge(10, 11)
    assert table.get_bytes(0, b"k0") is None
    assert held(table) == 11


async def test_a_row_that_is_put_again_outlives_its_removal(table: DurableTable) -> None:
    await put(table)
    table.remove(0, b"k0")
    table.put(0, b"k0", b"new")
    await table.batch_producer.acknowledge(10, 11, 12)
    assert table.get_bytes(0, b"k0") == b"new"


async def test_a_row_whose_removal_failed_stays(table: DurableTable) -> None:
    await put(table)
    write = table.remove(0, b"k0")
    await table.batch_producer.acknowledge(10)
    write.future.set_exception(RuntimeError("the broker is away"))
    await asyncio.sleep(0)
    assert table.get_bytes(0, b"k0") == b"v"


async def test_a_removal_from_before_a_rebalance_leaves_what_another_owner_has_written_since(
    table: DurableTable,
) -> None:
    await put(table)
    table.remove(0, b"k0")
    recovered(table, end=13)  # away and back: the recovery read another owner's row
    table._set(0, b"k0", b"another's")
    await table.batch_producer.acknowledge(10, 12)
    assert table.get_bytes(0, b"k0") == b"another's"
    assert not table._removals


async def test_a_removal_of_a_partition_that_went_away_opens_no_store(table: DurableTable) -> None:
    await put(table)
    table.remove(0, b"k0")
    recovered(table, end=10)
    table.data._dbs.clear()
    await table.batch_producer.acknowledge(10, 11)
    assert not table.data._dbs
