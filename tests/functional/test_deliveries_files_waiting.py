"""Delivery of messages with files, on fakes: stores that are slow or away, partitions that go meanwhile."""

from __future__ import annotations

import asyncio
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest

from app.clock import now_ms
from channels.simulated import SimulatedConnector, Simulation
from domain.attachments import MB
from domain.attempts import Stage
from domain.files import PART_BYTES, FileMetadata
from storage.local_files import LocalFileStore
from support.deliveries import World, failure, request, requests, to_three
from support.fakes import batch_of
from support.waiting import stays, until


@pytest.mark.parametrize("mimetype", ["image/png", "application/zip"], ids=["as an image", "as a link"])
async def test_while_the_store_is_away_a_message_waits_without_attempts_and_others_go_on(mimetype: str) -> None:
    world = World()
    world.store.available = False
    await world.deliver(requests("m-1", "m-2", conversation="a", file=world.put(b"data", mimetype)))
    await world.deliver(requests("m-3", conversation="b", start=2))
    await until(lambda: world.channel.calls == ["m-3"])
    await until(lambda: len(world.opened) > 6)  # more tries than a channel would be given attempts
    assert {(row.name, row.reason) for row in world.rows()} >= {("m-1", "file-store")}
    world.store.available = True
    await until(world.is_done)
    assert world.channel.calls == ["m-3", "m-1", "m-2"]
    assert world.attempt("m-1").number == 1  # type: ignore[union-attr]


async def test_a_store_that_says_nothing_counts_as_away() -> None:
    world = World(files_timeout_seconds=0.02)
    world.store.gate.clear()
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(lambda: world.store.reads > 2)
    world.store.gate.set()
    await until(world.is_done)
    assert world.facts()[0] == ("m-1", "SENT")
    assert world.store.readers == 0


async def test_patience_with_the_store_ends_with_the_messages_age() -> None:
    world = World(file_patience_hours=1.0)
    world.store.available = False
    file = world.put(b"data")
    await world.deliver(batch_of("whatsapp-outbound", request("m-1", file=file, accepted_at_ms=now_ms() - 3_600_000)))
    await world.deliver(requests("m-2", conversation="b", file=file, start=1))
    await until(lambda: [row.name for row in world.rows()] == ["m-2"])
    assert (failure(world).message_id, failure(world).failure_code) == ("m-1", "file-store-unavailable")
    assert [letter.reason for letter in world.letters()] == ["file-store-unavailable"]
    await world.app.drain()


async def test_a_slow_file_holds_up_its_own_conversation_only_and_is_no_stall() -> None:
    world = World()
    world.store.gate.clear()
    await world.deliver(requests("m-1", conversation="a", file=world.put(b"x" * 600_000)))
    await world.deliver(requests("m-2", conversation="a", start=1))
    await world.deliver(requests("m-3", conversation="b", start=2))
    await until(lambda: world.channel.calls == ["m-3"])
    steps = world.app.progress
    world.store.gate.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-3", "m-1", "m-2"]
    assert world.app.progress > steps + 1, "the watchdog sees each piece"


async def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    store = LocalFileStore(tmp_path, link_key=bytes(32))
    upload = await store.begin("c-1/f-1", "application/pdf")
    data, parts = bytes(PART_BYTES), 10
    await store.finish("c-1/f-1", upload, [await store.put_part("c-1/f-1", upload, n + 1, data) for n in range(parts)])
    checksum = f"sha256:{sha256(data * parts).hexdigest()}"
    world = World()
    world.open_store = lambda: store  # type: ignore[assignment, method-assign, return-value]
    world.start()
    world.channel.upload = SimulatedConnector("whatsapp", "WhatsApp", Simulation()).upload  # type: ignore[method-assign]
    tracemalloc.start()
    try:
        file = FileMetadata("a.pdf", parts * PART_BYTES, "application/pdf", checksum, "c-1/f-1")
        await world.deliver(requests("m-1", file=file))
        await until(world.is_done)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await store.close()
    assert world.channel.calls == ["m-1"]
    assert most_bytes < 4 * MB


async def test_only_so_many_files_are_fetched_at_once() -> None:
    world = World(files_fetched_at_once=2)
    world.store.gate.clear()
    file = world.put(b"data")
    for n in range(5):
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}", start=n, file=file))
    await until(lambda: world.store.readers == 2)
    await stays(lambda: world.store.readers == 2)
    world.store.gate.set()
    await until(world.is_done)


async def test_draining_during_a_fetch_takes_the_message_back_as_if_it_had_never_been_begun() -> None:
    world = World(repeatable=False)
    world.store.gate.clear()
    file = world.put(b"data")
    await world.deliver(requests("m-1", "m-2", file=file))
    await until(lambda: world.store.readers == 1)
    await asyncio.wait_for(world.app.drain(), 1)
    assert (world.store.readers, world.table.rows, world.channel.calls) == (0, {}, [])
    assert [row.stage for row in world.rows()] == [Stage.WAITING] * 2
    world.store.gate.set()
    world.app.assigned()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-2"]
    assert world.letters() == []


async def test_draining_while_the_store_is_away_does_not_wait_for_it() -> None:
    world = World()
    world.store.available = False
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(lambda: [row.reason for row in world.rows()] == ["file-store"])
    await asyncio.wait_for(world.app.drain(), 1)
    assert world.table.rows == {}


async def test_an_attempt_is_on_record_only_once_the_file_is_ready_and_durable_before_the_channel_is_called() -> None:
    world = World()
    world.store.gate.clear()
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(lambda: world.store.readers)
    assert [row.stage for row in world.rows()] == [Stage.WAITING], "a crash now leaves nothing unknown"
    world.producer.held = True
    world.store.gate.set()
    await until(lambda: [row.stage for row in world.rows()] == [Stage.BEGUN])
    await stays(lambda: world.channel.calls == [])
    world.producer.release()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]


async def test_draining_a_fetch_for_several_ends_it() -> None:
    world = World()
    world.store.gate.clear()
    values = to_three(world.put(b"data"))
    await world.deliver(batch_of("whatsapp-outbound", *values))
    await until(lambda: world.store.readers)
    await asyncio.wait_for(world.app.drain(), 1)
    await until(lambda: world.store.readers == 0)
    world.store.gate.set()
    world.app.assigned()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"] * 3
