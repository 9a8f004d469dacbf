"""The role mirror stores the hops of deliveries, through outages, and passes over what cannot be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from agents import side_mirror
from agents.side_mirror import SideMirror
from app.kafka.codec import decode, encode
from domain.traces import TraceRecorded
from fakes.traces import MemoryTraces
from support.fakes import FakeApp, batch_of
from support.waiting import stays, until


def hop(message: str, at_ms: int = 1_000) -> TraceRecorded:
    return TraceRecorded(message, "c-1", "attempt", at_ms, "whatsapp", attempt=1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_mirror, "FIRST_BACKOFF_SECONDS", 0.001)


Write = Callable[[Sequence[TraceRecorded]], Awaitable[None]]


def mirror_on(store: MemoryTraces, write: Write | None = None) -> tuple[FakeApp, SideMirror[TraceRecorded]]:
    app: Any = FakeApp()
    return app, SideMirror(app, "mirror_traces", lambda value: decode(value, TraceRecorded), write or store.write)


async def test_a_batch_is_complete_when_its_hops_are_stored_though_cassandra_was_away() -> None:
    store = MemoryTraces()
    app, mirror = mirror_on(store)
    store.available = False
    batch = batch_of("traces", encode(hop("m-1")), b"nonsense", encode(hop("m-2")))
    adding = asyncio.create_task(mirror.store([batch]))
    await stays(lambda: not app.consumer.completed)
    store.available = True
    await adding
    assert app.consumer.completed == [batch]
    assert await store.of("m-1") == [hop("m-1")]
    assert await store.of("m-2") == [hop("m-2")]


async def test_what_cassandra_refuses_holds_up_nothing_else() -> None:
    store = MemoryTraces()

    async def write(traces: Sequence[TraceRecorded]) -> None:
        if any(trace.message_id == "m-bad" for trace in traces):
            raise ValueError("refused")
        await store.write(traces)

    app, mirror = mirror_on(store, write)
    batch = batch_of("traces", encode(hop("m-1")), encode(hop("m-bad")), encode(hop("m-2")))
    await mirror.store([batch])
    assert app.consumer.completed == [batch]
    assert sorted(store.rows) == ["m-1", "m-2"]


async def test_partitions_that_went_elsewhere_are_not_waited_for() -> None:
    store = MemoryTraces()
    app, mirror = mirror_on(store)
    store.available = False
    adding = asyncio.create_task(mirror.store([batch_of("traces", encode(hop("m-1")))]))
    await stays(lambda: not adding.done())
    app.consumer.epoch += 1
    await until(adding.done)
    assert app.consumer.completed == []
