"""Batches of several partitions reach a store together; too many wait; what is gathered at a drain is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from agents import gathered_batches
from agents.gathered_batches import GatheredBatches
from app.faust.batches import RecordBatch
from support.fakes import FakeApp, batch_of
from support.waiting import stays, until


class Store:
    """Keeps what it was handed; answers when ``open`` is set."""

    def __init__(self) -> None:
        self.stored: list[list[RecordBatch]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def take(self, batches: Sequence[RecordBatch]) -> None:
        await self.open.wait()
        self.stored.append(list(batches))


def gathering(store: Store, seconds: float = 0.01) -> tuple[FakeApp, GatheredBatches]:
    app: Any = FakeApp()
    app.settings = replace(app.settings, mirror_linger_seconds=seconds)
    return app, GatheredBatches(app, "mirror_traces", store.take)


async def test_what_comes_in_a_short_time_is_stored_at_once() -> None:
    store = Store()
    _, gathered = gathering(store)
    batches = [batch_of("traces", b"1"), batch_of("traces", b"2"), batch_of("traces", b"3")]
    for batch in batches:
        await gathered.add(batch)
    await until(lambda: store.stored)
    assert store.stored == [batches]


async def test_the_next_ones_gather_while_the_store_works_and_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered_batches, "MOST_RECORDS", 2)
    store = Store()
    store.open.clear()
    _, gathered = gathering(store)
    first, second, third = (batch_of("traces", b"a", b"b") for _ in range(3))
    await gathered.add(first)
    await gathered.add(second)
    waiting = asyncio.create_task(gathered.add(third))
    await stays(lambda: not waiting.done())
    store.open.set()
    await waiting
    await until(lambda: len(store.stored) == 3)
    assert store.stored == [[first], [second], [third]]


async def test_a_drain_stores_what_has_gathered_and_waits_for_no_store_that_is_away() -> None:
    store = Store()
    app, gathered = gathering(store, 60.0)
    batch = batch_of("traces", b"1")
    await gathered.add(batch)
    await app.drain()
    assert store.stored == [[batch]]
    app.blocked_on = "cassandra"
    await gathered.add(batch_of("traces", b"2"))
    await app.drain()
    assert store.stored == [[batch]]


async def test_batches_of_partitions_that_went_elsewhere_are_left_out() -> None:
    store = Store()
    app, gathered = gathering(store)
    await gathered.add(batch_of("traces", b"1"))
    app.consumer.epoch += 1
    kept = batch_of("traces", b"2")
    kept.epoch = app.consumer.epoch
    await gathered.add(kept)
    await until(lambda: store.stored)
    assert store.stored == [[kept]]
